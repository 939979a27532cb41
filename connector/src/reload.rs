//! The channel by which an identity is replaced: one writer, any number of readers.
//!
//! linkerd's pattern: [`channel`] gives a [`Publisher`] to whoever fetches identities and a [`Subscription`] to
//! whoever presents them, so that neither can do the other's work. A [`Generation`] is immutable; publishing makes
//! a new one. A text that is no identity changes nothing except [`Status::fault`].

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::bundle::{Bundle, BundleError};
use crate::usage::{Ledger, Usage};
use crate::{Fingerprint, Status};

/// A channel without an identity yet, whose generations are stamped by the system's clock.
#[must_use]
pub fn channel() -> (Publisher, Subscription) {
    channel_with_clock(system_clock)
}

/// As [`channel`], with the clock that stamps [`Generation::since`].
#[must_use]
pub fn channel_with_clock(clock: fn() -> Timestamp) -> (Publisher, Subscription) {
    let (sender, receiver) = watch::channel(None);
    let ledger = Arc::new(Ledger::new(receiver.clone()));
    let publisher = Publisher {
        sender,
        ledger: Arc::clone(&ledger),
        clock,
        published: 0,
    };
    (publisher, Subscription { receiver, ledger })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this crate meets the wall clock"
)]
fn system_clock() -> Timestamp {
    Timestamp::now()
}

/// One identity in its turn, from being published until the last connection with it is closed.
#[derive(Debug)]
pub struct Generation {
    serial: u64,
    number: Option<u64>,
    bundle: Bundle,
    since: Timestamp,
    drain: Option<Duration>,
    usage: Usage,
}

impl Generation {
    /// Its place among the generations of this channel, from 1.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// The number that the daemon knows it by.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
        self.number
    }

    /// The key and the chain.
    #[must_use]
    pub const fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// SHA-256 of the leaf.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.bundle.fingerprint()
    }

    /// When it became the current one.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// How long the connections of the generation *before* it may go on, where the publisher said so.
    #[must_use]
    pub const fn drain(&self) -> Option<Duration> {
        self.drain
    }

    pub(crate) const fn usage(&self) -> &Usage {
        &self.usage
    }
}

/// An identity on its way in, with what its sender said about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Offer {
    /// The key and the chain.
    pub bundle: Bundle,
    /// The sender's number for it.
    pub number: Option<u64>,
    /// How long the connections of its predecessor may go on.
    pub drain: Option<Duration>,
}

impl From<Bundle> for Offer {
    fn from(bundle: Bundle) -> Self {
        Self {
            bundle,
            number: None,
            drain: None,
        }
    }
}

// === impl Publisher ===

/// The writing end. There is one, so generations are in one order.
#[derive(Debug)]
pub struct Publisher {
    sender: watch::Sender<Option<Arc<Generation>>>,
    ledger: Arc<Ledger>,
    clock: fn() -> Timestamp,
    published: u64,
}

impl Publisher {
    /// Makes the identity the current one: every connection from now on presents it.
    ///
    /// Offering the chain that is current already is not a swap, but does end a fault.
    pub fn publish(&mut self, offer: impl Into<Offer>) -> Arc<Generation> {
        let Offer {
            bundle,
            number,
            drain,
        } = offer.into();
        let source = self.ledger.faults().source.clone();
        let same = self
            .ledger
            .current()
            .filter(|current| current.bundle.chain() == bundle.chain());
        if let Some(current) = same.filter(|current| current.number == number) {
            self.ledger.note_faults(None, source.as_deref());
            return current;
        }
        self.published += 1;
        let fingerprint = bundle.fingerprint();
        let generation = Arc::new(Generation {
            serial: self.published,
            number,
            bundle,
            since: (self.clock)(),
            drain,
            usage: Usage::default(),
        });
        self.sender.send_replace(Some(Arc::clone(&generation)));
        self.ledger.note_faults(None, source.as_deref());
        self.ledger.tell();
        tracing::info!(%fingerprint, generation = number, "presenting a new client identity");
        generation
    }

    /// Reads a combined PEM text and makes it the current identity; on any fault the present one stays, and
    /// [`Status::fault`] says why.
    ///
    /// # Errors
    /// The text is no identity, see [`Bundle::from_pem`].
    pub fn publish_pem(&mut self, pem: &[u8]) -> Result<Arc<Generation>, BundleError> {
        match Bundle::from_pem(pem) {
            Ok(bundle) => Ok(self.publish(bundle)),
            Err(error) => {
                self.refuse(&error);
                Err(error)
            }
        }
    }

    /// Notes that an identity was refused. The current one stays.
    pub fn refuse(&self, reason: &(dyn std::error::Error + 'static)) {
        let reason = chain_of(reason);
        let source = self.ledger.faults().source.clone();
        if self.ledger.note_faults(Some(&reason), source.as_deref()) {
            tracing::warn!(
                ?reason,
                "a client identity was refused: the present one stays"
            );
        }
    }

    /// Notes whether identities can arrive: the reason why not, or none when they can.
    pub fn source_fault(&self, reason: Option<&str>) {
        let bundle = self.ledger.faults().bundle.clone();
        self.ledger.note_faults(bundle.as_deref(), reason);
    }

    /// What the readers make of it.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.ledger)
    }

    /// Completes when something happened that a report should tell at once: a swap, a fault, the first handshake of
    /// a generation, the last connection of the previous ones.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.ledger.news()
    }
}

// === impl Subscription ===

/// The reading end: what is to be presented now, and when that changes. Clones are independent readers of the
/// same identity and count into the same [`Status`].
#[derive(Debug, Clone)]
pub struct Subscription {
    receiver: watch::Receiver<Option<Arc<Generation>>>,
    ledger: Arc<Ledger>,
}

/// The writing end is gone: the identity will not change again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody publishes identities any more: the last one stays in use until it expires")]
pub struct PublisherGone;

impl Subscription {
    /// What new connections present; none before the first bundle.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Generation>> {
        self.receiver.borrow().clone()
    }

    /// Waits for the next generation that this reader has not been told of.
    ///
    /// # Errors
    /// The publisher is gone, and so nothing will change.
    pub async fn changed(&mut self) -> Result<Arc<Generation>, PublisherGone> {
        loop {
            self.receiver.changed().await.map_err(|_| PublisherGone)?;
            if let Some(generation) = self.receiver.borrow_and_update().clone() {
                return Ok(generation);
            }
        }
    }

    /// Waits until there is an identity, which may be at once.
    ///
    /// # Errors
    /// The publisher went away without giving one.
    pub async fn ready(&self) -> Result<Arc<Generation>, PublisherGone> {
        let mut receiver = self.receiver.clone();
        let found = receiver
            .wait_for(Option::is_some)
            .await
            .map_err(|_| PublisherGone)?;
        found.clone().ok_or(PublisherGone)
    }

    /// What is presented and what has been seen in use.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.ledger)
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }
}

/// An error with all its causes, on one line.
pub(crate) fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
