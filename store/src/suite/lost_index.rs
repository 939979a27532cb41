//! What a thief or a failing disk may do to the index and the root, and what is then seen.

use super::{Fixture, damage_of, for_each_engine, record};
use crate::engine::EngineKind;
use crate::error::{Damage, Fault, Place};
use crate::vault::ROOT_KEY;
use crate::{Expect, Transaction};

for_each_engine!(
    a_deleted_record_is_not_preferred_by_salvage,
    a_lost_leaf_takes_nothing_else_with_it,
    a_node_from_before_is_noticed,
    a_root_put_back_under_an_open_store_is_noticed,
    any_altered_byte_of_a_node_is_found,
    without_its_top_nothing_is_written_and_everything_is_salvaged,
);

const MANY: usize = 300;

fn any_altered_byte_of_a_node_is_found(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    let (key, _) = fixture.nodes().remove(0);
    let vault = fixture.store().inner.vault.read().unwrap().clone();
    let (sound, root) = (fixture.raw(&key), fixture.raw(ROOT_KEY));
    assert!(vault.open_node(&key, &sound).is_ok());
    assert!(vault.open_root(Some(&root)).is_ok());
    for position in 0..sound.len() {
        let mut altered = sound.clone();
        altered[position] ^= 0x10;
        assert!(vault.open_node(&key, &altered).is_err());
        assert!(vault.open_node(&key, &sound[..position]).is_err());
    }
    for position in 0..root.len() {
        let mut altered = root.clone();
        altered[position] ^= 0x10;
        assert!(vault.open_root(Some(&altered)).is_err());
        assert!(vault.open_root(Some(&root[..position])).is_err());
    }
}

fn a_lost_leaf_takes_nothing_else_with_it(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put_many("c", MANY);
    fixture.put("d", "other", b"other");
    let nodes = fixture.nodes();
    let (key, leaf) = nodes
        .iter()
        .filter(|(_, node)| node.level == 0)
        .nth(2)
        .unwrap();
    let lost: Vec<usize> = (0..MANY)
        .filter(|n| {
            let name = crate::index::key::record("c", &format!("{n:05}"));
            leaf.entries.iter().any(|entry| entry.key == name)
        })
        .collect();
    assert!(lost.len() > 10 && lost.len() < MANY / 2);
    let mut altered = fixture.raw(key);
    altered[100] ^= 1;
    for (planted, fault) in [(Some(altered), Fault::Altered), (None, Fault::Missing)] {
        fixture.plant(key, planted);
        fixture.reopen();
        let store = fixture.store();
        let found = damage_of(store.list("c"));
        assert_eq!(found.fault, fault);
        let Place::Node {
            key: named,
            from,
            to,
        } = &found.place
        else {
            panic!("{found}");
        };
        assert_eq!(*named, hex::encode(key));
        // What it lists is told well enough to find it.
        assert!(from.is_some() && to.is_some(), "{found}");

        for n in 0..MANY {
            let id = format!("{n:05}");
            let read = store.read("c", &id);
            if lost.contains(&n) {
                assert_eq!(damage_of(read), found);
            } else {
                assert_eq!(*read.unwrap().unwrap().bytes, id.into_bytes());
            }
        }
        let survey = store.survey("c").unwrap();
        assert_eq!(survey.damage, std::slice::from_ref(&found));
        assert!(
            survey
                .records
                .iter()
                .map(|r| r.id.clone())
                .eq((0..MANY).map(|n| format!("{n:05}")))
        );
        let mut one_by_one = Vec::new();
        let view = store.snapshot().unwrap();
        let damage = view.survey_each("c", &mut |record| one_by_one.push(record));
        assert_eq!(damage.unwrap(), survey.damage);
        drop(view);
        one_by_one.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(one_by_one, survey.records);
        let report = store.verify().unwrap();
        assert_eq!(report.damage, std::slice::from_ref(&found));
        assert_eq!(report.records as usize, MANY + 1);

        // Nothing is built on it, and everything else can be written.
        let attempt = |n: usize| {
            let mut transaction = Transaction::new();
            transaction.put("c", &format!("{n:05}"), b"new".to_vec(), Expect::Any);
            store.transact(transaction)
        };
        assert_eq!(damage_of(attempt(lost[0])), found);
        let mut transaction = Transaction::new();
        transaction.put("d", "other", b"new".to_vec(), Expect::Version(1));
        if fault == Fault::Altered {
            store.transact(transaction).unwrap();
        }
        // Its neighbours shrink without it.
        let mut transaction = Transaction::new();
        for n in (0..MANY).filter(|n| *n > lost[lost.len() - 1]).take(30) {
            transaction.delete("c", &format!("{n:05}"), Expect::Any);
        }
        if fault == Fault::Missing {
            store.transact(transaction).unwrap();
            assert_eq!(store.verify().unwrap().damage, [found]);
        }
    }
}

