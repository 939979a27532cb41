//! What a thief or a failing disk may do to values in the engine, and what is then seen.

use super::{Fixture, damage_of, event, for_each_engine, open, options, passphrase, record};
use crate::engine::EngineKind;
use crate::error::{Damage, Fault, Place};
use crate::plan::CROWD;
use crate::{Expect, Store, Transaction};

for_each_engine!(
    a_damaged_record_does_not_take_the_others_with_it,
    a_deleted_record_that_is_brought_back_is_noticed,
    a_record_brought_back_to_an_older_self_is_noticed,
    a_record_from_another_store_is_refused,
    a_record_put_in_the_place_of_another_is_refused,
    a_record_that_is_taken_away_is_missed,
    an_event_altered_moved_or_removed_is_named,
    an_event_that_is_brought_back_is_noticed,
    any_altered_byte_of_a_record_is_found,
    nothing_readable_is_on_disk,
    sound_stores_verify,
    something_planted_is_found,
    what_is_stored_tells_nothing_of_what_belongs_together,
    what_came_in_a_crowd_lies_together_and_in_no_order,
);

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
    assert_eq!(fixture.store().transactions().unwrap(), 3);
}

fn any_altered_byte_of_a_record_is_found(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"content");
    let key = fixture.key_of("c", "a");
    let sound = fixture.raw(&key);
    let vault = fixture.store().inner.vault.read().unwrap().clone();
    assert!(vault.open_value(&key, &sound).is_ok());
    for position in 0..sound.len() {
        let mut altered = sound.clone();
        altered[position] ^= 0x10;
        assert!(vault.open_value(&key, &altered).is_err());
        assert!(vault.open_value(&key, &sound[..position]).is_err());
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
    let key = fixture.key_of("c", "b");
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
    assert_eq!(survey.damage, std::slice::from_ref(&damage));
    let report = fixture.store().verify().unwrap();
    assert_eq!(report.damage, std::slice::from_ref(&damage));
    assert_eq!(report.records, 2);

    // The others can still be written, the damaged one is neither written over nor removed.
    fixture.put("c", "a", b"new");
    let mut transaction = Transaction::new();
    transaction.put("c", "b", b"new".to_vec(), Expect::Any);
    assert_eq!(damage_of(fixture.store().transact(transaction)), damage);
    let mut transaction = Transaction::new();
    transaction.delete("c", "b", Expect::Any);
    assert_eq!(damage_of(fixture.store().transact(transaction)), damage);
}

fn a_record_put_in_the_place_of_another_is_refused(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.put("c", "b", b"2");
    fixture.put("d", "a", b"3");
    let places = [("c", "a"), ("c", "b"), ("d", "a")];
    let keys = places.map(|(collection, id)| fixture.key_of(collection, id));
    let values = keys.clone().map(|key| fixture.raw(&key));
    // All of them, each in the place of the next.
    for (key, value) in keys.iter().zip(values.iter().cycle().skip(1)) {
        fixture.plant(key, Some(value.clone()));
    }
    for (collection, id) in places {
        assert_eq!(
            damage_of(fixture.store().read(collection, id)),
            Damage {
                place: record(collection, id),
                fault: Fault::Altered
            }
        );
        damage_of(fixture.store().list(collection));
    }
    assert_eq!(fixture.store().verify().unwrap().damage.len(), 3);
}

fn a_record_that_is_taken_away_is_missed(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.put("c", "b", b"2");
    fixture.plant(&fixture.key_of("c", "a"), None);
    let damage = Damage {
        place: record("c", "a"),
        fault: Fault::Missing,
    };
    assert_eq!(damage_of(fixture.store().read("c", "a")), damage);
    assert_eq!(damage_of(fixture.store().list("c")), damage);
    assert_eq!(fixture.store().verify().unwrap().damage, [damage]);
}

fn a_record_brought_back_to_an_older_self_is_noticed(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "a", b"old");
    let key = fixture.key_of("c", "a");
    let old = fixture.raw(&key);
    fixture.put("c", "a", b"new");
    fixture.plant(&key, Some(old));
    let damage = Damage {
        place: record("c", "a"),
        fault: Fault::Outdated,
    };
    for _ in 0..2 {
        assert_eq!(damage_of(fixture.store().read("c", "a")), damage);
        assert_eq!(damage_of(fixture.store().list("c")), damage);
        assert_eq!(
            fixture.store().verify().unwrap().damage,
            std::slice::from_ref(&damage)
        );
        let mut transaction = Transaction::new();
        transaction.put("c", "a", b"newer".to_vec(), Expect::Any);
        assert_eq!(damage_of(fixture.store().transact(transaction)), damage);
        fixture.reopen();
    }
}

fn a_deleted_record_that_is_brought_back_is_noticed(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"destroyed");
    let key = fixture.key_of("c", "a");
    let old = fixture.raw(&key);
    fixture.delete("c", "a");
    fixture.plant(&key, Some(old.clone()));
    let stray = Damage {
        place: Place::Stray {
            key: hex::encode(&key),
        },
        fault: Fault::Unaccounted,
    };
    assert_eq!(fixture.text("c", "a"), None);
    assert_eq!(fixture.store().list("c").unwrap(), []);
    assert_eq!(fixture.store().verify().unwrap().damage, [stray]);
    fixture.plant(&key, None);
    // Nor in the place of a record of the same id and version that was made since.
    fixture.put("c", "a", b"new");
    fixture.plant(&fixture.key_of("c", "a"), Some(old));
    damage_of(fixture.store().read("c", "a"));
    damage_of(fixture.store().list("c"));
}

