//! Making and opening the store under the records.

use std::path::Path;

use countersign_store::{EngineKind, InitOptions, Store, Unlock, Verification};

use super::{Records, RecordsError};

impl Records {
    /// Refuses a directory that holds a store already.
    pub fn refuse_existing(directory: &Path) -> Result<(), RecordsError> {
        if Store::exists(directory) {
            let path = directory.to_owned();
            return Err(countersign_store::Error::AlreadyExists { path }.into());
        }
        Ok(())
    }

    /// Makes a new store.
    pub fn init(
        directory: &Path,
        unlock: &Unlock,
        engine: EngineKind,
    ) -> Result<Self, RecordsError> {
        let options = InitOptions {
            engine,
            ..InitOptions::default()
        };
        Self::over(Store::init(directory, unlock, &options)?)
    }

    /// Opens a store.
    pub fn open(directory: &Path, unlock: &Unlock) -> Result<Self, RecordsError> {
        Self::over(Store::open(directory, unlock)?)
    }

    pub(super) fn over(store: Store) -> Result<Self, RecordsError> {
        let records = Self::new(store);
        records.ensure_outlook()?;
        Ok(records)
    }

    /// What opens the store in a directory, by its header alone: one phrase for each slot.
    pub fn openers(directory: &Path) -> Result<Vec<String>, RecordsError> {
        let slots = Store::slots_in(directory)?;
        Ok(slots
            .iter()
            .map(|slot| format!("the {} of slot {}", slot.kind, slot.id))
            .collect())
    }

    /// Reads everything, and says what is damaged.
    pub fn verify(&self) -> Result<Verification, RecordsError> {
        Ok(self.store().verify()?)
    }

    /// What the records are kept with.
    pub fn engine(&self) -> EngineKind {
        self.store().engine()
    }
}

impl RecordsError {
    /// Whether the store is held by another process, or the secret does not open it.
    pub fn is_locked(&self) -> bool {
        use countersign_store::Error;
        self.is_wrong_secret() || matches!(self, Self::Store(Error::InUse { .. }))
    }

    /// Whether the secret does not open the store.
    pub fn is_wrong_secret(&self) -> bool {
        use countersign_store::Error;
        matches!(self, Self::Store(Error::WrongSecret { .. }))
    }
}
