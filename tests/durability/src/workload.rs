//! What the store is busy with: a fixed row of transactions, and what must be there after each.
//!
//! Everything follows from the number of the transaction, so that who judges a store that was cut
//! off needs nothing but the number of the last acknowledged one.

use std::collections::{BTreeMap, BTreeSet};

use countersign_store::{Expect, Store, Transaction};

/// The collections that it writes to.
pub(crate) const COLLECTIONS: [&str; 4] = ["identities", "keys", "letters", CROWD];
/// The collection of a crowd, which comes in one transaction and goes in another.
const CROWD: &str = "crowd";
/// So many changes in one transaction are written side by side in the store.
const MANY: u16 = 1_000;
/// Its length is the number of transactions that happened.
const ORDER: &str = "order";
/// The journals that it writes to.
pub(crate) const STREAMS: [&str; 3] = [ORDER, "rotation/a", "rotation/b"];

/// One operation of a transaction.
enum Action {
    Put(&'static str, String, Vec<u8>),
    Delete(&'static str, String),
    Append(&'static str, Vec<u8>),
}

/// Everything that a store holds, in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    records: BTreeMap<(&'static str, String), Vec<u8>>,
    journals: BTreeMap<&'static str, Vec<Vec<u8>>>,
}

impl Contents {
    /// What the first `count` transactions leave behind.
    pub fn after(count: u64) -> Self {
        let mut contents = Self::default();
        for number in 1..=count {
            contents.apply(number);
        }
        contents
    }

    /// Does transaction `number`.
    pub fn apply(&mut self, number: u64) {
        for action in actions(number) {
            match action {
                Action::Put(collection, id, bytes) => {
                    self.records.insert((collection, id), bytes);
                }
                Action::Delete(collection, id) => {
                    self.records.remove(&(collection, id));
                }
                Action::Append(stream, bytes) => {
                    self.journals.entry(stream).or_default().push(bytes);
                }
            }
        }
    }

    /// Reads everything that is in a store under the names of this workload.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read(store: &Store) -> countersign_store::Result<Self> {
        let mut contents = Self::default();
        for collection in COLLECTIONS {
            for record in store.list(collection)? {
                let bytes = record.bytes.to_vec();
                contents.records.insert((collection, record.id), bytes);
            }
        }
        for stream in STREAMS {
            let events: Vec<_> = store
                .journal(stream)?
                .into_iter()
                .map(|entry| entry.bytes.to_vec())
                .collect();
            if !events.is_empty() {
                contents.journals.insert(stream, events);
            }
        }
        Ok(contents)
    }

    /// What can be read of a damaged store.
    ///
    /// # Errors
    /// Those of the store, other than damage.
    pub fn salvage(store: &Store) -> countersign_store::Result<Self> {
        let mut contents = Self::default();
        for collection in COLLECTIONS {
            for record in store.survey(collection)?.records {
                let bytes = record.bytes.to_vec();
                contents.records.insert((collection, record.id), bytes);
            }
        }
        Ok(contents)
    }

    /// How many transactions this is the result of, by its own account.
    pub fn transactions(&self) -> u64 {
        self.journals
            .get(ORDER)
            .map_or(0, |events| events.len() as u64)
    }

    /// How many records and events there are.
    pub fn counts(&self) -> (u64, u64) {
        let events = self.journals.values().map(Vec::len).sum::<usize>();
        (self.records.len() as u64, events as u64)
    }

    /// Whether everything here was once written there by the first `count` transactions: what
    /// is missing, or older, is not wrong; what was never written is.
    pub fn is_made_of_what_was_written(&self, count: u64) -> bool {
        let mut written = BTreeSet::new();
        let mut noted = BTreeSet::new();
        for action in (1..=count).flat_map(actions) {
            match action {
                Action::Put(collection, id, bytes) => drop(written.insert((collection, id, bytes))),
                Action::Append(stream, bytes) => drop(noted.insert((stream, bytes))),
                Action::Delete(..) => {}
            }
        }
        self.records.iter().all(|((collection, id), bytes)| {
            written.contains(&(*collection, id.clone(), bytes.clone()))
        }) && self.journals.iter().all(|(stream, events)| {
            events
                .iter()
                .all(|bytes| noted.contains(&(*stream, bytes.clone())))
        })
    }
}

/// Does transaction `number` on a store; it is durable when this returns.
///
/// # Errors
/// Those of the store.
pub fn transact(store: &Store, number: u64) -> countersign_store::Result<()> {
    let mut transaction = Transaction::new();
    for action in actions(number) {
        match action {
            Action::Put(collection, id, bytes) => {
                transaction.put(collection, &id, bytes, Expect::Any);
            }
            Action::Delete(collection, id) => {
                transaction.delete(collection, &id, Expect::Any);
            }
            Action::Append(stream, bytes) => {
                transaction.append(stream, bytes);
            }
        }
    }
    store.transact(transaction)
}

/// Transaction `number`: each notes itself; most write a record or two, some remove one, a few are
/// as large as a letter with attachments; and three have as many changes as the store writes side by side.
fn actions(number: u64) -> Vec<Action> {
    let mut random = fastrand::Rng::with_seed(number);
    let mut actions = vec![Action::Append(ORDER, number.to_be_bytes().to_vec())];
    for _ in 0..random.usize(1..=3) {
        let collection = COLLECTIONS[random.usize(..3)];
        let id = format!("{collection}/{}", random.u8(..24));
        actions.push(if random.u8(..6) == 0 {
            Action::Delete(collection, id)
        } else {
            let length = match random.u8(..30) {
                0 => random.usize(8_000..20_000),
                _ => random.usize(40..1_800),
            };
            let mut bytes = format!("{number} {id} ").into_bytes();
            bytes.extend((0..length).map(|_| random.u8(..)));
            Action::Put(collection, id, bytes)
        });
    }
    match number {
        // Those who are not there leave no trace but in how the rest is written.
        4 => actions.extend(crowd().map(|id| Action::Delete(CROWD, id))),
        20 => actions.extend(crowd().map(|id| {
            let bytes = format!("{number} {id}").into_bytes();
            Action::Put(CROWD, id, bytes)
        })),
        22 => actions.extend(crowd().map(|id| Action::Delete(CROWD, id))),
        _ => {}
    }
    if random.bool() {
        let stream = STREAMS[random.usize(1..STREAMS.len())];
        let mut bytes = format!("{number} {stream} ").into_bytes();
        bytes.extend((0..random.usize(60..500)).map(|_| random.u8(..)));
        actions.push(Action::Append(stream, bytes));
    }
    actions
}

/// The ids of a crowd.
fn crowd() -> impl Iterator<Item = String> {
    (0..MANY).map(|member| format!("{CROWD}/{member:04}"))
}