fn a_record_from_another_store_is_refused(engine: EngineKind) {
    let (fixture, other) = (Fixture::new(engine), Fixture::new(engine));
    fixture.put("c", "a", b"1");
    other.put("c", "a", b"2");
    let foreign = other.raw(&other.key_of("c", "a"));
    fixture.plant(&fixture.key_of("c", "a"), Some(foreign));
    damage_of(fixture.store().read("c", "a"));
}

fn an_event_altered_moved_or_removed_is_named(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    for event in [b"1", b"2", b"3"] {
        fixture.append("j", event);
    }
    let keys = [1, 2].map(|sequence| fixture.key_of_event("j", sequence));
    let [first, second] = keys.clone().map(|key| fixture.raw(&key));
    let mut altered = second.clone();
    altered[60] ^= 1;
    for (planted, fault) in [
        (Some(altered), Fault::Altered),
        (Some(first), Fault::Altered),
        (None, Fault::Missing),
    ] {
        fixture.plant(&keys[1], planted);
        let damage = Damage {
            place: event("j", 2),
            fault,
        };
        assert_eq!(damage_of(fixture.store().journal("j")), damage);
        // What is not asked for is not in the way.
        assert_eq!(fixture.store().journal_page("j", 2, 9).unwrap().len(), 1);
        assert_eq!(fixture.store().last_sequence("j").unwrap(), 3);
        assert_eq!(fixture.store().verify().unwrap().damage, [damage]);
    }
    fixture.plant(&keys[1], Some(second));
    assert_eq!(fixture.store().journal("j").unwrap().len(), 3);
}

/// As if it had not been appended, or as if another had not.
fn an_event_that_is_brought_back_is_noticed(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.append("j", b"1");
    let before = fixture.everything();
    fixture.append("j", b"2");
    let key = fixture.key_of_event("j", 2);
    fixture.plant(&key, None);
    let cut = Damage {
        place: event("j", 2),
        fault: Fault::Missing,
    };
    assert_eq!(damage_of(fixture.store().journal("j")), cut);
    // With everything of the index put back too, but for the root, the journal is out of reach.
    for stored in before.iter().filter(|s| s.key.starts_with(b"N")) {
        fixture.plant(&stored.key, Some(stored.value.clone()));
    }
    fixture.reopen();
    assert_eq!(
        damage_of(fixture.store().journal("j")).fault,
        Fault::Outdated
    );
    assert!(!fixture.store().verify().unwrap().damage.is_empty());
    let mut transaction = Transaction::new();
    transaction.append("j", b"2".to_vec());
    damage_of(fixture.store().transact(transaction));
}

fn something_planted_is_found(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    for key in [&b"Rubbish"[..], b"V", b"N0123456789abcdef", b"", b"T1"] {
        fixture.plant(key, Some(b"rubbish".to_vec()));
        let damage = Damage {
            place: Place::Stray {
                key: hex::encode(key),
            },
            fault: Fault::Unaccounted,
        };
        assert_eq!(fixture.store().verify().unwrap().damage, [damage]);
        fixture.plant(key, None);
    }
    assert_eq!(fixture.store().verify().unwrap().damage, []);
}

/// Only a crowd lies together, and its keys are made of nothing but chance as well.
fn what_came_in_a_crowd_lies_together_and_in_no_order(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "before", b"");
    fixture.put_many("c", CROWD);
    fixture.put("c", "zlast", b"");
    let stored = fixture.everything();
    let values: Vec<_> = stored.iter().map(|stored| &stored.key[..]).collect();
    let crowd: Vec<_> = (0..CROWD)
        .map(|n| fixture.key_of("c", &format!("{n:05}")))
        .collect();
    let start = &crowd[0][..9];
    assert!(crowd.iter().all(|key| key.starts_with(start)));
    assert_eq!(
        values.iter().filter(|key| key.starts_with(start)).count(),
        CROWD
    );
    assert!(!crowd.is_sorted());
}

/// Every value lies under a key of its own that is made of nothing but chance.
fn what_is_stored_tells_nothing_of_what_belongs_together(engine: EngineKind) {
    let (one, other) = (Fixture::new(engine), Fixture::new(engine));
    for fixture in [&one, &other] {
        for event in 0..20_u8 {
            fixture.append("j", &[event]);
        }
        fixture.put_many("c", 20);
    }
    let values = |fixture: &Fixture| -> Vec<_> {
        let stored = fixture.everything();
        let keys = stored.iter().map(|stored| stored.key.clone());
        keys.filter(|key| key.starts_with(b"V")).collect()
    };
    let (in_one, in_other) = (values(&one), values(&other));
    assert_eq!(in_one.len(), 40);
    assert!(in_one.iter().all(|key| key.len() == 17));
    assert!(in_one.iter().all(|key| !in_other.contains(key)));
    let in_order: Vec<_> = (1..=20).map(|n| one.key_of_event("j", n)).collect();
    assert!(!in_order.is_sorted());
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
    assert_eq!(damage_of(store.read("c", "a")).place, Place::Root);
    assert!(!store.verify().unwrap().damage.is_empty());
}
