//! Whether this process still leads a store that it shares; free to ask, and asked before anything is done
//! to the world outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::lease::{Ended, Moment, Term};

/// Whether the store that was opened is still ours. Clones ask the same thing.
#[derive(Debug, Clone)]
pub struct Leadership {
    term: Arc<Mutex<Term>>,
    epoch: u64,
}

// Made and told by the engine for PostgreSQL alone.
#[cfg_attr(not(feature = "postgres"), allow(dead_code))]
impl Leadership {
    pub(crate) fn new(term: Term, epoch: u64) -> Self {
        Self {
            term: Arc::new(Mutex::new(term)),
            epoch,
        }
    }

    pub(crate) fn renewed(&self, sent: Moment) {
        self.with(|term| term.renewed(sent, now()));
    }

    pub(crate) fn end(&self, why: Ended) {
        self.with(|term| term.end(why));
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Term) -> T) -> T {
        ask(&mut self.term.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Leadership {
    /// The number of this term.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether we lead at this moment. Asks nobody: the answer errs on the side of no.
    ///
    /// # Errors
    /// [`Ended`], from the first time that it is found, for ever.
    pub fn standing(&self) -> Result<(), Ended> {
        self.term
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .standing(now())
    }
}

/// The time since the machine was started, its sleep included.
pub(crate) fn now() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Moment(Duration::try_from(time).unwrap_or_default())
}