fn a_node_from_before_is_noticed(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put_many("c", MANY);
    let before = fixture.nodes();
    let old: Vec<_> = before.iter().map(|(key, _)| fixture.raw(key)).collect();
    fixture.put("c", "00100", b"new");
    let mut noticed = 0;
    for ((key, _), old) in before.iter().zip(old) {
        let sound = fixture.raw(key);
        if sound == old {
            continue;
        }
        noticed += 1;
        fixture.plant(key, Some(old));
        fixture.reopen();
        let damage = damage_of(fixture.store().read("c", "00100"));
        assert_eq!(damage.fault, Fault::Outdated);
        assert_eq!(damage_of(fixture.store().list("c")), damage);
        assert_eq!(fixture.store().verify().unwrap().damage, [damage]);
        fixture.plant(key, Some(sound));
    }
    assert!(noticed >= 2);
}

fn a_root_put_back_under_an_open_store_is_noticed(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"old");
    let before = fixture.everything();
    fixture.put("c", "a", b"new");
    // Everything as it was: nothing but what this process remembers is in the way.
    for stored in before {
        fixture.plant(&stored.key, Some(stored.value));
    }
    let outdated = Damage {
        place: Place::Root,
        fault: Fault::Outdated,
    };
    assert_eq!(damage_of(fixture.store().read("c", "a")), outdated);
    assert_eq!(damage_of(fixture.store().list("c")), outdated);
    assert!(fixture.store().verify().unwrap().damage.contains(&outdated));
    let mut transaction = Transaction::new();
    transaction.put("c", "b", b"1".to_vec(), Expect::Any);
    assert_eq!(damage_of(fixture.store().transact(transaction)), outdated);
}

fn without_its_top_nothing_is_written_and_everything_is_salvaged(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put_many("c", MANY);
    fixture.append("j", b"1");
    let (top, _) = fixture.nodes().remove(0);
    let sound = fixture.raw(&top);
    for (key, place) in [(top.clone(), None), (ROOT_KEY.to_vec(), Some(Place::Root))] {
        fixture.plant(&top, Some(sound.clone()));
        fixture.plant(&key, None);
        fixture.reopen();
        let store = fixture.store();
        let damage = damage_of(store.read("c", "00000"));
        assert_eq!(damage.fault, Fault::Missing);
        assert!(place.is_none_or(|place| damage.place == place), "{damage}");
        assert_eq!(damage_of(store.list("c")), damage);
        assert_eq!(damage_of(store.journal("j")), damage);
        let mut transaction = Transaction::new();
        transaction.put("e", "b", b"2".to_vec(), Expect::Any);
        assert_eq!(damage_of(store.transact(transaction)), damage);
        let survey = store.survey("c").unwrap();
        assert_eq!(survey.records.len(), MANY);
        let report = store.verify().unwrap();
        assert_eq!((report.records as usize, report.entries), (MANY, 1));
        assert_eq!(report.damage, [damage]);
    }
}

/// Two of the same name can be there only when one was put there by somebody else.
fn a_deleted_record_is_not_preferred_by_salvage(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "a", b"first");
    fixture.put("c", "a", b"first of another id");
    let key = fixture.key_of("c", "a");
    let old = fixture.raw(&key);
    fixture.delete("c", "a");
    fixture.put("c", "a", b"second");
    assert_ne!(fixture.key_of("c", "a"), key);
    fixture.plant(&key, Some(old));
    let (top, _) = fixture.nodes().remove(0);
    fixture.plant(&top, None);
    fixture.reopen();
    let survey = fixture.store().survey("c").unwrap();
    assert_eq!(survey.records.len(), 1);
    assert_eq!(*survey.records[0].bytes, b"second");
    assert_ne!(survey.damage, []);
    assert_ne!(survey.damage[0].place, record("c", "a"));
}
