//! What can be asked of a view, and of the store as it is now.

use std::ops::{Bound, RangeBounds};

use super::{Snapshot, last_sequence, unparsable};
use crate::error::Result;
use crate::index::key;
use crate::index::{Group, Member, Span, tree};
use crate::store::Store;
use crate::vault::{Entry, Record};

/// What is known of a record without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u64,
}

impl Snapshot<'_> {
    /// The record of this id, if there is one.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), naming the record or a node of the index on the way to it; [`Error::Engine`](crate::Error::Engine).
    pub fn read(&self, collection: &str, id: &str) -> Result<Option<Record>> {
        let found = tree::find(self, self.top()?, &key::record(collection, id))?;
        found.map(|entry| self.record(&entry)).transpose()
    }

    /// Every record of a collection, by ascending id. A collection that was never written is empty.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) when any record, or the index of the collection, is damaged: use
    /// [`survey`](Self::survey) to get at the others. [`Error::Engine`](crate::Error::Engine).
    pub fn list(&self, collection: &str) -> Result<Vec<Record>> {
        self.records(
            &Span::prefixed(key::collection_prefix(collection)),
            usize::MAX,
        )
    }

    /// As [`list`](Self::list), but only the records whose id begins with `id_prefix`; others are not
    /// looked at.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_prefix(&self, collection: &str, id_prefix: &str) -> Result<Vec<Record>> {
        let prefix = key::record(collection, id_prefix);
        self.records(&Span::prefixed(prefix), usize::MAX)
    }

    /// The first `limit` records of a collection whose ids come after `after`, by ascending id.
    ///
    /// # Errors
    /// As [`list`](Self::list), for these records.
    pub fn page(&self, collection: &str, after: Option<&str>, limit: usize) -> Result<Vec<Record>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.range(collection, (from, Bound::Unbounded), limit)
    }

    /// The first `limit` records of a collection whose ids are within `ids`, by ascending id.
    ///
    /// # Errors
    /// As [`list`](Self::list), for these records.
    pub fn range<'i>(
        &self,
        collection: &str,
        ids: impl RangeBounds<&'i str>,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.records(&span_of(collection, &ids), limit)
    }

    /// As [`range`](Self::range), but the records themselves are not read: what it costs does not
    /// depend on what is in them, and damage to them is not found.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), naming a node of the index; [`Error::Engine`](crate::Error::Engine).
    pub fn labels<'i>(
        &self,
        collection: &str,
        ids: impl RangeBounds<&'i str>,
        limit: usize,
    ) -> Result<Vec<Label>> {
        let entries = self.entries(&span_of(collection, &ids), limit)?;
        Ok(entries
            .into_iter()
            .filter_map(|entry| match key::parse(&entry.key)? {
                Member::Record { id, .. } => Some(Label {
                    id,
                    version: entry.number,
                }),
                Member::Entry { .. } => None,
            })
            .collect())
    }

    /// How many records a collection has. None of them is read.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), naming a node of the index; [`Error::Engine`](crate::Error::Engine).
    pub fn count(&self, collection: &str) -> Result<u64> {
        self.count_range(collection, ..)
    }

    /// How many records of a collection have ids within `ids`. None of them is read.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn count_range<'i>(&self, collection: &str, ids: impl RangeBounds<&'i str>) -> Result<u64> {
        let Span { from, to } = span_of(collection, &ids);
        let top = self.top()?;
        let before = match from {
            Bound::Included(key) => tree::rank(self, top, &key)?,
            Bound::Excluded(key) => tree::rank(self, top, &[&key[..], &[0]].concat())?,
            Bound::Unbounded => 0,
        };
        let through = match to {
            Bound::Included(key) => tree::rank(self, top, &[&key[..], &[0]].concat())?,
            Bound::Excluded(key) => tree::rank(self, top, &key)?,
            Bound::Unbounded => top.map_or(0, |top| top.count),
        };
        Ok(through.saturating_sub(before))
    }

    /// Every event of a journal in order. A journal that was never written is empty.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) when any event is damaged, missing or replaced: a history with holes is not
    /// a history. [`Error::Engine`](crate::Error::Engine).
    pub fn journal(&self, stream: &str) -> Result<Vec<Entry>> {
        self.journal_page(stream, 0, usize::MAX)
    }

    /// The first `limit` events of a journal that come after number `after`, in order.
    ///
    /// # Errors
    /// As [`journal`](Self::journal), for these events.
    pub fn journal_page(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Entry>> {
        let span = Span {
            from: Bound::Excluded(key::entry(stream, after)),
            ..Span::prefixed(key::stream_prefix(stream))
        };
        let mut events = Vec::new();
        self.each_value(&span, limit, &mut |entry, opened| {
            let Some(Member::Entry { sequence, .. }) = key::parse(&entry.key) else {
                return Err(unparsable(entry).into());
            };
            events.push(Entry {
                sequence,
                bytes: opened.bytes,
            });
            Ok(())
        })?;
        Ok(events)
    }

    /// The number of the last event of a journal; 0 for one that was never written. No event is read.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), naming a node of the index; [`Error::Engine`](crate::Error::Engine).
    pub fn last_sequence(&self, stream: &str) -> Result<u64> {
        last_sequence(self, self.top()?, stream)
    }

    /// The names of the first `limit` collections that come after `after`, in ascending order.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), naming a node of the index; [`Error::Engine`](crate::Error::Engine).
    pub fn collections(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.groups(Group::Collection, after, limit)
    }

    /// The names of the first `limit` journals that come after `after`, in ascending order.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), naming a node of the index; [`Error::Engine`](crate::Error::Engine).
    pub fn streams(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.groups(Group::Stream, after, limit)
    }

    /// How many transactions this store has seen. It never decreases: a smaller number than one seen
    /// before tells of an older copy of the whole store.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged).
    pub fn transactions(&self) -> Result<u64> {
        Ok(self.root()?.transactions)
    }
}

