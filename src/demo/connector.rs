//! The connector: a program with `countersign-connector` in it, calling Jira all the time.
//!
//! It takes its identity from the daemon's socket and never pauses for a switch. A call has failed when it
//! has no answer, or one that Jira does not give to somebody who is let in.

use std::{path::Path, time::Duration};

use countersign_connector::{
    Client, Subscription, Tls,
    client::Error as ClientError,
    reload,
    source::{self, socket::Socket},
    tls::{TlsError, Versions},
};
use http_body_util::Full;
use hyper::{Method, Request, body::Bytes, header::USER_AGENT};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::model::one_line;

/// What it calls itself in its requests.
pub(super) const AGENT: &str = "demo-connector";

/// From one call of a loop to its next, at least: a busy connector, not a flood.
const PACE: Duration = Duration::from_millis(10);

/// What it calls, in turn: every method that a connector uses.
const CALLS: [(Method, &str); 5] = [
    (Method::GET, "/rest/api/2/issue/DEMO-1"),
    (Method::GET, "/rest/api/2/search?maxResults=1"),
    (Method::PUT, "/rest/api/2/issue/DEMO-1"),
    (Method::POST, "/rest/api/2/issue/DEMO-1/comment"),
    (Method::GET, "/rest/api/2/myself"),
];

/// Why the connector cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The partner's server could not be verified.
    #[error("the connector's trust anchors cannot be used")]
    Anchors(#[from] TlsError),
    /// The partner's URL cannot be called.
    #[error("the connector's target cannot be used")]
    Target(#[from] ClientError),
}

/// What the connector has to tell at its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Calls that were made.
    pub(super) made: u64,
    /// Calls without a good answer.
    pub(super) failed: u64,
    /// What was wrong with one of them.
    pub(super) failure: Option<String>,
    /// How long each took.
    pub(super) latencies: Vec<Duration>,
}

/// A running connector; ends when it is dropped.
pub(super) struct Connector {
    loops: JoinSet<Tally>,
    stop: watch::Sender<bool>,
    _source: source::Running,
}

impl Connector {
    /// So many loops, which begin to call when the daemon has handed an identity over.
    pub(super) fn start(
        socket: &Path,
        name: &str,
        base: &str,
        anchors_pem: &[u8],
        concurrency: u16,
    ) -> Result<Self, ConnectorError> {
        let (publisher, subscription) = reload::channel();
        let client = Client::builder(Tls::new(anchors_pem, Versions::Only12)?)
            .base(base)
            .build(subscription.clone())?;
        let source = Socket::new(socket, name).spawn(publisher);
        let stop = watch::Sender::new(false);
        let mut loops = JoinSet::new();
        for number in 0..usize::from(concurrency) {
            loops.spawn(call(
                client.clone(),
                subscription.clone(),
                stop.subscribe(),
                number,
            ));
        }
        Ok(Self {
            loops,
            stop,
            _source: source,
        })
    }

    /// Ends after the calls that are under way.
    pub(super) async fn finish(mut self) -> Tally {
        self.stop.send_replace(true);
        let mut all = Tally::default();
        while let Some(ended) = self.loops.join_next().await {
            match ended {
                Ok(tally) => all.add(tally),
                Err(error) => all.fail(&error),
            }
        }
        all
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.made += other.made;
        self.failed += other.failed;
        self.failure = self.failure.take().or(other.failure);
        self.latencies.extend(other.latencies);
    }

    fn fail(&mut self, error: &dyn std::error::Error) {
        self.failed += 1;
        self.failure.get_or_insert_with(|| {
            let cause = error.source().map(|cause| format!(": {cause}"));
            one_line(&format!("{error}{}", cause.unwrap_or_default()))
        });
    }
}

/// A call with another answer than a good one.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} was answered with HTTP {status}")]
struct Refused {
    method: Method,
    path: &'static str,
    status: u16,
}

async fn call(
    client: Client,
    identity: Subscription,
    stop: watch::Receiver<bool>,
    first: usize,
) -> Tally {
    let mut tally = Tally::default();
    if identity.ready().await.is_err() {
        return tally;
    }
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for (method, path) in CALLS.iter().cycle().skip(first % CALLS.len()) {
        pace.tick().await;
        if *stop.borrow() {
            break;
        }
        let body = if *method == Method::GET { "" } else { "{}" };
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method.clone();
        *request.uri_mut() = hyper::Uri::from_static(path);
        let agent = hyper::header::HeaderValue::from_static(AGENT);
        request.headers_mut().insert(USER_AGENT, agent);
        let begun = Instant::now();
        let answer = client.request(request).await;
        tally.made += 1;
        tally.latencies.push(begun.elapsed());
        match answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tally.fail(&Refused {
                method: method.clone(),
                path,
                status: answer.status().as_u16(),
            }),
            Err(error) => tally.fail(&error),
        }
    }
    tally
}
