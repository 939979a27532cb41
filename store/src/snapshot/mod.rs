//! Reading: a consistent view of the store, in which every answer is known to be the latest.
//!
//! A view begins at the root and believes nothing that the root does not lead to. The root itself is
//! compared with what this process last wrote or read, so that it cannot be put back while the store
//! is open either.

mod reads;

use std::ops::{Bound, ControlFlow};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

pub use reads::Label;

use crate::engine::Reader;
use crate::error::{Damage, Fault, Place, Result};
use crate::index::key::{self, after_prefix};
use crate::index::tree::{self, Met};
use crate::index::{self, Group, Member, Nodes, Pointer, Span, Top};
use crate::store::Inner;
use crate::vault::{Opened, ROOT_KEY, Record, Root, Vault, node_key, nonce_of, value_key};

/// How many values are asked for at once.
pub(crate) const CHUNK: usize = 256;

/// The store as it was at one moment.
///
/// With an engine that can keep an old state (redb), writers are not held up. With one that cannot
/// (sled), they wait until this is dropped; whoever holds it reads through it and not through the
/// store, lest a waiting writer and he wait for each other.
pub struct Snapshot<'s> {
    pub(crate) inner: &'s Inner,
    reads: Reads<'s>,
    pub(crate) vault: Arc<Vault>,
    root: Result<Root, Damage>,
    /// Opened nodes may be taken from memory, and need not be looked at where they are stored.
    trusting: bool,
}

enum Reads<'s> {
    Snapshot(Box<dyn Reader + 's>),
    /// The engine itself, and what keeps writers away from it.
    Engine {
        _gate: Option<RwLockReadGuard<'s, ()>>,
    },
}

/// What keeps writers away while an engine without snapshots is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Reader,
    /// The caller is the writer.
    Writer,
}

impl<'s> Snapshot<'s> {
    pub(crate) fn new(inner: &'s Inner, access: Access) -> Result<Self> {
        // Held until the view is taken: so there is no value in it that the vault has no key for.
        let vault = inner.vault.read().unwrap_or_else(PoisonError::into_inner);
        // Before the view, too: what it shows is at least as new.
        let known = inner.known();
        let reads = match inner.engine.snapshot() {
            Ok(Some(snapshot)) => Reads::Snapshot(snapshot),
            Ok(None) if access == Access::Writer => Reads::Engine { _gate: None },
            Ok(None) => {
                let guard = inner.gate.read().unwrap_or_else(PoisonError::into_inner);
                Reads::Engine { _gate: Some(guard) }
            }
            Err(source) => return Err(inner.failed_to("read", source)),
        };
        let mut view = Self {
            inner,
            reads,
            vault: vault.clone(),
            root: Ok(Root::default()),
            trusting: true,
        };
        drop(vault);
        let value = view.get(ROOT_KEY)?;
        view.root = match known.root {
            Some((nonce, root)) if value.as_deref().and_then(nonce_of) == Some(&nonce) => Ok(root),
            _ => view.vault.open_root(value.as_deref()).and_then(|root| {
                if root.transactions < known.floor {
                    return Err(Damage {
                        place: Place::Root,
                        fault: Fault::Outdated,
                    });
                }
                Ok(root)
            }),
        };
        if let (Ok(root), Some(nonce)) = (&view.root, value.as_deref().and_then(nonce_of)) {
            inner.learn(*nonce, root);
        }
        Ok(view)
    }

    /// As this view, but every node is read where it is stored.
    pub(crate) fn distrusting(mut self) -> Self {
        self.trusting = false;
        self
    }

