//! Reading what is there, with the damage beside it rather than in its stead.
//!
//! Where the index is sound it says what there is. Where a node of it is lost, so is the proof that what
//! it listed is the latest; but values carry their names, and those of the lost stretch are looked for
//! among all values of the store.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::engine::Stored;
use crate::error::{Damage, Error, Fault, Place, Result};
use crate::index::tree::{self, Met};
use crate::index::{self, Member, Node, Nodes, Pointer, Span, key};
use crate::snapshot::{CHUNK, Snapshot};
use crate::store::Store;
use crate::vault::{
    CANARY_KEY, NODE_PREFIX, Opened, ROOT_KEY, Record, VALUE_PREFIX, node_key, value_key,
};

/// The readable part of a collection, and what is wrong with the rest.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The records that are authentic, by ascending id. Where a part of the index is damaged, it is
    /// not known that they are the latest, nor that they were not deleted.
    pub records: Vec<Record>,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
}

/// What [`Store::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Authentic records in all collections.
    pub records: u64,
    /// Authentic events in all journals.
    pub entries: u64,
    /// How many transactions this store has seen; never decreases, so a smaller number than one
    /// seen before tells of an older copy of the whole store. Zero when that cannot be read.
    pub transactions: u64,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
}

impl Store {
    /// Every record of a collection that can be read, by ascending id, and all damage in it.
    ///
    /// # Errors
    /// [`Error::Engine`](crate::Error::Engine).
    pub fn survey(&self, collection: &str) -> Result<Survey> {
        self.view(|view| view.survey(collection))
    }

    /// Reads and checks everything where it is stored, and reports all damage rather than the first.
    ///
    /// What it cannot see is the whole store replaced by an older copy of itself while it was closed;
    /// compare [`transactions`](Verification::transactions) with a number kept elsewhere.
    ///
    /// # Errors
    /// [`Error::Engine`](crate::Error::Engine). Damage is not an error here but the answer.
    pub fn verify(&self) -> Result<Verification> {
        self.view(|view| view.distrusting().verify())
    }
}

/// What salvage found under one name: the latest of it, by the transaction that wrote it.
type Salvaged = BTreeMap<Vec<u8>, Opened>;

