//! What is seen in use, as opposed to what was asked for: open connections, handshakes and requests.
//!
//! "Swapped is not used": a new identity counts as used when a *full* handshake has completed in which the server
//! asked for the certificate. The old one is gone when its last connection is closed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Fingerprint;
use crate::reload::Generation;

/// The longest fault text that is kept, in bytes: it may quote a peer.
const MAX_FAULT: usize = 512;

/// Counts of one generation.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    open: AtomicUsize,
    handshakes: AtomicU64,
}

impl Usage {
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn handshakes(&self) -> u64 {
        self.handshakes.load(Ordering::Acquire)
    }
}

/// Counts over all generations of one channel, and the news that are worth a report.
#[derive(Debug)]
pub(crate) struct Ledger {
    current: watch::Receiver<Option<Arc<Generation>>>,
    news: watch::Sender<u64>,
    open: AtomicUsize,
    requests: AtomicU64,
    failed: AtomicU64,
    faults: Mutex<Faults>,
    in_use: Mutex<Option<Fingerprint>>,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The last bundle that was refused, until a good one comes.
    pub(crate) bundle: Option<String>,
    /// Why no bundle can come at present.
    pub(crate) source: Option<String>,
}

impl Ledger {
    pub(crate) fn new(current: watch::Receiver<Option<Arc<Generation>>>) -> Self {
        Self {
            current,
            news: watch::Sender::new(0),
            open: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            faults: Mutex::default(),
            in_use: Mutex::default(),
        }
    }

    pub(crate) fn current(&self) -> Option<Arc<Generation>> {
        self.current.borrow().clone()
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn in_use(&self) -> Option<Fingerprint> {
        *lock(&self.in_use)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// Changes the faults, and says whether they differ from before: that is news.
    pub(crate) fn note_faults(&self, bundle: Option<&str>, source: Option<&str>) -> bool {
        let (bundle, source) = (bundle.map(shown), source.map(shown));
        let mut faults = self.faults();
        let differs = faults.bundle != bundle || faults.source != source;
        *faults = Faults { bundle, source };
        drop(faults);
        if differs {
            self.tell();
        }
        differs
    }

    /// Wakes whoever reports.
    pub(crate) fn tell(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(crate) fn handshake_completed(&self, generation: &Generation) {
        *lock(&self.in_use) = Some(generation.fingerprint());
        if generation.usage().handshakes.fetch_add(1, Ordering::AcqRel) == 0 {
            self.tell();
        }
    }

    fn open_previous(&self) -> usize {
        let current = self
            .current()
            .map_or(0, |generation| generation.usage().open());
        self.open().saturating_sub(current)
    }
}

#[cfg(feature = "hyper")]
impl Ledger {
    pub(crate) fn request_started(&self) {
        self.requests.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn request_failed(&self) {
        self.failed.fetch_add(1, Ordering::AcqRel);
    }
}

/// An open connection; dropping it says that the socket is closed.
#[derive(Debug)]
pub(crate) struct Open {
    generation: Arc<Generation>,
    ledger: Arc<Ledger>,
}

impl Open {
    pub(crate) fn new(generation: Arc<Generation>, ledger: Arc<Ledger>) -> Self {
        generation.usage().open.fetch_add(1, Ordering::AcqRel);
        ledger.open.fetch_add(1, Ordering::AcqRel);
        Self { generation, ledger }
    }

    pub(crate) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.generation.usage().open.fetch_sub(1, Ordering::AcqRel);
        self.ledger.open.fetch_sub(1, Ordering::AcqRel);
        let superseded = self
            .ledger
            .current()
            .is_none_or(|current| current.serial() != self.generation.serial());
        if superseded && self.ledger.open_previous() == 0 {
            self.ledger.tell();
        }
    }
}

/// Nothing that runs under these locks can panic half-way, so a poisoned one still guards a whole value.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A fault as one bounded line without control characters: it may quote a file or a peer.
fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_FAULT));
    for character in text.chars() {
        if line.len() >= MAX_FAULT {
            line.push('…');
            break;
        }
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
