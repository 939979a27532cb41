//! Stores of format 1, to be read through once more and carried over.
//!
//! Nothing here writes. What format 1 was is said by what reads it: records under hashed names, each
//! collection and journal with a sealed summary (how many, and the exclusive or of a hash of each),
//! and one of all summaries. So a whole store is checked as far as it was ever checked.

mod header;
mod vault;

use std::path::Path;

use crate::engine::{ENGINE_DIR, EngineKind, Reader, Stored};
use crate::error::{Damage, Error, Fault, Place, Result};
use crate::lock::Lock;
use crate::secret::Unlock;
use crate::vault::{Entry, Record};

use header::Header;
use vault::{CANARY_KEY, GROUP_PREFIX, Group, ROOT_KEY, SUMMARY_PREFIX, Tally, Vault};

pub(crate) use header::FORMAT as FORMAT_1;

const PAGE: usize = 1000;

/// An open store of format 1. It is locked against everybody else for as long as this lives.
pub struct Format1 {
    // The order matters: the engine must be closed before the lock is given up.
    engine: Box<dyn Reader>,
    vault: Vault,
    fail: Box<dyn Fn(crate::EngineError) -> Error + Send + Sync>,
    groups: Vec<(Group, Tally)>,
    transactions: u64,
    kind: EngineKind,
    _lock: Lock,
}

impl Format1 {
    /// Whether the store in `dir` says that it is of format 1.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::HeaderDamaged`], [`Error::Io`].
    pub fn is_there(dir: &Path) -> Result<bool> {
        Ok(header::format_of(dir)? == FORMAT_1)
    }

    /// Opens the store in `dir` for reading.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::WrongSecret`], [`Error::HeaderDamaged`] also for other formats,
    /// [`Error::Damaged`] when the account of what the store contains cannot be trusted;
    /// [`Error::Io`], [`Error::Engine`].
    pub fn open(dir: &Path, unlock: &Unlock) -> Result<Self> {
        Header::read(dir)?;
        let lock = Lock::take(dir)?;
        let (header, master) = Header::read(dir)?.open(dir, unlock)?;
        let kind = header.engine;
        let path = dir.join(ENGINE_DIR);
        let fail = Box::new(move |source| Error::Engine {
            engine: kind,
            path: path.clone(),
            operation: "read",
            source: Box::new(source),
        });
        let engine = kind.open(&dir.join(ENGINE_DIR)).map_err(&fail)?;
        let mut store = Self {
            engine,
            vault: Vault::new(&master, &header.store_id),
            fail,
            groups: Vec::new(),
            transactions: 0,
            kind,
            _lock: lock,
        };
        store.take_stock()?;
        Ok(store)
    }

    /// Reads the summaries, and whether they are those that the root counts.
    fn take_stock(&mut self) -> Result<()> {
        let root = self.vault.open_root(self.get(ROOT_KEY)?.as_deref())?;
        let mut summaries = Tally::default();
        let mut groups = Vec::new();
        self.each(SUMMARY_PREFIX, &mut |Stored { key, value }| {
            summaries.add(&self.vault.fingerprint(&key, &value));
            groups.push(self.vault.open_summary(&key, &value)?);
            Ok(())
        })?;
        if summaries != root.summaries {
            return Err(Damage {
                place: Place::Root,
                fault: Fault::Replaced,
            }
            .into());
        }
        groups.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.groups = groups;
        self.transactions = root.transactions;
        Ok(())
    }

    /// What keeps its records.
    #[must_use]
    pub fn engine(&self) -> EngineKind {
        self.kind
    }

    /// How many transactions the store has seen.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// The names of all collections, in ascending order.
    pub fn collections(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().filter_map(|(group, _)| match group {
            Group::Collection(name) => Some(&**name),
            Group::Stream(_) => None,
        })
    }

    /// The names of all journals, in ascending order.
    pub fn streams(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().filter_map(|(group, _)| match group {
            Group::Collection(_) => None,
            Group::Stream(name) => Some(&**name),
        })
    }

    /// Every record of a collection, by ascending id.
    ///
    /// # Errors
    /// [`Error::Damaged`] when any is damaged, or the whole is not what its summary counts;
    /// [`Error::Engine`].
    pub fn records(&self, collection: &str) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.members(&Group::Collection(collection.to_owned()), &mut |stored| {
            records.push(
                self.vault
                    .open_record(collection, &stored.key, &stored.value)?,
            );
            Ok(())
        })?;
        records.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(records)
    }

    /// Every event of a journal, in order.
    ///
    /// # Errors
    /// As [`records`](Self::records).
    pub fn journal(&self, stream: &str) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.members(&Group::Stream(stream.to_owned()), &mut |stored| {
            // Without gaps, or one of them opens under no number.
            let sequence = entries.len() as u64 + 1;
            entries.push(self.vault.open_entry(stream, sequence, &stored.value)?);
            Ok(())
        })?;
        Ok(entries)
    }

    /// What belongs to no group, by the engine's keys: nothing, in a sound store.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn strays(&self) -> Result<Vec<Damage>> {
        let prefixes: Vec<_> = self
            .groups
            .iter()
            .map(|(group, _)| self.vault.prefix(group))
            .collect();
        let mut strays = Vec::new();
        self.each(b"", &mut |Stored { key, .. }| {
            let accounted_for = key.starts_with(SUMMARY_PREFIX)
                || [ROOT_KEY, CANARY_KEY].contains(&&*key)
                || key
                    .get(..GROUP_PREFIX)
                    .is_some_and(|prefix| prefixes.iter().any(|p| p == prefix));
            if !accounted_for {
                strays.push(Damage {
                    place: Place::Stray {
                        key: hex::encode(key),
                    },
                    fault: Fault::Unaccounted,
                });
            }
            Ok(())
        })?;
        Ok(strays)
    }

    fn members(&self, group: &Group, take: &mut dyn FnMut(&Stored) -> Result<()>) -> Result<()> {
        let expected = self.groups.iter().find(|(other, _)| other == group);
        let mut found = Tally::default();
        self.each(&self.vault.prefix(group), &mut |stored| {
            found.add(&self.vault.fingerprint(&stored.key, &stored.value));
            take(&stored)
        })?;
        if expected.map_or(Tally::default(), |(_, tally)| *tally) != found {
            return Err(Damage {
                place: group.place(),
                fault: Fault::Replaced,
            }
            .into());
        }
        Ok(())
    }

    fn each(&self, prefix: &[u8], take: &mut dyn FnMut(Stored) -> Result<()>) -> Result<()> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self
                .engine
                .page(prefix, after.as_deref(), PAGE)
                .map_err(&self.fail)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.key.clone());
            page.into_iter().try_for_each(&mut *take)?;
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.engine.get(key).map_err(&self.fail)
    }
}

impl std::fmt::Debug for Format1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Format1").finish_non_exhaustive()
    }
}
