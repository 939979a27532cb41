//! The conformance suite: written once, run against every engine.

mod backups;
mod engines;
mod journals;
mod lifecycle;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod tampering;
mod witnesses;

use std::path::Path;

use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::engine::{Change, EngineKind};
use crate::{Expect, InitOptions, KdfCost, Passphrase, Result, Store, Transaction, Unlock};

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

fn passphrase() -> Unlock {
    Unlock::Passphrase(Passphrase::new(Zeroizing::new("correct horse".to_owned())))
}

fn options(engine: EngineKind) -> InitOptions {
    InitOptions {
        engine,
        kdf: KdfCost::throwaway(),
    }
}

fn open(dir: &Path) -> Result<Store> {
    Store::open(dir, &passphrase())
}
