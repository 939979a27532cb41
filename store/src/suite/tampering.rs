//! What a thief or a failing disk may do to the engine's contents, and what is then seen.

use super::{Fixture, for_each_engine, open, options, passphrase};
use crate::engine::EngineKind;
use crate::error::{Damage, Fault, Place};
use crate::vault::{Group, ROOT_KEY};
use crate::{Error, Expect, Store, Transaction};

for_each_engine!(
    a_damaged_record_does_not_take_the_others_with_it,
    a_damaged_summary_is_found_and_nothing_is_built_on_it,
    a_deleted_record_that_is_brought_back_is_noticed,
    a_journal_cut_short_is_noticed,
    a_record_brought_back_to_an_older_self_is_noticed,
    a_record_from_another_store_is_refused,
    a_record_moved_to_another_id_or_collection_is_refused,
    a_whole_collection_removed_is_noticed_by_verify,
    an_event_altered_moved_or_removed_is_named,
    any_altered_byte_of_a_record_is_found,
    nothing_readable_is_on_disk,
    something_planted_is_found,
    sound_stores_verify,
);

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

fn key_of(fixture: &Fixture, collection: &str, id: &str) -> Vec<u8> {
    fixture.store().inner.vault.record_key(collection, id)
}

fn sound_stores_verify(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.put("d", "b", b"2");
    fixture.append("j", b"3");
    fixture.reopen();
    let report = fixture.store().verify().unwrap();
    assert_eq!(
        (report.records, report.entries, report.transactions),
        (2, 1, 3)
    );
    assert_eq!(report.damage, []);
}

fn any_altered_byte_of_a_record_is_found(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"content");
    let key = key_of(&fixture, "c", "a");
    let sound = fixture.raw(&key);
    let vault = &fixture.store().inner.vault;
    vault.open_record("c", &key, &sound).unwrap();
    for position in 0..sound.len() {
        let mut altered = sound.clone();
        altered[position] ^= 0x10;
        vault.open_record("c", &key, &altered).unwrap_err();
        vault
            .open_record("c", &key, &sound[..position])
            .unwrap_err();
        // The same by way of the engine, now and then: each of these waits for the disk.
        if position % 64 == 0 {
            fixture.plant(&key, Some(altered));
            assert_eq!(
                damage_of(fixture.store().read("c", "a")).place,
                record("c", "a")
            );
        }
    }
    fixture.plant(&key, Some(sound));
    assert_eq!(fixture.text("c", "a").as_deref(), Some("content"));
}

fn a_damaged_record_does_not_take_the_others_with_it(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    for id in ["a", "b", "c"] {
        fixture.put("c", id, id.as_bytes());
    }
    let key = key_of(&fixture, "c", "b");
    let mut value = fixture.raw(&key);
    let middle_of_content = value.len() - 100;
    value[middle_of_content] ^= 1;
    fixture.plant(&key, Some(value));

    let damage = Damage {
        place: record("c", "b"),
        fault: Fault::Altered,
    };
    assert_eq!(damage_of(fixture.store().read("c", "b")), damage);
    assert_eq!(damage_of(fixture.store().list("c")), damage);
    assert_eq!(fixture.text("c", "a").as_deref(), Some("a"));
    let survey = fixture.store().survey("c").unwrap();
    assert_eq!(
        survey.records.iter().map(|r| &*r.id).collect::<Vec<_>>(),
        ["a", "c"]
    );
    assert_eq!(survey.damage.first(), Some(&damage));
    let report = fixture.store().verify().unwrap();
    assert!(report.damage.contains(&damage));
    assert_eq!(report.records, 2);

    // The others can still be written, the damaged one is not written over.
    fixture.put("c", "a", b"new");
    let mut transaction = Transaction::new();
    transaction.put("c", "b", b"new".to_vec(), Expect::Any);
    assert_eq!(damage_of(fixture.store().transact(transaction)), damage);
}

