//! The names of everything that a store holds.

use crate::engine::Stored;
use crate::error::Result;
use crate::store::{Inner, Store};
use crate::vault::{Group, ROOT_KEY, SUMMARY_PREFIX};

/// A collection or a journal; collections come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Collection(String),
    Journal(String),
}

impl Store {
    /// How many transactions this store has seen. Never decreases, not even over a restore.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), [`Error::Engine`](crate::Error::Engine).
    pub fn transactions(&self) -> Result<u64> {
        let root = self.inner.get(ROOT_KEY)?;
        Ok(self.inner.vault.open_root(root.as_deref())?.transactions)
    }
}

impl Inner {
    /// The names of all collections and journals, in order. One that is empty may be among them.
    pub(crate) fn contents(&self) -> Result<Vec<Name>> {
        let mut names = Vec::new();
        for Stored { key, value } in self.scan(SUMMARY_PREFIX)? {
            let (group, _) = self.vault.open_summary(&key, &value)?;
            names.push(match group {
                Group::Collection(name) => Name::Collection(name),
                Group::Stream(name) => Name::Journal(name),
            });
        }
        names.sort_unstable();
        Ok(names)
    }
}