    pub(crate) fn root(&self) -> Result<&Root, Damage> {
        self.root.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn top(&self) -> Result<Option<&Top>, Damage> {
        Ok(self.root()?.top.as_ref())
    }

    fn reader(&self) -> &dyn Reader {
        match &self.reads {
            Reads::Snapshot(snapshot) => &**snapshot,
            Reads::Engine { .. } => &*self.inner.engine,
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner.reads.fetch_add(1, Ordering::Relaxed);
        self.reader()
            .get(key)
            .map_err(|source| self.inner.failed_to("read", source))
    }

    pub(crate) fn stored(
        &self,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<crate::engine::Stored>> {
        self.reader()
            .page(b"", after, limit)
            .map_err(|source| self.inner.failed_to("read", source))
    }

    /// The values that entries point to, as they are stored.
    pub(crate) fn values(&self, entries: &[index::Entry]) -> Result<Vec<Option<Vec<u8>>>> {
        let keys: Vec<_> = entries.iter().map(|e| value_key(&e.to.id)).collect();
        self.inner
            .reads
            .fetch_add(keys.len() as u64, Ordering::Relaxed);
        self.reader()
            .get_many(&keys)
            .map_err(|source| self.inner.failed_to("read", source))
    }

    /// The value that an entry points to, if what is stored is that value in its latest version.
    pub(crate) fn open(
        &self,
        entry: &index::Entry,
        value: Option<&[u8]>,
    ) -> Result<Opened, Damage> {
        let key = value_key(&entry.to.id);
        let opened = value
            .ok_or(Fault::Missing)
            .and_then(|value| Ok((nonce_of(value), self.vault.open_value(&key, value)?)));
        let fault = match opened {
            Ok((_, opened)) if opened.name != entry.key => Fault::Altered,
            Ok((nonce, opened)) if nonce == Some(&entry.to.nonce) => {
                if opened.version == entry.number {
                    return Ok(opened);
                }
                Fault::Malformed
            }
            // We sealed it and put it there, but it is not what we put there last.
            Ok(_) => Fault::Outdated,
            Err(fault) => fault,
        };
        Err(Damage {
            place: unparsable(entry).place,
            fault,
        })
    }

    pub(crate) fn opened(&self, entry: &index::Entry) -> Result<Opened> {
        let value = self.get(&value_key(&entry.to.id))?;
        Ok(self.open(entry, value.as_deref())?)
    }

    fn record(&self, entry: &index::Entry) -> Result<Record> {
        record(entry, self.opened(entry)?)
    }

    fn records(&self, span: &Span, limit: usize) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.each_value(span, limit, &mut |entry, opened| {
            records.push(record(entry, opened)?);
            Ok(())
        })?;
        Ok(records)
    }

    pub(crate) fn entries(&self, span: &Span, limit: usize) -> Result<Vec<index::Entry>> {
        let mut entries = Vec::new();
        if limit == 0 {
            return Ok(entries);
        }
        tree::walk(self, self.top()?, span, &mut |met| match met {
            Met::Lost(damage, _) => Err(damage.into()),
            Met::Entry(entry) => {
                entries.push(entry.clone());
                Ok(if entries.len() == limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            }
        })?;
        Ok(entries)
    }

    /// Reads the first `limit` values within a span; ends at the first that is damaged.
    fn each_value(
        &self,
        span: &Span,
        limit: usize,
        take: &mut dyn FnMut(&index::Entry, Opened) -> Result<()>,
    ) -> Result<()> {
        let (mut span, mut left) = (span.clone(), limit);
        loop {
            let wanted = left.min(CHUNK);
            let entries = self.entries(&span, wanted)?;
            for (entry, value) in entries.iter().zip(self.values(&entries)?) {
                take(entry, self.open(entry, value.as_deref())?)?;
            }
            left -= entries.len();
            match entries.last() {
                Some(last) if entries.len() == wanted && left > 0 => {
                    span.from = Bound::Excluded(last.key.clone());
                }
                _ => return Ok(()),
            }
        }
    }

    fn groups(
        &self,
        of_name: fn(String) -> Group,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let mut span = Span::prefixed(key::kind_of(&of_name(String::new())).to_vec());
        if let Some(after) = after {
            let prefix = key::group_prefix(&of_name(after.to_owned()));
            span.from = Bound::Included(after_prefix(&prefix));
        }
        let mut names = Vec::new();
        while names.len() < limit {
            let Some(first) = self.entries(&span, 1)?.pop() else {
                break;
            };
            let member = key::parse(&first.key).ok_or_else(|| unparsable(&first))?;
            let group = member.group();
            span.from = Bound::Included(after_prefix(&key::group_prefix(&group)));
            let (Group::Collection(name) | Group::Stream(name)) = group;
            names.push(name);
        }
        Ok(names)
    }
}

impl Nodes for Snapshot<'_> {
    fn node(&self, to: &Pointer, span: &Span) -> Result<Arc<index::Node>> {
        if self.trusting
            && let Some(node) = self.inner.cache.get(&to.nonce)
        {
            return Ok(node);
        }
        let key = node_key(&to.id);
        let opened = self.get(&key)?.ok_or(Fault::Missing).and_then(|value| {
            let node = self.vault.open_node(&key, &value)?;
            if nonce_of(&value) == Some(&to.nonce) {
                Ok(node)
            } else {
                Err(Fault::Outdated)
            }
        });
        let node = opened.map(Arc::new).map_err(|fault| Damage {
            place: Place::Node {
                key: hex::encode(&key),
                from: neighbour(&span.from),
                to: neighbour(&span.to),
            },
            fault,
        })?;
        if self.trusting {
            self.inner.cache.keep(to.nonce, node.clone());
        }
        Ok(node)
    }
}

impl std::fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// The number of the last event of a journal, 0 for none.
pub(crate) fn last_sequence(nodes: &impl Nodes, top: Option<&Top>, stream: &str) -> Result<u64> {
    let span = Span::prefixed(key::stream_prefix(stream));
    let Some(last) = tree::last(nodes, top, &span)? else {
        return Ok(0);
    };
    match key::parse(&last.key) {
        Some(Member::Entry { sequence, .. }) => Ok(sequence),
        _ => Err(unparsable(&last).into()),
    }
}

pub(crate) fn record(entry: &index::Entry, opened: Opened) -> Result<Record> {
    match key::parse(&entry.key) {
        Some(Member::Record { id, .. }) => Ok(Record {
            id,
            version: opened.version,
            bytes: opened.bytes,
        }),
        _ => Err(unparsable(entry).into()),
    }
}

/// Where an entry points to, by its name if that can be read.
fn unparsable(entry: &index::Entry) -> Damage {
    let place = key::parse(&entry.key).map_or_else(
        || Place::Stray {
            key: hex::encode(value_key(&entry.to.id)),
        },
        Member::place,
    );
    Damage {
        place,
        fault: Fault::Malformed,
    }
}

/// A bound of a stretch, for people: bounds need not be whole keys.
fn neighbour(bound: &Bound<Vec<u8>>) -> Option<Box<Place>> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => key::parse_beginning(key).map(Box::new),
        Bound::Unbounded => None,
    }
}
