//! A program that calls Jira all the time, with the connector crate linked in as its users link it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_connector::{
    Client, Publisher, Status, Subscription, Tls, Versions,
    reload::channel,
    source::{BundleFile, Running, Socket},
};
use http_body_util::Full;
use hyper::{Request, body::Bytes, header::HOST};
use tokio::{runtime::Runtime, time::interval};

use super::World;

/// How a request of the load is recognised in the gateway's log.
pub(crate) const MARK: &str = "load-";
/// How often each loop calls.
const PACE: Duration = Duration::from_millis(60);
/// How soon the connector looks again for what may have changed.
const LOOK: Duration = Duration::from_millis(100);

/// Loops that call without pause, each as soon as its pace and the answer before allow.
pub(crate) struct Load {
    client: Client,
    counts: Arc<Counts>,
    // Dropped last: the tasks of the others run in it.
    source: Option<Running>,
    runtime: Runtime,
}

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    answered: AtomicU64,
    ending: AtomicBool,
    failures: Mutex<Vec<String>>,
}

impl World {
    /// A connector at the daemon's socket, and so many loops.
    pub(crate) fn load_at_socket(&self, name: &str, loops: u64) -> Load {
        let socket = Socket::new(self.connector_socket(), name).pauses(LOOK, LOOK);
        self.load(loops, |publisher| socket.spawn(publisher))
    }

    /// A connector that follows a bundle file and reports beside it, and so many loops.
    pub(crate) fn load_at_bundle(&self, name: &str, loops: u64) -> Load {
        let file = BundleFile::new(self.path(name)).every(LOOK).report();
        self.load(loops, |publisher| file.spawn(publisher))
    }

    fn load(&self, loops: u64, source: impl FnOnce(Publisher) -> Running) -> Load {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let (publisher, subscription) = channel();
        let versions = if self.plan.tls13 {
            Versions::Both
        } else {
            Versions::Only12
        };
        let tls = Tls::new(self.gateway_root.pem().as_bytes(), versions).unwrap();
        let client = Client::builder(tls)
            .base(format!("https://{}", self.gateway.addr()))
            .build(subscription.clone())
            .unwrap();
        let source = source(publisher);
        let counts = Arc::new(Counts::default());
        for number in 0..loops {
            tokio::spawn(call(
                number,
                client.clone(),
                subscription.clone(),
                Arc::clone(&counts),
            ));
        }
        drop(guard);
        Load {
            client,
            counts,
            source: Some(source),
            runtime,
        }
    }
}

/// Calls until told to end; what is not answered with 200 is a failure.
async fn call(number: u64, client: Client, subscription: Subscription, counts: Arc<Counts>) {
    if subscription.ready().await.is_err() {
        return;
    }
    let mut pace = interval(PACE);
    for count in 0_u64.. {
        pace.tick().await;
        if counts.ending.load(Ordering::Acquire) {
            return;
        }
        let request = Request::get("/rest/api/2/serverInfo")
            .header(HOST, "gateway.test")
            .header("X-Request-ID", format!("{MARK}{number}-{count}"))
            .body(Full::<Bytes>::default())
            .unwrap();
        counts.begun.fetch_add(1, Ordering::AcqRel);
        let failure = match client.request(request).await {
            Ok(response) if response.status() == 200 => None,
            Ok(response) => Some(format!("request {number}-{count}: {}", response.status())),
            Err(error) => Some(format!("request {number}-{count}: {error:?}")),
        };
        counts.failures.lock().unwrap().extend(failure);
        counts.answered.fetch_add(1, Ordering::AcqRel);
    }
}

impl Load {
    /// How many requests were begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.counts.begun.load(Ordering::Acquire)
    }

    /// What the connector says of itself.
    pub(crate) fn status(&self) -> Status {
        self.client.status()
    }

    /// Asserts that no request has failed so far.
    #[track_caller]
    pub(crate) fn assert_unharmed(&self) {
        let failures = self.counts.failures.lock().unwrap();
        assert!(
            failures.is_empty(),
            "{} of {} requests failed, such as {:#?}",
            failures.len(),
            self.begun(),
            &failures[..failures.len().min(5)]
        );
    }

    /// Lets the requests under way end, and returns how many there were; none may have failed.
    #[track_caller]
    pub(crate) fn end(mut self) -> u64 {
        self.counts.ending.store(true, Ordering::Release);
        countersign_peers::eventually("the last request is answered", || {
            (self.counts.answered.load(Ordering::Acquire) == self.begun()).then_some(())
        });
        self.assert_unharmed();
        let begun = self.begun();
        let status = self.status();
        assert_eq!(
            (status.requests, status.failed),
            (begun, 0),
            "the connector's own count"
        );
        self.source.take();
        self.runtime.shutdown_background();
        begun
    }
}
