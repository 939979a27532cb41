//! The audit log: appended in the transaction of what it tells of, or that transaction does not take place.
//!
//! The journal of the store guards each entry's place and content against who has the files. The chain
//! and the signatures are for who has nothing but an export: each entry holds the digest of the bytes of
//! the one before, and now and then a checkpoint signs everything so far with a key of the log's own.
//!
//! An append costs the same however long the log is: where it ends is kept in a record beside it.

mod chain;
mod head;
mod reading;
mod state;
#[cfg(test)]
mod tests;

pub use chain::{Chain, ChainFault};
pub use head::{Head, LogKey, NoHead, SignedHead};
pub use reading::LogLine;

use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_store::{Mark, Transaction};
use jiff::Timestamp;

use self::state::State;
use super::{Batch, Records, RecordsError};
use crate::model::{
    KeyId,
    audit::{Action, Author, Digest},
};

/// The journal.
const STREAM: &str = "audit";

/// Something that is told with what is told next.
struct Told {
    author: Author,
    at: Timestamp,
    action: Action,
}

/// Where the log ends, as far as this process knows.
#[derive(Default)]
pub(super) struct Log {
    /// `None` until it is first needed, and after a failure: then it is read again.
    state: Mutex<Option<State>>,
    waiting: Mutex<Vec<Told>>,
}

impl Log {
    fn state(&self) -> MutexGuard<'_, Option<State>> {
        // It is taken out before anything can fail, so a panic has not harmed it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Told>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    /// Writes a batch, and what it tells: all of it, durably, or nothing.
    pub fn commit(&self, author: &Author, at: Timestamp, batch: Batch) -> Result<(), RecordsError> {
        let (transaction, graves, told) = self.with_outlook(batch)?.into_parts();
        if told.is_empty() {
            return self.transact(transaction, &graves);
        }
        self.append(author, at, transaction, &graves, told)
            .map(drop)
    }

    /// Tells of something that changes nothing else in the store. Its number in the log.
    pub fn record(
        &self,
        author: &Author,
        at: Timestamp,
        action: Action,
    ) -> Result<u64, RecordsError> {
        self.append(author, at, Transaction::new(), &[], vec![action])
    }

    /// Tells of something together with whatever is told next: for what matters only if something follows.
    pub fn record_with_next(&self, author: &Author, at: Timestamp, action: Action) {
        self.log.waiting().push(Told {
            author: author.clone(),
            at,
            action,
        });
    }

    /// Signs everything so far, if what is not signed yet has waited long enough.
    pub fn sign_log_when_due(&self, author: &Author, now: Timestamp) -> Result<(), RecordsError> {
        let due = State::known(&mut self.log.state(), self)?.is_some_and(|state| state.is_due(now));
        if due {
            self.append(author, now, Transaction::new(), &[], Vec::new())?;
        }
        Ok(())
    }

    /// Where the log ends now, signed, and how many entries that are; `None` when nothing was ever told.
    pub fn signed_head(&self, now: Timestamp) -> Result<Option<(SignedHead, u64)>, RecordsError> {
        let mut guard = self.log.state();
        let Some(state) = State::known(&mut guard, self)? else {
            return Ok(None);
        };
        Ok(Some((state.sign(now)?, state.entries())))
    }

    /// The digest of the configuration that was last told to be in force.
    pub fn told_configuration(&self) -> Result<Option<Digest>, RecordsError> {
        let mut guard = self.log.state();
        let state = State::known(&mut guard, self)?;
        Ok(state.and_then(State::configuration))
    }

    /// The number of the first of `told`.
    fn append(
        &self,
        author: &Author,
        now: Timestamp,
        mut transaction: Transaction,
        graves: &[(KeyId, Mark)],
        told: Vec<Action>,
    ) -> Result<u64, RecordsError> {
        let mut guard = self.log.state();
        State::known(&mut guard, self)?;
        // Taken out until it is written: whatever happens on the way, the next one reads the store again.
        let mut state = match guard.take() {
            Some(state) => state,
            None => State::begin(&mut transaction, author, now)?,
        };
        let mut waiting = self.log.waiting();
        for Told { author, at, action } in waiting.iter() {
            state.tell(&mut transaction, author, *at, action.clone());
        }
        let number = state.entries() + 1;
        for action in told {
            state.tell(&mut transaction, author, now, action);
        }
        state.sign_when_due(&mut transaction, author, now)?;
        state.end(&mut transaction);
        self.transact(transaction, graves)?;
        waiting.clear();
        *guard = Some(state.written());
        Ok(number)
    }
}
