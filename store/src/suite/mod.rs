//! The conformance suite: written once, run against every engine.

mod again;
mod backups;
mod engines;
mod format1;
mod headers;
mod journals;
mod lifecycle;
mod lost_index;
mod pages;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod rekeying;
mod resealing;
mod slots;
mod tampering;
mod witnesses;

use std::path::Path;

use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::engine::{Change, EngineKind, Stored};
use crate::error::{Damage, Place};
use crate::index::{Node, Nodes, Span, key, tree};
use crate::vault::{node_key, value_key};
use crate::{Error, Expect, InitOptions, KdfCost, Passphrase, Result, Store, Transaction, Unlock};

/// Makes each claim a test for each engine.
macro_rules! for_each_engine {
    ($($claim:ident),+ $(,)?) => {
        mod redb {
            $(#[test] fn $claim() { super::$claim(crate::EngineKind::Redb); })+
        }
        mod sled {
            $(#[test] fn $claim() { super::$claim(crate::EngineKind::Sled); })+
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[test] fn $claim() { super::$claim(crate::EngineKind::Postgres); })+
        }
    };
}
pub(crate) use for_each_engine;

/// The same for the engines that keep a store in files of its own.
macro_rules! for_each_embedded_engine {
    ($($claim:ident),+ $(,)?) => {
        mod embedded {
            mod redb {
                $(#[test] fn $claim() { super::super::$claim(crate::EngineKind::Redb); })+
            }
            mod sled {
                $(#[test] fn $claim() { super::super::$claim(crate::EngineKind::Sled); })+
            }
        }
    };
}
pub(crate) use for_each_embedded_engine;

/// A store in a directory that goes away with it.
struct Fixture {
    // The store closes before its directory is removed.
    store: Option<Store>,
    dir: TempDir,
    _room: Room,
}

impl Fixture {
    fn new(engine: EngineKind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let room = Room::for_store(engine, &path);
        let store = Store::init(&path, &passphrase(), &options(engine));
        Self {
            store: Some(store.unwrap()),
            dir,
            _room: room,
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("store")
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(open(&self.path()).unwrap());
    }

    fn put(&self, collection: &str, id: &str, bytes: &[u8]) {
        let mut transaction = Transaction::new();
        transaction.put(collection, id, bytes.to_vec(), Expect::Any);
        self.store().transact(transaction).unwrap();
    }

    fn append(&self, stream: &str, bytes: &[u8]) {
        let mut transaction = Transaction::new();
        transaction.append(stream, bytes.to_vec());
        self.store().transact(transaction).unwrap();
    }

    fn text(&self, collection: &str, id: &str) -> Option<String> {
        let record = self.store().read(collection, id).unwrap()?;
        Some(String::from_utf8(record.bytes.to_vec()).unwrap())
    }

    fn delete(&self, collection: &str, id: &str) {
        let mut transaction = Transaction::new();
        transaction.delete(collection, id, Expect::Any);
        self.store().transact(transaction).unwrap();
    }

    /// Many records, so that the index has several nodes.
    fn put_many(&self, collection: &str, count: usize) {
        let mut transaction = Transaction::new();
        for number in 0..count {
            let id = format!("{number:05}");
            transaction.put(collection, &id, id.clone().into_bytes(), Expect::Any);
        }
        self.store().transact(transaction).unwrap();
    }

    /// Where the engine has the value of a record.
    fn key_of(&self, collection: &str, id: &str) -> Vec<u8> {
        self.key_of_name(&key::record(collection, id))
    }

    fn key_of_event(&self, stream: &str, sequence: u64) -> Vec<u8> {
        self.key_of_name(&key::entry(stream, sequence))
    }

    fn key_of_name(&self, name: &[u8]) -> Vec<u8> {
        let view = self.store().snapshot().unwrap();
        let entry = tree::find(&view, view.top().unwrap(), name).unwrap();
        value_key(&entry.unwrap().to.id)
    }

    /// Where the engine has the nodes of the index, the topmost first, and each node.
    fn nodes(&self) -> Vec<(Vec<u8>, Node)> {
        let view = self.store().snapshot().unwrap();
        let mut nodes = Vec::new();
        let mut to_visit: Vec<_> = view.top().unwrap().map(|top| top.to).into_iter().collect();
        while let Some(to) = to_visit.pop() {
            let node = view.node(&to, &Span::ALL).unwrap();
            if node.level > 0 {
                to_visit.extend(node.entries.iter().map(|entry| entry.to));
            }
            nodes.push((node_key(&to.id), Node::clone(&node)));
        }
        nodes
    }

    /// Everything that the engine holds.
    fn everything(&self) -> Vec<Stored> {
        let engine = &self.store().inner.engine;
        engine.page(b"", None, usize::MAX).unwrap()
    }

    /// Reaches past the store into its engine, as a thief with the files would.
    fn raw(&self, key: &[u8]) -> Vec<u8> {
        self.store().inner.engine.get(key).unwrap().unwrap()
    }

    fn plant(&self, key: &[u8], value: Option<Vec<u8>>) {
        let change = Change {
            key: key.to_vec(),
            value,
        };
        self.store().inner.engine.apply(&[change]).unwrap();
    }
}

/// What an engine needs beside its directory, for as long as the test goes on.
#[derive(Default)]
struct Room {
    #[cfg(feature = "postgres")]
    _server: Option<countersign_peers::SharedPostgres>,
}

impl Room {
    /// For a store that is to be made in `dir`.
    fn for_store(kind: EngineKind, dir: &Path) -> Self {
        match kind {
            #[cfg(feature = "postgres")]
            EngineKind::Postgres => Self {
                _server: Some(postgres::name_schema(dir)),
            },
            _ => {
                let _ = dir;
                Self::default()
            }
        }
    }

    /// A directory for a bare engine.
    fn for_engine(kind: EngineKind) -> (TempDir, Self) {
        let dir = tempfile::tempdir().unwrap();
        let room = Self::for_store(kind, dir.path());
        (dir, room)
    }
}

/// The damage that an outcome names; anything else would be a secret lost or a lie told.
fn damage_of<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Damage {
    match outcome {
        Err(Error::Damaged { damage }) => damage,
        other => panic!("not found out: {other:?}"),
    }
}

fn record(collection: &str, id: &str) -> Place {
    Place::Record {
        collection: collection.to_owned(),
        id: id.to_owned(),
    }
}

fn event(stream: &str, sequence: u64) -> Place {
    Place::Entry {
        stream: stream.to_owned(),
        sequence,
    }
}

/// Writes over a file, as somebody who does not know better would.
pub(crate) fn overwrite(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
    use std::io::Write;

    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(contents.as_ref()).unwrap();
}

fn passphrase() -> Unlock {
    Unlock::Passphrase(Passphrase::new(Zeroizing::new("correct horse".to_owned())))
}

fn options(engine: EngineKind) -> InitOptions {
    InitOptions {
        engine,
        kdf: KdfCost::throwaway(),
        since: None,
    }
}

fn open(dir: &Path) -> Result<Store> {
    Store::open(dir, &passphrase())
}
