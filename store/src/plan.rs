//! From a transaction to the changes that the engine makes in one batch.
//!
//! Conditions are checked here, against what is stored and what the transaction itself has done so
//! far; the first that fails ends the plan and nothing has happened. Nothing is built on damaged
//! bytes: an operation on a damaged record or group is refused, naming it.

use std::collections::BTreeMap;

use crate::engine::Change;
use crate::error::{Damage, Error, Fault, Result};
use crate::store::Inner;
use crate::transaction::{Expect, Operation};
use crate::vault::{Group, ROOT_KEY, Tally};

/// The longest name of a collection, record or journal in bytes.
const NAME_LIMIT: usize = 255;

/// The longest content of a record or event in bytes.
const CONTENT_LIMIT: usize = 16 * 1024 * 1024;

pub(crate) struct Plan<'s> {
    store: &'s Inner,
    values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    groups: BTreeMap<Group, Tally>,
    appends: bool,
}

impl<'s> Plan<'s> {
    pub(crate) fn new(store: &'s Inner) -> Self {
        Self {
            store,
            values: BTreeMap::new(),
            groups: BTreeMap::new(),
            appends: false,
        }
    }

    /// Whether it appends to any journal.
    pub(crate) fn appends(&self) -> bool {
        self.appends
    }

    /// Takes the next operation, or refuses it.
    pub(crate) fn add(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Put {
                collection,
                id,
                bytes,
                expect,
            } => self.write(collection, id, *expect, Some(bytes), None),
            Operation::Load {
                collection,
                id,
                version,
                bytes,
            } => self.write(collection, id, Expect::Absent, Some(bytes), Some(*version)),
            Operation::Delete {
                collection,
                id,
                expect,
            } => self.write(collection, id, *expect, None, None),
            Operation::Append {
                stream,
                expected,
                bytes,
            } => self.append(stream, *expected, bytes),
        }
    }

    /// The changes for the engine: the values, and the summaries and root that account for them.
    ///
    /// `after` is the least number of transactions that there have been.
    pub(crate) fn finish(mut self, after: u64) -> Result<Vec<Change>> {
        if self.values.is_empty() {
            return Ok(Vec::new());
        }
        let vault = &self.store.vault;
        let mut root = vault.open_root(self.store.get(ROOT_KEY)?.as_deref())?;
        root.transactions = root.transactions.max(after) + 1;
        for (group, tally) in std::mem::take(&mut self.groups) {
            let key = vault.summary_key(&group);
            if let Some(old) = self.store.get(&key)? {
                root.summaries.remove(&vault.fingerprint(&key, &old));
            }
            let new = vault.seal_summary(&group, &tally)?;
            root.summaries.add(&vault.fingerprint(&key, &new));
            self.values.insert(key, Some(new));
        }
        self.values
            .insert(ROOT_KEY.to_vec(), Some(vault.seal_root(&root)?));
        Ok(self
            .values
            .into_iter()
            .map(|(key, value)| Change { key, value })
            .collect())
    }

    fn write(
        &mut self,
        collection: &str,
        id: &str,
        expect: Expect,
        bytes: Option<&[u8]>,
        version: Option<u64>,
    ) -> Result<()> {
        check_name(collection)?;
        check_name(id)?;
        check_length(bytes.unwrap_or_default())?;
        let vault = &self.store.vault;
        let key = vault.record_key(collection, id);
        let old = self.current(&key)?;
        let found = old
            .as_deref()
            .map(|old| {
                vault
                    .open_record(collection, &key, old)
                    .map_err(|d| d.of(collection, id))
            })
            .transpose()?
            .map(|record| record.version);
        if !expect.admits(found) {
            let (collection, id) = (collection.to_owned(), id.to_owned());
            return Err(Error::Conflict {
                collection,
                id,
                expected: expect,
                found,
            });
        }
        let version = version.unwrap_or(found.unwrap_or(0) + 1);
        let new = bytes
            .map(|bytes| vault.seal_record(collection, id, version, bytes))
            .transpose()?;
        if old.is_none() && new.is_none() {
            return Ok(());
        }
        let tally = self.tally(Group::Collection(collection.to_owned()))?;
        if let Some(old) = &old {
            tally.remove(&vault.fingerprint(&key, old));
        }
        if let Some(new) = &new {
            tally.add(&vault.fingerprint(&key, new));
        }
        self.values.insert(key, new);
        Ok(())
    }

    fn append(&mut self, stream: &str, expected: Option<u64>, bytes: &[u8]) -> Result<()> {
        check_name(stream)?;
        check_length(bytes)?;
        let vault = &self.store.vault;
        let group = Group::Stream(stream.to_owned());
        let next = self.tally(group.clone())?.count + 1;
        if let Some(expected) = expected.filter(|&expected| expected != next) {
            return Err(Error::JournalConflict {
                stream: stream.to_owned(),
                expected,
                found: next,
            });
        }
        let key = vault.entry_key(stream, next);
        if self.current(&key)?.is_some() {
            return Err(Damage {
                place: group.place(),
                fault: Fault::Replaced,
            }
            .into());
        }
        let value = vault.seal_entry(stream, next, bytes)?;
        self.tally(group)?.add(&vault.fingerprint(&key, &value));
        self.values.insert(key, Some(value));
        self.appends = true;
        Ok(())
    }

    fn current(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.values.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.store.get(key),
        }
    }

    fn tally(&mut self, group: Group) -> Result<&mut Tally> {
        use std::collections::btree_map::Entry;
        Ok(match self.groups.entry(group) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let tally = self.store.tally(entry.key())?;
                entry.insert(tally)
            }
        })
    }
}

fn check_name(name: &str) -> Result<()> {
    if (1..=NAME_LIMIT).contains(&name.len()) {
        Ok(())
    } else {
        Err(Error::NameLength {
            length: name.len(),
            limit: NAME_LIMIT,
        })
    }
}

fn check_length(bytes: &[u8]) -> Result<()> {
    if bytes.len() <= CONTENT_LIMIT {
        Ok(())
    } else {
        Err(Error::TooLarge {
            length: bytes.len(),
            limit: CONTENT_LIMIT,
        })
    }
}