fn a_record_moved_to_another_id_or_collection_is_refused(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.put("c", "b", b"2");
    fixture.put("d", "a", b"3");
    let (ca, cb, da) = (
        key_of(&fixture, "c", "a"),
        key_of(&fixture, "c", "b"),
        key_of(&fixture, "d", "a"),
    );
    let value = fixture.raw(&ca);
    fixture.plant(&cb, Some(value.clone()));
    fixture.plant(&da, Some(value));
    for (collection, id) in [("c", "b"), ("d", "a")] {
        let damage = damage_of(fixture.store().read(collection, id));
        assert_eq!(
            damage,
            Damage {
                place: record(collection, id),
                fault: Fault::Altered
            }
        );
        damage_of(fixture.store().list(collection));
    }
    assert_eq!(fixture.text("c", "a").as_deref(), Some("1"));
}

fn a_record_brought_back_to_an_older_self_is_noticed(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "a", b"old");
    let key = key_of(&fixture, "c", "a");
    let old = fixture.raw(&key);
    fixture.put("c", "a", b"new");
    fixture.plant(&key, Some(old));
    fixture.reopen();
    let damage = Damage {
        place: Place::Collection {
            collection: "c".to_owned(),
        },
        fault: Fault::Replaced,
    };
    assert_eq!(damage_of(fixture.store().list("c")), damage);
    assert_eq!(fixture.store().verify().unwrap().damage, [damage]);
}

fn a_deleted_record_that_is_brought_back_is_noticed(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"destroyed");
    let key = key_of(&fixture, "c", "a");
    let old = fixture.raw(&key);
    let remove = || {
        let mut transaction = Transaction::new();
        transaction.delete("c", "a", Expect::Any);
        fixture.store().transact(transaction).unwrap();
    };
    remove();
    fixture.plant(&key, Some(old.clone()));
    damage_of(fixture.store().list("c"));
    // Nor in the place of a record of the same id and version that was made since.
    fixture.plant(&key, None);
    fixture.put("c", "a", b"new");
    fixture.store().list("c").unwrap();
    fixture.plant(&key, Some(old));
    damage_of(fixture.store().list("c"));
}

fn a_record_from_another_store_is_refused(engine: EngineKind) {
    let (fixture, other) = (Fixture::new(engine), Fixture::new(engine));
    fixture.put("c", "a", b"1");
    other.put("c", "a", b"2");
    let foreign = other.raw(&key_of(&other, "c", "a"));
    fixture.plant(&key_of(&fixture, "c", "a"), Some(foreign));
    damage_of(fixture.store().read("c", "a"));
}

fn an_event_altered_moved_or_removed_is_named(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    for event in [b"1", b"2", b"3"] {
        fixture.append("j", event);
    }
    let key = |sequence| fixture.store().inner.vault.entry_key("j", sequence);
    let (first, second) = (fixture.raw(&key(1)), fixture.raw(&key(2)));
    let place = Place::Entry {
        stream: "j".to_owned(),
        sequence: 2,
    };
    let mut altered = second.clone();
    altered[60] ^= 1;
    for (planted, fault) in [
        (Some(altered), Fault::Altered),
        (Some(first), Fault::Altered),
        (None, Fault::Missing),
    ] {
        fixture.plant(&key(2), planted);
        let damage = Damage {
            place: place.clone(),
            fault,
        };
        assert_eq!(damage_of(fixture.store().journal("j")), damage);
        assert!(fixture.store().verify().unwrap().damage.contains(&damage));
    }
    fixture.plant(&key(2), Some(second.clone()));
    fixture.store().journal("j").unwrap();
    fixture.plant(&key(4), Some(second));
    let place = Place::Entry {
        stream: "j".to_owned(),
        sequence: 4,
    };
    let damage = damage_of(fixture.store().journal("j"));
    assert_eq!(
        damage,
        Damage {
            place,
            fault: Fault::Unaccounted
        }
    );
    // An event is never written over.
    let mut transaction = Transaction::new();
    transaction.append("j", b"4".to_vec());
    damage_of(fixture.store().transact(transaction));
}

fn a_journal_cut_short_is_noticed(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.append("j", b"1");
    let summary = fixture
        .store()
        .inner
        .vault
        .summary_key(&Group::Stream("j".to_owned()));
    let of_one = fixture.raw(&summary);
    fixture.append("j", b"2");
    let key = fixture.store().inner.vault.entry_key("j", 2);
    fixture.plant(&key, None);
    let place = Place::Entry {
        stream: "j".to_owned(),
        sequence: 2,
    };
    assert_eq!(
        damage_of(fixture.store().journal("j")),
        Damage {
            place,
            fault: Fault::Missing
        }
    );
    // With its summary put back too, the journal alone looks sound; the store as a whole does not.
    fixture.plant(&summary, Some(of_one));
    let root = Damage {
        place: Place::Root,
        fault: Fault::Replaced,
    };
    assert_eq!(fixture.store().verify().unwrap().damage, [root]);
}