impl Snapshot<'_> {
    /// Every record of a collection that can be read, by ascending id, and all damage in it.
    ///
    /// # Errors
    /// [`Error::Engine`](crate::Error::Engine).
    pub fn survey(&self, collection: &str) -> Result<Survey> {
        let mut records = BTreeMap::new();
        let damage = self.survey_each(collection, &mut |record| {
            records.insert(record.id.clone(), record);
        })?;
        Ok(Survey {
            records: records.into_values().collect(),
            damage,
        })
    }

    /// The same without keeping what was read: record by record, by ascending id, but that what was found of a stretch
    /// of which the index is damaged comes last. Returns all damage.
    ///
    /// # Errors
    /// [`Error::Engine`](crate::Error::Engine).
    pub fn survey_each(
        &self,
        collection: &str,
        take: &mut dyn FnMut(Record),
    ) -> Result<Vec<Damage>> {
        let span = Span::prefixed(key::collection_prefix(collection));
        let (mut damage, mut lost) = (Vec::new(), Vec::new());
        self.look_through(self, &span, &mut |seen| match seen {
            Seen::Value(opened) => record_of(opened).into_iter().for_each(&mut *take),
            Seen::Damaged(what, _) => damage.push(what),
            Seen::Lost(what, span) => {
                damage.push(what);
                lost.push(span);
            }
        })?;
        if !lost.is_empty() {
            let mut found = Salvaged::new();
            self.each_stored(&mut |key, value| {
                if let Some(opened) = self.is_within(key, value, &lost)
                    && span.contains(&opened.name)
                {
                    keep_latest(&mut found, opened);
                }
            })?;
            let records = found.into_values().filter_map(record_of);
            records.for_each(take);
        }
        Ok(damage)
    }

    fn verify(&self) -> Result<Verification> {
        let mut report = Verification::default();
        let mut lost = Vec::new();
        // Keys that are there and belong there.
        let mut present = 0_u64;
        let counting = Counting {
            view: self,
            nodes: RefCell::default(),
            keys: false,
        };
        match self.root() {
            Ok(root) => report.transactions = root.transactions,
            Err(damage) => report.damage.push(damage),
        }
        let mut before: Option<Member> = None;
        self.look_through(&counting, &Span::ALL, &mut |seen| match seen {
            Seen::Value(opened) => {
                present += 1;
                match key::parse(&opened.name) {
                    Some(member) => {
                        report.damage.extend(gap(before.as_ref(), &member));
                        count(&member, &mut report);
                        before = Some(member);
                    }
                    None => present -= 1,
                }
            }
            Seen::Damaged(damage, is_there) => {
                present += u64::from(is_there);
                before = None;
                report.damage.push(damage);
            }
            Seen::Lost(damage, span) => {
                // The root itself has been named.
                if damage.place != Place::Root {
                    report.damage.push(damage);
                }
                before = None;
                lost.push(span);
            }
        })?;
        let mut stored = 0_u64;
        self.each_stored(&mut |key, _| {
            stored += 1;
            present += u64::from([ROOT_KEY, CANARY_KEY].contains(&key));
        })?;
        present += counting.nodes.into_inner().seen;
        if present != stored || !lost.is_empty() {
            self.name_strays(&lost, &mut report)?;
        }
        Ok(report)
    }

    /// Reports what is stored and belongs to nothing, and counts what is authentic and was out of
    /// reach.
    fn name_strays(&self, lost: &[Span], report: &mut Verification) -> Result<()> {
        let counting = Counting {
            view: self,
            nodes: RefCell::default(),
            keys: true,
        };
        let mut accounted = HashSet::new();
        if let Ok(top) = self.top() {
            tree::walk(&counting, top, &Span::ALL, &mut |met| {
                if let Met::Entry(entry) = met {
                    accounted.insert(value_key(&entry.to.id));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        accounted.extend(counting.nodes.into_inner().keys);
        accounted.extend([ROOT_KEY, CANARY_KEY].map(<[u8]>::to_vec));
        let mut found = Salvaged::new();
        self.each_stored(&mut |key, value| {
            if accounted.contains(key) {
                return;
            }
            if let Some(opened) = self.is_within(key, value, lost) {
                return keep_latest(&mut found, opened);
            }
            // A node of ours, under one that is lost.
            let below = !lost.is_empty()
                && key.starts_with(NODE_PREFIX)
                && self.vault.open_node(key, value).is_ok();
            if !below {
                let key = hex::encode(key);
                report.damage.push(Damage {
                    place: Place::Stray { key },
                    fault: Fault::Unaccounted,
                });
            }
        })?;
        for member in found.keys().filter_map(|name| key::parse(name)) {
            count(&member, report);
        }
        Ok(())
    }

    /// Looks at every value within a span, in order. It ends at nothing but a failure of the engine.
    fn look_through(
        &self,
        nodes: &impl Nodes,
        span: &Span,
        see: &mut dyn FnMut(Seen),
    ) -> Result<()> {
        let top = match self.top() {
            Ok(top) => top,
            Err(damage) => {
                see(Seen::Lost(damage, Span::ALL));
                return Ok(());
            }
        };
        let mut chunk = Vec::with_capacity(CHUNK);
        tree::walk(nodes, top, span, &mut |met| {
            match met {
                Met::Entry(entry) => chunk.push(entry.clone()),
                Met::Lost(damage, span) => {
                    self.see_values(&mut chunk, see)?;
                    see(Seen::Lost(damage, span));
                }
            }
            if chunk.len() == CHUNK {
                self.see_values(&mut chunk, see)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.see_values(&mut chunk, see)
    }

    fn see_values(&self, chunk: &mut Vec<index::Entry>, see: &mut dyn FnMut(Seen)) -> Result<()> {
        for (entry, value) in chunk.iter().zip(self.values(chunk)?) {
            see(match self.open(entry, value.as_deref()) {
                Ok(opened) => Seen::Value(opened),
                Err(damage) => Seen::Damaged(damage, value.is_some()),
            });
        }
        chunk.clear();
        Ok(())
    }

    fn each_stored(&self, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.stored(after.as_deref(), CHUNK)?;
            for Stored { key, value } in &page {
                see(key, value);
            }
            match page.into_iter().next_back() {
                Some(last) => after = Some(last.key),
                None => return Ok(()),
            }
        }
    }

    /// An authentic value of which the index would have to tell in one of these stretches.
    fn is_within(&self, key: &[u8], value: &[u8], lost: &[Span]) -> Option<Opened> {
        let opened = key
            .starts_with(VALUE_PREFIX)
            .then(|| self.vault.open_value(key, value).ok())??;
        lost.iter()
            .any(|span| span.contains(&opened.name))
            .then_some(opened)
    }
}

enum Seen {
    Value(Opened),
    /// A value that is not as it should be, and whether anything is there at all.
    Damaged(Damage, bool),
    Lost(Damage, Span),
}

/// Nodes, and which of them are there.
struct Counting<'v, 's> {
    view: &'v Snapshot<'s>,
    nodes: RefCell<Counted>,
    /// Whether their keys are wanted, and not their number alone.
    keys: bool,
}

#[derive(Default)]
struct Counted {
    seen: u64,
    keys: Vec<Vec<u8>>,
}

impl Nodes for Counting<'_, '_> {
    fn node(&self, to: &Pointer, span: &Span) -> Result<Arc<Node>> {
        let node = self.view.node(to, span);
        let missing =
            matches!(&node, Err(Error::Damaged { damage }) if damage.fault == Fault::Missing);
        if !missing {
            let mut nodes = self.nodes.borrow_mut();
            nodes.seen += 1;
            if self.keys {
                nodes.keys.push(node_key(&to.id));
            }
        }
        node
    }
}

fn record_of(opened: Opened) -> Option<Record> {
    let Some(Member::Record { id, .. }) = key::parse(&opened.name) else {
        return None;
    };
    Some(Record {
        id,
        version: opened.version,
        bytes: opened.bytes,
    })
}

fn keep_latest(found: &mut Salvaged, opened: Opened) {
    match found.get(&opened.name) {
        Some(other) if other.transaction >= opened.transaction => {}
        _ => drop(found.insert(opened.name.clone(), opened)),
    }
}

fn count(member: &Member, report: &mut Verification) {
    match member {
        Member::Record { .. } => report.records += 1,
        Member::Entry { .. } => report.entries += 1,
    }
}

/// Events that the index should tell of between these two, and does not.
fn gap(before: Option<&Member>, next: &Member) -> Option<Damage> {
    let (
        Some(Member::Entry { stream, sequence }),
        Member::Entry {
            stream: s,
            sequence: n,
        },
    ) = (before, next)
    else {
        return None;
    };
    (stream == s && *n != sequence + 1).then(|| Damage {
        place: Place::Entry {
            stream: stream.clone(),
            sequence: sequence + 1,
        },
        fault: Fault::Missing,
    })
}
