//! From an older format to the current one.
//!
//! Never in place, and never by opening alone: the keys in a store cannot be made again, so a person says when. The
//! new store is filled beside the old one, read through and compared with it, and exchanged with it in one step; the
//! old one is kept until somebody removes it. Killed at any moment, there is a whole store at the path, and the same
//! command goes on.

use std::path::{Path, PathBuf};

use crate::backup::Item;
use crate::error::{Error, Result};
use crate::format1::{FORMAT_1, Format1};
use crate::load::Loader;
use crate::replace::{Replaced, replace_store, room_beside};
use crate::secret::Unlock;
use crate::store::{InitOptions, Store};
use crate::transaction::Transaction;

/// A store in the current format that is whole, and not yet in the place of the old one.
pub struct Migration {
    store: Store,
    // Held until the exchange, so that nobody changes what was copied.
    old: Format1,
    path: PathBuf,
    room: PathBuf,
}

impl Migration {
    /// Copies the store in `path` into the current format, beside it. What opened the old one opens the new one.
    ///
    /// # Errors
    /// [`Error::CurrentFormat`] when there is nothing to be done; [`Error::NewerFormat`], with nothing touched;
    /// [`Error::InUse`], [`Error::WrongSecret`], [`Error::Damaged`] when anything in the old store is;
    /// [`Error::Io`], [`Error::Engine`].
    pub fn begin(path: &Path, unlock: &Unlock) -> Result<Self> {
        if !Format1::is_there(path)? {
            // It may be one that this version does not know, and has to say so itself.
            Store::slots_in(path)?;
            return Err(Error::CurrentFormat {
                path: path.to_owned(),
            });
        }
        let old = Format1::open(path, unlock)?;
        if let Some(stray) = old.strays()?.into_iter().next() {
            return Err(stray.into());
        }
        let room = room_beside(path)?;
        let options = InitOptions {
            engine: old.engine(),
            ..InitOptions::default()
        };
        let mut loader = Loader::begin(&room, unlock, &options, old.transactions())?;
        let (mut records, mut entries) = (0, 0);
        for collection in old.collections() {
            for record in old.records(collection)? {
                records += 1;
                let collection = collection.to_owned();
                loader.add(Item::Record { collection, record })?;
            }
        }
        for stream in old.streams() {
            for entry in old.journal(stream)? {
                entries += 1;
                let stream = stream.to_owned();
                loader.add(Item::Entry { stream, entry })?;
            }
        }
        let migration = Self {
            store: loader.finish(Transaction::new())?,
            old,
            path: path.to_owned(),
            room,
        };
        migration.compare(records, entries)?;
        Ok(migration)
    }

    /// Reads the new store through, and holds it against the old one.
    fn compare(&self, records: u64, entries: u64) -> Result<()> {
        let found = self.store.verify()?;
        if let Some(damage) = found.damage.into_iter().next() {
            return Err(damage.into());
        }
        let differs = || Error::Canary {
            path: self.room.clone(),
        };
        if (found.records, found.entries) != (records, entries) {
            return Err(differs());
        }
        for collection in self.old.collections() {
            if self.old.records(collection)? != self.store.list(collection)? {
                return Err(differs());
            }
        }
        for stream in self.old.streams() {
            if self.old.journal(stream)? != self.store.journal(stream)? {
                return Err(differs());
            }
        }
        Ok(())
    }

    /// The format that it was in.
    #[must_use]
    pub fn from(&self) -> u32 {
        FORMAT_1
    }

    /// The new store, for a last word before it is put in place. No clone of it may be kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Puts the new store in the place of the old one, which is kept.
    ///
    /// # Errors
    /// [`Error::InUse`] when somebody still has the new one open, or took the old one in the last moment;
    /// [`Error::Io`].
    pub fn put_in_place(self) -> Result<Replaced> {
        let Self {
            store,
            old,
            path,
            room,
        } = self;
        drop((store, old));
        replace_store(&path, &room)
    }
}

impl std::fmt::Debug for Migration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migration")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
