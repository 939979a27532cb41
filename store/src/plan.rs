//! From a transaction to the changes that the engine makes in one batch.
//!
//! Conditions are checked here, against what is stored and what the transaction itself has done so
//! far; the first that fails ends the plan and nothing has happened. Nothing is built on damaged
//! bytes: an operation on a damaged record, or under a damaged node of the index, is refused, naming it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::crypto::Nonce;
use crate::engine::Change;
use crate::error::{Error, Result};
use crate::index::edit::Edited;
use crate::index::{Edit, Entry, Id, Node, Pointer, key, tree};
use crate::snapshot::{Snapshot, last_sequence};
use crate::transaction::{Expect, Operation};
use crate::vault::{Opened, ROOT_KEY, Root, node_key, value_key};

/// The longest name of a collection, record or journal in bytes.
const NAME_LIMIT: usize = 255;

/// From how many operations on a transaction is a crowd.
pub(crate) const CROWD: usize = 1_000;

/// The longest content of a record or event in bytes.
const CONTENT_LIMIT: usize = 16 * 1024 * 1024;

pub(crate) struct Plan<'s> {
    edit: Edit<Snapshot<'s>>,
    /// As it will be, but for the index.
    root: Root,
    values: HashMap<Id, Option<Vec<u8>>>,
}

/// What there is to do, and what will be known when it is done.
pub(crate) struct Planned {
    pub(crate) changes: Vec<Change>,
    pub(crate) nonce: Nonce,
    pub(crate) root: Root,
    pub(crate) nodes: Vec<(Nonce, Arc<Node>)>,
}

impl<'s> Plan<'s> {
    pub(crate) fn new(view: Snapshot<'s>) -> Result<Self> {
        Self::after(view, 0)
    }

    /// The same; `transactions` is the least number of them that there have been.
    pub(crate) fn after(view: Snapshot<'s>, transactions: u64) -> Result<Self> {
        let mut root = view.root()?.clone();
        root.transactions = root.transactions.max(transactions) + 1;
        let top = root.top;
        Ok(Self {
            edit: Edit::new(view, top),
            root,
            values: HashMap::new(),
        })
    }

    /// Told how much there is to add. Many values get names that lie side by side in the engine, which then writes
    /// few pages; that tells a thief which values came in a crowd, and so nothing of any of them. What few values
    /// would tell, namely that they belong together, is not told.
    pub(crate) fn expect(&mut self, operations: usize) {
        if operations >= CROWD {
            self.edit.name_alike();
        }
    }

    /// The store as it was before.
    pub(crate) fn view(&self) -> &Snapshot<'s> {
        self.edit.source()
    }

    pub(crate) fn root_mut(&mut self) -> &mut Root {
        &mut self.root
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

    /// The changes for the engine, if there are any: the values, the nodes of the index above them,
    /// and the root.
    pub(crate) fn finish(self) -> Result<Option<Planned>> {
        if self.values.is_empty() {
            return Ok(None);
        }
        self.finish_regardless().map(Some)
    }

    /// The same when only the root changes.
    pub(crate) fn finish_regardless(self) -> Result<Planned> {
        let vault = self.view().vault.clone();
        let Self {
            edit,
            mut root,
            values,
            ..
        } = self;
        let Edited { top, sealed, gone } = edit.seal(&mut |id, node| vault.seal_node(id, node))?;
        root.top = top;
        let mut changes: Vec<_> = values
            .into_iter()
            .map(|(id, value)| (value_key(&id), value))
            .collect();
        changes.extend(gone.iter().map(|id| (node_key(id), None)));
        let mut nodes = Vec::with_capacity(sealed.len());
        for (to, node, bytes) in sealed {
            changes.push((node_key(&to.id), Some(bytes)));
            nodes.push((to.nonce, Arc::new(node)));
        }
        let (nonce, sealed_root) = vault.seal_root(&root)?;
        changes.push((ROOT_KEY.to_vec(), Some(sealed_root)));
        // Engines are trees themselves, and like to be asked in order.
        changes.sort_unstable();
        Ok(Planned {
            changes: changes
                .into_iter()
                .map(|(key, value)| Change { key, value })
                .collect(),
            nonce,
            root,
            nodes,
        })
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
        let name = key::record(collection, id);
        let old = tree::find(&self.edit, self.edit.top(), &name)?;
        if let Some(old) = old
            .as_ref()
            .filter(|old| !self.values.contains_key(&old.to.id))
        {
            self.view().opened(old)?;
        }
        let found = old.as_ref().map(|old| old.number);
        if !expect.admits(found) {
            let (collection, id) = (collection.to_owned(), id.to_owned());
            return Err(Error::Conflict {
                collection,
                id,
                expected: expect,
                found,
            });
        }
        match (bytes, old) {
            (None, None) => Ok(()),
            (None, Some(old)) => {
                self.values.insert(old.to.id, None);
                self.edit.remove(&name)
            }
            (Some(bytes), old) => {
                let id = match old {
                    Some(old) => old.to.id,
                    None => self.edit.new_id()?,
                };
                let next = version.unwrap_or(found.unwrap_or(0) + 1);
                self.put(id, name, next, bytes)
            }
        }
    }

    fn append(&mut self, stream: &str, expected: Option<u64>, bytes: &[u8]) -> Result<()> {
        check_name(stream)?;
        check_length(bytes)?;
        let next = last_sequence(&self.edit, self.edit.top(), stream)? + 1;
        if let Some(expected) = expected.filter(|&expected| expected != next) {
            return Err(Error::JournalConflict {
                stream: stream.to_owned(),
                expected,
                found: next,
            });
        }
        let id = self.edit.new_id()?;
        self.put(id, key::entry(stream, next), 1, bytes)
    }

    /// Seals the value of an entry anew, under the newest master key.
    pub(crate) fn reseal(&mut self, entry: &Entry, opened: &Opened) -> Result<()> {
        self.put(entry.to.id, entry.key.clone(), entry.number, &opened.bytes)
    }

    fn put(&mut self, id: Id, name: Vec<u8>, version: u64, bytes: &[u8]) -> Result<()> {
        let transaction = self.root.transactions;
        let (nonce, value) =
            self.view()
                .vault
                .seal_value(&id, &name, version, transaction, bytes)?;
        self.values.insert(id, Some(value));
        self.edit.set(Entry {
            key: name,
            to: Pointer { id, nonce },
            number: version,
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
