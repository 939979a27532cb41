//! Stores of format 1, as the last version that wrote them left them (`tests/fixtures/format-1`).

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{damage_of, for_each_embedded_engine};
use crate::engine::{Change, Engine, EngineKind, Stored};
use crate::error::{Fault, Place};
use crate::{Error, Format1, KeyFile, Passphrase, Store, Unlock};

// Stores of format 1 lay in files.
for_each_embedded_engine!(
    an_older_store_is_read_through,
    something_altered_taken_out_or_put_back_is_found,
    the_current_version_refuses_it_and_says_what_to_do,
    the_wrong_secret_opens_nothing,
);

struct Old {
    dir: TempDir,
}

impl Old {
    fn new(engine: EngineKind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/format-1");
        let unpacked = Command::new("tar")
            .arg("-xJf")
            .arg(fixtures.join(format!("{engine}.tar.xz")))
            .arg("-C")
            .arg(dir.path())
            .status()
            .expect("tar and xz unpack the fixtures: apt-get install tar xz-utils");
        assert!(unpacked.success());
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn unlock(&self) -> Unlock {
        let key = self.dir.path().join("store.key");
        if key.exists() {
            return Unlock::KeyFile(KeyFile::read(&key).unwrap());
        }
        let text = std::fs::read_to_string(self.dir.path().join("passphrase")).unwrap();
        Unlock::Passphrase(Passphrase::new(Zeroizing::new(text.trim_end().to_owned())))
    }

    fn open(&self) -> Format1 {
        Format1::open(&self.path(), &self.unlock()).unwrap()
    }

    fn engine(&self, kind: EngineKind) -> Box<dyn Engine> {
        kind.open(&self.path().join("engine")).unwrap()
    }
}

fn an_older_store_is_read_through(engine: EngineKind) {
    let old = Old::new(engine);
    assert!(Format1::is_there(&old.path()).unwrap());
    let store = old.open();
    let collections: Vec<_> = store.collections().collect();
    assert!(collections.contains(&"identity") && collections.contains(&"key"));
    assert_eq!(store.records("identity").unwrap().len(), 1);
    for collection in store.collections() {
        assert!(
            store
                .records(collection)
                .unwrap()
                .is_sorted_by(|a, b| a.id < b.id)
        );
    }
    let journals: Vec<_> = store.streams().collect();
    assert!(journals.len() >= 2, "{journals:?}");
    for journal in journals {
        let events = store.journal(journal).unwrap();
        assert!(!events.is_empty());
        assert!(
            events
                .iter()
                .map(|event| event.sequence)
                .eq(1..=events.len() as u64)
        );
        assert!(events.iter().all(|event| event.bytes.starts_with(b"{")));
    }
    assert!(store.transactions() > 10);
    assert_eq!(store.strays().unwrap(), []);
    assert_eq!(store.records("nothing").unwrap(), []);
    assert!(matches!(
        Format1::open(&old.path(), &old.unlock()),
        Err(Error::InUse { .. })
    ));
}

fn something_altered_taken_out_or_put_back_is_found(engine: EngineKind) {
    let old = Old::new(engine);
    let store = old.open();
    let records = store.records("identity").unwrap().len();
    drop(store);
    let everything = old.engine(engine).page(b"", None, usize::MAX).unwrap();
    let plant = |key: &[u8], value: Option<Vec<u8>>| {
        let key = key.to_vec();
        old.engine(engine).apply(&[Change { key, value }]).unwrap();
    };
    // Somewhere in each kind of value, and each kind taken away.
    for kind in [b'R', b'J', b'S', b'T'] {
        let Stored { key, value } = everything.iter().find(|s| s.key[0] == kind).unwrap();
        let mut altered = value.clone();
        altered[90] ^= 1;
        for planted in [Some(altered), None] {
            plant(key, planted);
            let found = Format1::open(&old.path(), &old.unlock()).and_then(|store| {
                store
                    .collections()
                    .try_for_each(|c| store.records(c).map(drop))?;
                store.streams().try_for_each(|s| store.journal(s).map(drop))
            });
            damage_of(found);
        }
        plant(key, Some(value.clone()));
    }
    plant(b"Rubbish", Some(b"rubbish".to_vec()));
    let strays = old.open().strays().unwrap();
    assert_eq!(strays.len(), 1);
    assert_eq!(strays[0].fault, Fault::Unaccounted);
    assert!(matches!(strays[0].place, Place::Stray { .. }));
    assert_eq!(old.open().records("identity").unwrap().len(), records);
}

fn the_wrong_secret_opens_nothing(engine: EngineKind) {
    let old = Old::new(engine);
    let wrong = Unlock::Passphrase(Passphrase::new(Zeroizing::new("battery staple".to_owned())));
    assert!(matches!(
        Format1::open(&old.path(), &wrong),
        Err(Error::WrongSecret { .. })
    ));
}

fn the_current_version_refuses_it_and_says_what_to_do(engine: EngineKind) {
    let old = Old::new(engine);
    let refused = Store::open(&old.path(), &old.unlock()).unwrap_err();
    assert!(matches!(refused, Error::OlderFormat { found: 1, .. }));
    assert!(refused.to_string().contains("store migrate"), "{refused}");
}