fn a_whole_collection_removed_is_noticed_by_verify(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.put("d", "b", b"2");
    let vault = &fixture.store().inner.vault;
    fixture.plant(&vault.record_key("c", "a"), None);
    fixture.plant(&vault.summary_key(&Group::Collection("c".to_owned())), None);
    let root = Damage {
        place: Place::Root,
        fault: Fault::Replaced,
    };
    assert_eq!(fixture.store().verify().unwrap().damage, [root]);
}

fn a_damaged_summary_is_found_and_nothing_is_built_on_it(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    let key = fixture
        .store()
        .inner
        .vault
        .summary_key(&Group::Collection("c".to_owned()));
    let mut altered = fixture.raw(&key);
    altered[70] ^= 1;
    fixture.plant(&key, Some(altered));
    let place = Place::Collection {
        collection: "c".to_owned(),
    };
    let damage = Damage {
        place,
        fault: Fault::Altered,
    };
    assert_eq!(damage_of(fixture.store().list("c")), damage);
    assert_eq!(fixture.text("c", "a").as_deref(), Some("1"));
    assert_eq!(fixture.store().survey("c").unwrap().records.len(), 1);
    let mut transaction = Transaction::new();
    transaction.put("c", "b", b"2".to_vec(), Expect::Any);
    assert_eq!(damage_of(fixture.store().transact(transaction)), damage);

    // Without the root nothing is written, and everything is still read.
    fixture.plant(ROOT_KEY, None);
    let mut transaction = Transaction::new();
    transaction.put("d", "b", b"2".to_vec(), Expect::Any);
    let missing = Damage {
        place: Place::Root,
        fault: Fault::Missing,
    };
    assert_eq!(damage_of(fixture.store().transact(transaction)), missing);
    assert!(fixture.store().verify().unwrap().damage.contains(&missing));
    assert_eq!(fixture.text("c", "a").as_deref(), Some("1"));
}

fn something_planted_is_found(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.plant(b"Rubbish", Some(b"rubbish".to_vec()));
    let place = Place::Stray {
        key: "52756262697368".to_owned(),
    };
    let damage = Damage {
        place,
        fault: Fault::Unaccounted,
    };
    assert_eq!(fixture.store().verify().unwrap().damage, [damage]);
    // In the collection's own place, it is a record whose name cannot be read.
    let mut key = fixture
        .store()
        .inner
        .vault
        .prefix(&Group::Collection("c".to_owned()));
    key.push(7);
    fixture.plant(&key, Some(Vec::new()));
    let place = Place::Unnamed {
        collection: "c".to_owned(),
        key: hex::encode(&key),
    };
    let damage = Damage {
        place,
        fault: Fault::Malformed,
    };
    assert_eq!(damage_of(fixture.store().list("c")), damage);
}

fn nothing_readable_is_on_disk(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("NEEDLE-collection", "NEEDLE-id", b"NEEDLE-content");
    fixture.append("NEEDLE-stream", b"NEEDLE-event");
    fixture.store = None;
    let mut directories = vec![fixture.path()];
    let mut files = 0;
    while let Some(dir) = directories.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                !bytes.windows(6).any(|window| window == b"NEEDLE"),
                "{}",
                path.display()
            );
        }
    }
    assert!(files > 2);
}

/// Files of one store under the header of another are no store.
#[test]
fn an_engine_under_another_header_opens_nothing() {
    let mut fixture = Fixture::new(EngineKind::Redb);
    fixture.put("c", "a", b"1");
    fixture.store = None;
    let other = fixture.dir.path().join("other");
    drop(Store::init(&other, &passphrase(), &options(EngineKind::Redb)).unwrap());
    std::fs::copy(other.join("store.json"), fixture.path().join("store.json")).unwrap();
    let store = open(&fixture.path()).unwrap();
    assert_eq!(store.read("c", "a").unwrap(), None);
    assert!(!store.verify().unwrap().damage.is_empty());
}
