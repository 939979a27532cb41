//! Layer 5: the whole story in under a minute, with nothing installed.
//!
//! Everything of ours is what runs in production: a configuration that is read from files, a store on disk, the
//! daemon behind its sockets, letters by SMTP, probes on the wire, a connector with `countersign-connector` in
//! it. Embedded is what others run: the partner's gateway, Jira, mail server, and the person who reads the mail.
//!
//! Nothing is told that was not measured, and nothing is left behind.

mod connector;
mod error;
mod gateway;
mod home;
mod jira;
mod letter;
mod mailbox;
mod partner;
mod story;
mod summary;
mod tale;
mod tls;
mod verifier;
mod witness;

use std::{sync::Arc, time::Duration};

pub use connector::ConnectorError;
pub use error::DemoError;
pub use letter::LetterError;
pub use partner::PartnerError;
pub use summary::{DemoSummary, Fingerprints, Latency, OldRefused, Requests, Switch, Traffic};
pub use tale::Narrator;

use story::Place;
use tale::Tale;

/// How long the story may take. It takes a fraction of it unless something is wrong.
const LIMIT: Duration = Duration::from_secs(60);

/// What may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct DemoOptions {
    /// How many calls the connector has under way at a time.
    pub concurrency: u16,
}

/// Tells the story to `narrator`, step by step as it happens, and returns what was measured.
///
/// Needs a tokio runtime with I/O and time, loopback, and a directory for temporary files.
pub async fn run(
    options: DemoOptions,
    narrator: Arc<dyn Narrator>,
) -> Result<DemoSummary, DemoError> {
    run_within(LIMIT, options, narrator).await
}

async fn run_within(
    limit: Duration,
    options: DemoOptions,
    narrator: Arc<dyn Narrator>,
) -> Result<DemoSummary, DemoError> {
    let place = Arc::new(Place::default());
    let story = story::tell(options, Tale::begin(narrator), place.clone());
    tokio::select! {
        told = story => told,
        () = tokio::time::sleep(limit) => Err(DemoError::TimedOut {
            limit,
            waiting: place.describe().await,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps the lines.
    #[derive(Default)]
    struct Listener(Mutex<Vec<String>>);

    impl Narrator for Listener {
        fn say(&self, line: &str) {
            println!("{line}");
            self.0.lock().unwrap().push(line.to_owned());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_whole_story_runs_and_loses_no_request() {
        let listener = Arc::new(Listener::default());
        // How long it takes is not what is tested: a busy machine may take its time.
        let summary = run_within(10 * LIMIT, DemoOptions { concurrency: 8 }, listener.clone())
            .await
            .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
        println!("{}", summary.text());
        let Requests {
            made,
            failed,
            ref failure,
            ..
        } = summary.requests;
        assert_eq!(failed, 0, "{failure:?}");
        assert_eq!(made, summary.old.requests + summary.new.requests);
        assert!(summary.old.requests > 0 && summary.new.requests > 0);
        assert_ne!(summary.fingerprints.old, summary.fingerprints.new);
        assert!(summary.new.full_handshakes > 0);
        assert!(summary.old_refused.at >= summary.switch.last_old);
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["requests"]["failed"], 0);
        let told = listener.0.lock().unwrap().join("\n");
        for step in [
            "offer sent",
            "acknowledges",
            "accepted",
            "presents",
            "removal notice sent",
            "rejected",
            "destroyed",
        ] {
            assert!(told.contains(step), "{step} was not told:\n{told}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_story_that_does_not_end_says_where_it_stopped() {
        let options = DemoOptions { concurrency: 1 };
        let told = run_within(Duration::ZERO, options, Arc::new(Listener::default())).await;
        let Err(DemoError::TimedOut { waiting, .. }) = told else {
            panic!("{told:?}");
        };
        assert!(waiting.starts_with("it came to "), "{waiting}");
    }
}
