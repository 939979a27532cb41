//! Stores that are put in the place of others: one of an older format by its migrated successor, and one by what was
//! kept of another.
//!
//! Whenever the power goes there is a whole store at the path, the old one or the new one; the same command goes on
//! from there; and the old one lies beside in the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign_store::{
    EngineKind, Entry, Error, Format1, InitOptions, Item, KeyFile, Loader, Migration, Record,
    Store, Transaction, Unlock, replace_store, room_beside,
};

use crate::judge::{Known, STORE, Verdict, chain};
use crate::workload;

/// What a store holds under the names that it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    records: BTreeMap<String, Vec<Record>>,
    journals: BTreeMap<String, Vec<Entry>>,
}

impl Held {
    /// Everything in a store of format 1.
    ///
    /// # Errors
    /// Those of the store.
    pub fn in_format_1(dir: &Path, unlock: &Unlock) -> Result<Self, Error> {
        let store = Format1::open(dir, unlock)?;
        let mut held = Self::default();
        for collection in store.collections() {
            let records = store.records(collection)?;
            held.records.insert(collection.to_owned(), records);
        }
        for stream in store.streams() {
            held.journals
                .insert(stream.to_owned(), store.journal(stream)?);
        }
        Ok(held)
    }

    /// What the workload has written.
    ///
    /// # Errors
    /// Those of the store.
    pub fn by_the_workload(store: &Store) -> Result<Self, Error> {
        let mut held = Self::default();
        for collection in workload::COLLECTIONS {
            held.records.insert(collection.to_owned(), Vec::new());
        }
        for stream in workload::STREAMS {
            held.journals.insert(stream.to_owned(), Vec::new());
        }
        held.now_in(store)
    }

    /// What a store has under the same names.
    fn now_in(&self, store: &Store) -> Result<Self, Error> {
        let records = self.records.keys();
        let journals = self.journals.keys();
        Ok(Self {
            records: records
                .map(|name| Ok((name.clone(), store.list(name)?)))
                .collect::<Result<_, Error>>()?,
            journals: journals
                .map(|name| Ok((name.clone(), store.journal(name)?)))
                .collect::<Result<_, Error>>()?,
        })
    }

    fn items(&self) -> impl Iterator<Item = Item> {
        let records = self.records.iter().flat_map(|(collection, records)| {
            records.iter().map(|record| Item::Record {
                collection: collection.clone(),
                record: record.clone(),
            })
        });
        let journals = self.journals.iter().flat_map(|(stream, entries)| {
            entries.iter().map(|entry| Item::Entry {
                stream: stream.clone(),
                entry: entry.clone(),
            })
        });
        records.chain(journals)
    }
}

/// Brings the store at `path` to the current format.
///
/// # Errors
/// Those of the store.
pub fn migrate(path: &Path, unlock: &Unlock) -> Result<(), Error> {
    Migration::begin(path, unlock)?.put_in_place().map(drop)
}

/// Makes a store of what is held, and puts it at `path`.
///
/// # Errors
/// Those of the store.
pub fn restore(held: &Held, path: &Path, unlock: &Unlock, engine: EngineKind) -> Result<(), Error> {
    let options = InitOptions {
        engine,
        ..InitOptions::default()
    };
    let room = room_beside(path)?;
    let mut loader = Loader::begin(&room, unlock, &options, 0)?;
    for item in held.items() {
        loader.add(item)?;
    }
    drop(loader.finish(Transaction::new())?);
    replace_store(path, &room).map(drop)
}

/// Makes a store with some transactions of the workload in `dir`, and returns what it holds.
///
/// # Errors
/// Those of the store.
pub fn fill(
    dir: &Path,
    unlock: &Unlock,
    engine: EngineKind,
    transactions: u64,
) -> Result<Held, Error> {
    let options = InitOptions {
        engine,
        ..InitOptions::default()
    };
    let store = Store::init(dir, unlock, &options)?;
    for number in 1..=transactions {
        workload::transact(&store, number)?;
    }
    Held::by_the_workload(&store)
}

/// Looks at what is left of a migration of a store that opens with this key file, and held this.
pub fn of_a_migration(key: &Path, held: Held) -> impl Fn(&Path, Known) -> Verdict + use<> {
    let key = key.to_owned();
    move |root, known| {
        let look = || {
            let unlock = Unlock::KeyFile(KeyFile::read(&key)?);
            let path = root.join(STORE);
            if Format1::is_there(&path)? {
                if known == Known::Acknowledged(1) {
                    return Ok(lost("the old store is in place after it was said"));
                }
                if Held::in_format_1(&path, &unlock)? != held {
                    return Ok(lost("the old store is not whole"));
                }
                migrate(&path, &unlock)?;
            }
            let store = Store::open(&path, &unlock)?;
            if let Some(damage) = store.verify()?.damage.first() {
                return Ok(Verdict::Found(damage.to_string()));
            }
            if held.now_in(&store)? != held {
                return Ok(lost("the new store is not whole"));
            }
            let beside = |dir: &Path| {
                let old = Format1::is_there(dir).unwrap_or(false);
                old && Held::in_format_1(dir, &unlock).is_ok_and(|found| found == held)
            };
            Ok(kept(root, beside))
        };
        look().unwrap_or_else(|error: Error| Verdict::DidNotOpen(chain(&error)))
    }
}

/// Looks at what is left of a restore of `new` in the place of `old`, or of nothing.
pub fn of_a_restore(
    key: &Path,
    engine: EngineKind,
    old: Option<Held>,
    new: Held,
) -> impl Fn(&Path, Known) -> Verdict + use<> {
    let key = key.to_owned();
    move |root, known| {
        let look = || {
            let unlock = Unlock::KeyFile(KeyFile::read(&key)?);
            let path = root.join(STORE);
            let found = |dir: &Path| -> Result<Option<Held>, Error> {
                match Store::open(dir, &unlock) {
                    Ok(store) => {
                        if let Some(damage) = store.verify()?.damage.into_iter().next() {
                            return Err(damage.into());
                        }
                        new.now_in(&store).map(Some)
                    }
                    Err(Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            };
            let there = found(&path)?;
            if there != old && there.as_ref() != Some(&new) {
                return Ok(lost("neither the old store nor the new one is in place"));
            }
            if there.as_ref() != Some(&new) {
                if known == Known::Acknowledged(1) {
                    return Ok(lost("the old store is in place after it was said"));
                }
                restore(&new, &path, &unlock, engine)?;
                if found(&path)?.as_ref() != Some(&new) {
                    return Ok(lost("the new store is not whole"));
                }
            }
            Ok(match &old {
                Some(old) => kept(root, |dir| {
                    found(dir).is_ok_and(|found| found.as_ref() == Some(old))
                }),
                None => Verdict::Sound,
            })
        };
        look().unwrap_or_else(|error: Error| Verdict::DidNotOpen(chain(&error)))
    }
}

/// Whether the old store lies beside.
fn kept(root: &Path, is_old: impl Fn(&Path) -> bool) -> Verdict {
    let beside = fs::read_dir(root).into_iter().flatten().flatten();
    let mut beside = beside.filter(|entry| entry.file_name() != STORE);
    if beside.any(|entry| is_old(&entry.path())) {
        Verdict::Sound
    } else {
        lost("the old store is not kept")
    }
}

fn lost(why: &str) -> Verdict {
    Verdict::Lost(why.to_owned())
}