/// Each of these takes a view for itself.
impl Store {
    /// Asks a view; and another one, when the first was lost on the way to a store that goes on.
    pub(crate) fn view<T>(&self, ask: impl Fn(Snapshot<'_>) -> Result<T>) -> Result<T> {
        loop {
            match self.snapshot().and_then(&ask) {
                Err(error) if error.is_overtaken() => {}
                answer => return answer,
            }
        }
    }

    /// See [`Snapshot::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, collection: &str, id: &str) -> Result<Option<Record>> {
        self.view(|view| view.read(collection, id))
    }

    /// See [`Snapshot::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&self, collection: &str) -> Result<Vec<Record>> {
        self.view(|view| view.list(collection))
    }

    /// See [`Snapshot::list_prefix`].
    ///
    /// # Errors
    /// As there.
    pub fn list_prefix(&self, collection: &str, id_prefix: &str) -> Result<Vec<Record>> {
        self.view(|view| view.list_prefix(collection, id_prefix))
    }

    /// See [`Snapshot::page`].
    ///
    /// # Errors
    /// As there.
    pub fn page(&self, collection: &str, after: Option<&str>, limit: usize) -> Result<Vec<Record>> {
        self.view(|view| view.page(collection, after, limit))
    }

    /// See [`Snapshot::range`].
    ///
    /// # Errors
    /// As there.
    pub fn range<'i>(
        &self,
        collection: &str,
        ids: impl RangeBounds<&'i str>,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.view(|view| view.range(collection, bounds(&ids), limit))
    }

    /// See [`Snapshot::labels`].
    ///
    /// # Errors
    /// As there.
    pub fn labels<'i>(
        &self,
        collection: &str,
        ids: impl RangeBounds<&'i str>,
        limit: usize,
    ) -> Result<Vec<Label>> {
        self.view(|view| view.labels(collection, bounds(&ids), limit))
    }

    /// See [`Snapshot::count`].
    ///
    /// # Errors
    /// As there.
    pub fn count(&self, collection: &str) -> Result<u64> {
        self.view(|view| view.count(collection))
    }

    /// See [`Snapshot::count_range`].
    ///
    /// # Errors
    /// As there.
    pub fn count_range<'i>(&self, collection: &str, ids: impl RangeBounds<&'i str>) -> Result<u64> {
        self.view(|view| view.count_range(collection, bounds(&ids)))
    }

    /// See [`Snapshot::journal`].
    ///
    /// # Errors
    /// As there.
    pub fn journal(&self, stream: &str) -> Result<Vec<Entry>> {
        self.view(|view| view.journal(stream))
    }

    /// See [`Snapshot::journal_page`].
    ///
    /// # Errors
    /// As there.
    pub fn journal_page(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Entry>> {
        self.view(|view| view.journal_page(stream, after, limit))
    }

    /// See [`Snapshot::last_sequence`].
    ///
    /// # Errors
    /// As there.
    pub fn last_sequence(&self, stream: &str) -> Result<u64> {
        self.view(|view| view.last_sequence(stream))
    }

    /// See [`Snapshot::transactions`].
    ///
    /// # Errors
    /// As there.
    pub fn transactions(&self) -> Result<u64> {
        self.view(|view| view.transactions())
    }
}

/// The same bounds once more.
fn bounds<'i>(ids: &impl RangeBounds<&'i str>) -> (Bound<&'i str>, Bound<&'i str>) {
    (ids.start_bound().cloned(), ids.end_bound().cloned())
}

fn span_of<'i>(collection: &str, ids: &impl RangeBounds<&'i str>) -> Span {
    let whole = Span::prefixed(key::collection_prefix(collection));
    let key = |id: &&str| key::record(collection, id);
    Span {
        from: match ids.start_bound() {
            Bound::Unbounded => whole.from,
            bound => bound.map(key),
        },
        to: match ids.end_bound() {
            Bound::Unbounded => whole.to,
            bound => bound.map(key),
        },
    }
}
