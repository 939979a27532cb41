//! The witness at work: told of the end of a key before the store forgets it, and now and then how far the store is.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign_store::{MARK_EVERY, Mark, Store, Transaction, Witness};

use super::{GENERATIONS, Records, RecordsError, holdings::SlimGeneration};
use crate::model::{KeyId, KeyState};

/// A witness beside an open store.
pub(super) struct Attendance {
    witness: Mutex<Witness>,
    /// Its tombstones, once they were asked for, and those that were added since.
    dead: Mutex<Option<BTreeMap<KeyId, KeyState>>>,
    /// For the last word when the store is closed.
    store: Store,
    since_mark: AtomicU64,
    /// Whether it was made just now.
    new: bool,
}

impl Attendance {
    /// Writes in the presence of the witness.
    pub(super) fn attend(
        &self,
        store: &Store,
        transaction: Transaction,
        graves: &[(KeyId, Mark)],
    ) -> Result<(), RecordsError> {
        if graves.is_empty() {
            store.transact(transaction)?;
            if self.since_mark.fetch_add(1, Ordering::Relaxed) + 1 >= MARK_EVERY {
                self.mark_or_complain();
            }
            return Ok(());
        }
        let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, mark) in graves {
            witness.bury(key.as_bytes(), *mark)?;
            if let Some(dead) = &mut *self.dead() {
                inscribe(dead, *key, *mark);
            }
        }
        store.transact(transaction)?;
        // Before this is acknowledged: from here on, no store in which the key lives is taken for this one.
        witness.note(store.transactions()?)?;
        self.since_mark.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// What became of a key, if the witness knows it to be dead.
    fn fate_of(&self, key: KeyId) -> Result<Option<KeyState>, RecordsError> {
        let witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dead = self.dead();
        if dead.is_none() {
            *dead = Some(Testimony::of(&witness)?.dead);
        }
        Ok(dead.as_ref().and_then(|dead| dead.get(&key).copied()))
    }

    fn dead(&self) -> MutexGuard<'_, Option<BTreeMap<KeyId, KeyState>>> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self) -> Result<(), RecordsError> {
        let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        self.since_mark.store(0, Ordering::Relaxed);
        Ok(witness.note(self.store.transactions()?)?)
    }

    /// What was done is done; that the witness did not learn of it is for people to hear.
    fn mark_or_complain(&self) {
        if let Err(error) = self.mark() {
            tracing::error!("the witness of the store could not be told how far it is: {error}");
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.mark_or_complain();
    }
}

impl Records {
    /// Asks the witness at `path` whether this store is as far as it was, and has it attend from now on. One that is
    /// not there is made.
    pub fn witnessed(mut self, path: Option<&Path>) -> Result<Self, RecordsError> {
        let Some(path) = path else {
            return Ok(self);
        };
        let lineage = self.store.lineage()?;
        let found = self.store.transactions()?;
        let new = !Witness::exists(path);
        let mut witness = if new {
            tracing::warn!(
                witness = %path.display(),
                "there was no witness, and one was made: if there should have been one, ask who removed it"
            );
            Witness::create(path, &lineage, found, &self.dead_keys()?)?
        } else {
            Witness::open(path, &lineage)?
        };
        if found < witness.mark() {
            return Err(RecordsError::RolledBack {
                store: self.store.dir().to_owned(),
                witness: path.to_owned(),
                found,
                known: witness.mark(),
            });
        }
        witness.note(found)?;
        self.witness = Some(Attendance {
            witness: Mutex::new(witness),
            dead: Mutex::default(),
            store: self.store.clone(),
            since_mark: AtomicU64::new(0),
            new,
        });
        Ok(self)
    }

    /// Whether the witness was missing and made anew when this store was opened: then it knows nothing of what was
    /// before, and a store that was put back to an older state was not recognised.
    pub fn witness_is_new(&self) -> bool {
        self.witness.as_ref().is_some_and(|witness| witness.new)
    }

    /// What became of a key by the word of the witness: it knows of keys that this store has never had, if the store
    /// was put back to an older state, or restored without them. `None` when it knows of nothing, or there is none.
    pub fn fate_of(&self, key: KeyId) -> Result<Option<KeyState>, RecordsError> {
        match &self.witness {
            Some(witness) => witness.fate_of(key),
            None => Ok(None),
        }
    }

    /// Has the witness know how far the store is now.
    pub(super) fn mark_witness(&self) -> Result<(), RecordsError> {
        self.witness.as_ref().map_or(Ok(()), Attendance::mark)
    }

    /// All keys that were destroyed, or are in other hands, by the records of their generations.
    fn dead_keys(&self) -> Result<Vec<([u8; 32], Mark)>, RecordsError> {
        let mut dead = Vec::new();
        for record in self.store.list(GENERATIONS)? {
            let generation = SlimGeneration::read(&record)?;
            if let Some(mark) = mark_of(generation.key_state) {
                dead.push((*generation.key_id.as_bytes(), mark));
            }
        }
        Ok(dead)
    }
}

/// What the witness is to know of a key in this state.
pub(super) fn mark_of(state: KeyState) -> Option<Mark> {
    match state {
        KeyState::Destroyed => Some(Mark::Destroyed),
        KeyState::Compromised => Some(Mark::Compromised),
        _ => None,
    }
}

/// Of two tombstones of one key, the one that says that it is in other hands counts.
fn inscribe(dead: &mut BTreeMap<KeyId, KeyState>, key: KeyId, mark: Mark) {
    let state = match mark {
        Mark::Destroyed => KeyState::Destroyed,
        Mark::Compromised => KeyState::Compromised,
    };
    let known = dead.entry(key).or_insert(state);
    if state == KeyState::Compromised {
        *known = state;
    }
}

/// What the witness knows of dead keys, and how far it knows the store to have been.
pub(super) struct Testimony {
    pub(super) mark: u64,
    pub(super) dead: BTreeMap<KeyId, KeyState>,
}

impl Testimony {
    pub(super) fn of(witness: &Witness) -> Result<Self, RecordsError> {
        let mut dead = BTreeMap::new();
        witness.tombstones(|key, mark| inscribe(&mut dead, KeyId::from_digest(key), mark))?;
        Ok(Self {
            mark: witness.mark(),
            dead,
        })
    }
}
