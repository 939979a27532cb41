//! What a connector can say about itself.

use jiff::Timestamp;
use serde::Serialize;

use crate::Fingerprint;
use crate::protocol::Report;
use crate::usage::Ledger;

/// A snapshot of one channel: the identity that new connections present, and what has been seen in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// What new connections present; none before the first bundle.
    pub presenting: Option<Fingerprint>,
    /// The number that the daemon gave to this generation, if it came from a daemon.
    pub generation: Option<u64>,
    /// When new connections began to present it.
    pub since: Option<Timestamp>,
    /// What the last completed full handshake presented: the evidence that a swap has arrived on the wire.
    pub in_use: Option<Fingerprint>,
    /// Open connections that were made with [`presenting`](Self::presenting).
    pub open_current: usize,
    /// Open connections that were made with any earlier identity.
    pub open_previous: usize,
    /// Requests begun since the start.
    pub requests: u64,
    /// Requests that had no complete response. A response of any status is a response.
    pub failed: u64,
    /// Full handshakes completed with [`presenting`](Self::presenting) in which the server asked for it.
    pub handshakes_current: u64,
    /// Why the last bundle was refused; none once a good one has followed.
    pub fault: Option<String>,
    /// Why no bundle can arrive at present, such as a daemon that is away. The identity in memory stays in use.
    pub source_fault: Option<String>,
}

impl Status {
    pub(crate) fn of(ledger: &Ledger) -> Self {
        let current = ledger.current();
        let (fault, source_fault) = {
            let faults = ledger.faults();
            (faults.bundle.clone(), faults.source.clone())
        };
        let open_current = current
            .as_ref()
            .map_or(0, |generation| generation.usage().open());
        Self {
            presenting: current.as_ref().map(|generation| generation.fingerprint()),
            generation: current.as_ref().and_then(|generation| generation.number()),
            since: current.as_ref().map(|generation| generation.since()),
            in_use: ledger.in_use(),
            open_current,
            open_previous: ledger.open().saturating_sub(open_current),
            requests: ledger.requests(),
            failed: ledger.failed(),
            handshakes_current: current
                .as_ref()
                .map_or(0, |generation| generation.usage().handshakes()),
            fault,
            source_fault,
        }
    }

    /// The part of it that the daemon wants to know.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            presenting: self.presenting,
            since: self.since,
            open_current: self.open_current,
            open_previous: self.open_previous,
            requests: self.requests,
            failed: self.failed,
            handshakes_current: self.handshakes_current,
            fault: self.fault.clone(),
        }
    }
}
