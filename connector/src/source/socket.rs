//! Identities pushed by the daemon over its Unix socket, and the reports in return.
//!
//! The connector dials, says who it is, and follows what it is told, for ever. A daemon that is away, restarts or
//! talks nonsense is a matter of this task alone: it dials again with growing pauses.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Running;
use crate::protocol::{FromConnector, FromDaemon, LineError, Lines, PROTOCOL, Push};
use crate::reload::chain_of;
use crate::{Bundle, BundleError, Fingerprint, Offer, Publisher};

/// How much is kept of the daemon's reason to refuse, in characters.
const MAX_REASON: usize = 200;

/// How to reach the daemon.
#[derive(Debug, Clone)]
pub struct Socket {
    path: PathBuf,
    connector: String,
    report_every: Duration,
    first_pause: Duration,
    longest_pause: Duration,
}

/// What wakes the task.
enum Event {
    /// A message of the daemon.
    Said(FromDaemon),
    /// A report is due.
    Due,
}

/// Why a conversation with the daemon ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum Ended {
    #[error("the daemon closed the connection")]
    Closed,
    #[error("the daemon cannot be reached at {}: check that it runs and that this program may open the socket", path.display())]
    Dial { path: PathBuf, source: io::Error },
    #[error("the conversation with the daemon failed")]
    Line(#[from] LineError),
    #[error("the daemon refuses connector {connector:?}: {reason:?}")]
    Refused { connector: String, reason: String },
}

/// Why a pushed identity is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum BadPush {
    #[error("generation {generation} of the daemon cannot be used")]
    Bundle {
        generation: u64,
        source: BundleError,
    },
    #[error(
        "generation {generation} of the daemon was announced as {announced}, but the bundle holds {found}"
    )]
    Fingerprint {
        generation: u64,
        announced: Fingerprint,
        found: Fingerprint,
    },
}

impl Socket {
    /// The daemon's connector socket, and the name of this connector in the daemon's configuration.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, connector: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            connector: connector.into(),
            report_every: Duration::from_secs(10),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(30),
        }
    }

    /// How often to report when nothing happens. What happens is reported at once.
    #[must_use]
    pub const fn report_every(mut self, interval: Duration) -> Self {
        self.report_every = interval;
        self
    }

    /// The pause before the second attempt to reach the daemon, and the longest one. Each is twice the one before.
    #[must_use]
    pub const fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest;
        self
    }

    /// Follows the daemon in a task of its own. Must be called within a tokio runtime.
    #[must_use]
    pub fn spawn(self, publisher: Publisher) -> Running {
        Running::new(tokio::spawn(self.follow(publisher)))
    }

    async fn follow(self, mut publisher: Publisher) {
        let mut pause = self.first_pause;
        loop {
            let mut welcome = false;
            let Err(ended) = self.converse(&mut publisher, &mut welcome).await;
            if welcome {
                pause = self.first_pause;
            }
            let reason = chain_of(&ended);
            tracing::debug!(
                ?reason,
                ?pause,
                "no daemon: the present identity stays in use"
            );
            publisher.source_fault(Some(&reason));
            sleep(pause).await;
            pause = (pause * 2).min(self.longest_pause);
        }
    }

    /// One connection, from the hello to its end. `welcome` becomes true when the daemon has said anything but no.
    async fn converse(
        &self,
        publisher: &mut Publisher,
        welcome: &mut bool,
    ) -> Result<Infallible, Ended> {
        let dialled = UnixStream::connect(&self.path).await;
        let stream = dialled.map_err(|source| Ended::Dial {
            path: self.path.clone(),
            source,
        })?;
        let mut lines = Lines::new(stream);
        lines
            .write(&FromConnector::Hello {
                protocol: PROTOCOL,
                connector: self.connector.clone(),
            })
            .await?;
        let mut news = publisher.news();
        let mut ticks = interval(self.report_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        publisher.source_fault(Some("the daemon is reached, but has not said anything yet"));
        loop {
            let event = tokio::select! {
                message = lines.read() => Event::Said(message?.ok_or(Ended::Closed)?),
                // The publisher keeps the other end of the news, so this cannot fail while it lives.
                _ = news.changed() => Event::Due,
                _ = ticks.tick() => Event::Due,
            };
            if let Event::Said(message) = event {
                match message {
                    FromDaemon::Refused { reason } => {
                        let reason = reason.chars().take(MAX_REASON).collect();
                        return Err(Ended::Refused {
                            connector: self.connector.clone(),
                            reason,
                        });
                    }
                    FromDaemon::Identity(push) => take(publisher, &push),
                    FromDaemon::Ping | FromDaemon::Unknown => {}
                }
                *welcome = true;
                publisher.source_fault(None);
            }
            news.mark_unchanged();
            lines
                .write(&FromConnector::Report(publisher.status().report()))
                .await?;
        }
    }
}

/// Publishes a pushed identity if it is what it says it is.
fn take(publisher: &mut Publisher, push: &Push) {
    let generation = push.generation;
    let checked = match Bundle::from_pem(push.bundle_pem.expose().as_bytes()) {
        Ok(bundle) if bundle.fingerprint() == push.fingerprint => Ok(bundle),
        Ok(bundle) => Err(BadPush::Fingerprint {
            generation,
            announced: push.fingerprint,
            found: bundle.fingerprint(),
        }),
        Err(source) => Err(BadPush::Bundle { generation, source }),
    };
    match checked {
        Ok(bundle) => {
            publisher.publish(Offer {
                bundle,
                number: Some(generation),
                drain: Some(push.drain()),
            });
        }
        Err(refused) => publisher.refuse(&refused),
    }
}
