//! Making and opening the store under the records.

use std::path::{Path, PathBuf};

use countersign_store::{
    CURRENT_FORMAT, EngineKind, InitOptions, Migration, Store, Unlock, Verification,
};
use jiff::Timestamp;

use super::{Records, RecordsError};
use crate::model::audit::{Action, Author};

impl Records {
    /// The format of the stores that are made now.
    pub const FORMAT: u32 = CURRENT_FORMAT;

    /// Refuses a directory that holds a store already.
    pub fn refuse_existing(directory: &Path) -> Result<(), RecordsError> {
        if Store::exists(directory) {
            let path = directory.to_owned();
            return Err(countersign_store::Error::AlreadyExists { path }.into());
        }
        Ok(())
    }

    /// Whether a store lies in a directory. Says nothing of whether it opens.
    pub fn exists(directory: &Path) -> bool {
        Store::exists(directory)
    }

    /// Makes a new store.
    pub fn init(
        directory: &Path,
        unlock: &Unlock,
        engine: EngineKind,
        now: Timestamp,
    ) -> Result<Self, RecordsError> {
        let options = InitOptions {
            engine,
            since: Some(now.as_second()),
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

    /// Brings a store of an older format to the current one, beside it, and puts it in its place; the old one is kept,
    /// where the answer says. With the number of its format.
    pub fn migrate(
        directory: &Path,
        unlock: &Unlock,
        author: &Author,
        at: Timestamp,
    ) -> Result<(u32, Option<PathBuf>), RecordsError> {
        let migration = Migration::begin(directory, unlock)?;
        let from = migration.from();
        let told = Action::StoreMigrated {
            from,
            to: CURRENT_FORMAT,
        };
        Self::new(migration.store().clone()).record(author, at, told)?;
        Ok((from, migration.put_in_place()?.kept))
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
    /// Whether the store is there and sound, as far as that can be seen, and of another version of this program.
    pub fn is_of_another_version(&self) -> bool {
        use countersign_store::Error;
        matches!(
            self,
            Self::Store(Error::NewerFormat { .. } | Error::OlderFormat { .. })
        )
    }

    /// Whether there is nothing to migrate.
    pub fn is_current_already(&self) -> bool {
        matches!(
            self,
            Self::Store(countersign_store::Error::CurrentFormat { .. })
        )
    }

    /// Whether the store is held by another process, or the secret does not open it.
    pub fn is_locked(&self) -> bool {
        use countersign_store::Error;
        self.is_wrong_secret()
            || self.is_about_a_token()
            || matches!(
                self,
                Self::Store(Error::InUse { .. } | Error::Led { .. } | Error::LeadershipLost { .. })
            )
    }

    /// Whether the secret does not open the store.
    pub fn is_wrong_secret(&self) -> bool {
        use countersign_store::Error;
        match self {
            Self::Store(Error::Token(fault)) => fault.is_wrong_secret(),
            other => matches!(other, Self::Store(Error::WrongSecret { .. })),
        }
    }

    /// Whether a person can put it right at a token: the installation is sound, and it may be tried again.
    pub fn is_about_a_token(&self) -> bool {
        use countersign_store::Error;
        matches!(self, Self::Store(Error::Token(fault)) if fault.is_about_the_token())
    }
}
