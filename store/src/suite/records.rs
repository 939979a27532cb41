//! Records and transactions.

use std::sync::Barrier;

use super::{Fixture, for_each_engine};
use crate::engine::EngineKind;
use crate::{Error, Expect, Transaction};

for_each_engine!(
    a_condition_that_fails_undoes_the_whole_transaction,
    a_deleted_record_is_gone_and_may_be_made_anew,
    a_large_record_comes_back_whole,
    a_reader_never_sees_half_a_transaction,
    a_record_comes_back_as_written_after_reopening,
    a_transaction_sees_its_own_operations,
    an_empty_or_overlong_name_is_refused,
    collections_do_not_share_records,
    conditions_compare_with_what_is_stored,
    of_two_writers_of_one_version_one_wins,
    records_are_listed_by_id,
    too_much_is_refused,
    versions_count_the_writes,
);

fn a_record_comes_back_as_written_after_reopening(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("identities", "alpha", b"one");
    fixture.reopen();
    assert_eq!(fixture.text("identities", "alpha").as_deref(), Some("one"));
    assert_eq!(fixture.text("identities", "beta"), None);
    assert_eq!(fixture.store().engine(), engine);
}

fn versions_count_the_writes(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    for version in 1..=3 {
        fixture.put("c", "a", b"x");
        assert_eq!(
            fixture.store().read("c", "a").unwrap().unwrap().version,
            version
        );
    }
}

fn conditions_compare_with_what_is_stored(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let attempt = |expect| {
        let mut transaction = Transaction::new();
        transaction.put("c", "a", b"new".to_vec(), expect);
        fixture.store().transact(transaction)
    };
    let refused = attempt(Expect::Version(1)).unwrap_err();
    assert!(
        matches!(refused, Error::Conflict { found: None, .. }),
        "{refused}"
    );
    attempt(Expect::Absent).unwrap();
    let refused = attempt(Expect::Absent).unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#"record "a" in "c" is at version 1 but no such record was expected"#
    );
    attempt(Expect::Version(1)).unwrap();
    let refused = attempt(Expect::Version(1)).unwrap_err();
    assert!(matches!(
        refused,
        Error::Conflict {
            found: Some(2),
            expected: Expect::Version(1),
            ..
        }
    ));
    attempt(Expect::Any).unwrap();
}

fn a_condition_that_fails_undoes_the_whole_transaction(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "kept", b"old");
    let mut transaction = Transaction::new();
    transaction
        .put("c", "new", b"x".to_vec(), Expect::Absent)
        .delete("c", "kept", Expect::Version(1))
        .append("j", b"event".to_vec())
        .put("c", "other", b"x".to_vec(), Expect::Version(7));
    assert!(matches!(
        fixture.store().transact(transaction),
        Err(Error::Conflict { id, .. }) if id == "other"
    ));
    for _ in 0..2 {
        assert_eq!(fixture.text("c", "kept").as_deref(), Some("old"));
        assert_eq!(fixture.store().list("c").unwrap().len(), 1);
        assert_eq!(fixture.store().journal("j").unwrap(), []);
        fixture.reopen();
    }
}

fn a_transaction_sees_its_own_operations(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let mut transaction = Transaction::new();
    transaction
        .put("c", "a", b"1".to_vec(), Expect::Absent)
        .put("c", "a", b"2".to_vec(), Expect::Version(1))
        .put("c", "b", b"3".to_vec(), Expect::Absent)
        .delete("c", "b", Expect::Version(1))
        .append_at("j", 1, b"x".to_vec())
        .append_at("j", 2, b"y".to_vec());
    fixture.store().transact(transaction).unwrap();
    assert_eq!(fixture.text("c", "a").as_deref(), Some("2"));
    assert_eq!(fixture.store().list("c").unwrap().len(), 1);
    assert_eq!(fixture.store().journal("j").unwrap().len(), 2);
    assert_eq!(fixture.store().verify().unwrap().damage, []);
}

fn a_deleted_record_is_gone_and_may_be_made_anew(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.put("c", "a", b"2");
    let delete = |expect| {
        let mut transaction = Transaction::new();
        transaction.delete("c", "a", expect);
        transaction
    };
    assert!(
        fixture
            .store()
            .transact(delete(Expect::Version(1)))
            .is_err()
    );
    fixture
        .store()
        .transact(delete(Expect::Version(2)))
        .unwrap();
    fixture.store().transact(delete(Expect::Any)).unwrap();
    assert!(
        fixture
            .store()
            .transact(delete(Expect::Version(2)))
            .is_err()
    );
    fixture.reopen();
    assert_eq!(fixture.text("c", "a"), None);
    assert_eq!(fixture.store().list("c").unwrap(), []);
    fixture.put("c", "a", b"3");
    assert_eq!(fixture.store().read("c", "a").unwrap().unwrap().version, 1);
    assert_eq!(fixture.store().verify().unwrap().damage, []);
}

fn records_are_listed_by_id(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let mut transaction = Transaction::new();
    for i in (0..500).rev() {
        transaction.put(
            "many",
            &format!("id/{i:04}"),
            vec![i as u8; i],
            Expect::Absent,
        );
    }
    fixture.store().transact(transaction).unwrap();
    fixture.reopen();
    let records = fixture.store().list("many").unwrap();
    assert_eq!(records.len(), 500);
    assert!(records.is_sorted_by(|a, b| a.id < b.id));
    assert!(
        records
            .iter()
            .enumerate()
            .all(|(i, record)| *record.bytes == vec![i as u8; i])
    );
    let some = fixture.store().list_prefix("many", "id/012").unwrap();
    assert_eq!(some.len(), 10);
    assert_eq!(some[0].id, "id/0120");
    assert_eq!(fixture.store().list_prefix("many", "nothing").unwrap(), []);
}

fn collections_do_not_share_records(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("ab", "c", b"1");
    fixture.put("a", "bc", b"2");
    assert_eq!(fixture.text("ab", "c").as_deref(), Some("1"));
    assert_eq!(fixture.text("a", "bc").as_deref(), Some("2"));
    assert_eq!(fixture.text("a", "c"), None);
    assert_eq!(fixture.store().list("a").unwrap().len(), 1);
    assert_eq!(fixture.store().list("abc").unwrap(), []);
}

fn a_large_record_comes_back_whole(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let large: Vec<u8> = (0..1024 * 1024_u32).map(|i| (i % 253) as u8).collect();
    fixture.put("c", "large", &large);
    fixture.reopen();
    assert!(*fixture.store().read("c", "large").unwrap().unwrap().bytes == large);
    assert_eq!(fixture.store().verify().unwrap().damage, []);
}

fn too_much_is_refused(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let mut transaction = Transaction::new();
    transaction.put("c", "a", vec![0; 16 * 1024 * 1024 + 1], Expect::Any);
    assert!(matches!(
        fixture.store().transact(transaction),
        Err(Error::TooLarge { .. })
    ));
    assert_eq!(fixture.text("c", "a"), None);
}

fn an_empty_or_overlong_name_is_refused(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let long = "x".repeat(256);
    for (collection, id) in [("", "a"), ("c", ""), (&*long, "a"), ("c", &*long)] {
        let mut transaction = Transaction::new();
        transaction.put(collection, id, b"x".to_vec(), Expect::Any);
        let refused = fixture.store().transact(transaction);
        assert!(matches!(refused, Err(Error::NameLength { .. })));
    }
    fixture.put(&long[1..], &long[1..], b"x");
    assert_eq!(fixture.text(&long[1..], &long[1..]).as_deref(), Some("x"));
}

fn of_two_writers_of_one_version_one_wins(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("c", "a", b"0");
    let barrier = Barrier::new(4);
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|i: u8| {
                let (store, barrier) = (fixture.store().clone(), &barrier);
                scope.spawn(move || {
                    let mut transaction = Transaction::new();
                    transaction.put("c", "a", vec![i], Expect::Version(1));
                    barrier.wait();
                    store.transact(transaction).is_ok()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|w| w.join().unwrap())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1);
    assert_eq!(fixture.store().read("c", "a").unwrap().unwrap().version, 2);
}

fn a_reader_never_sees_half_a_transaction(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let write = |n: u8| {
        let mut transaction = Transaction::new();
        for id in ["a", "b", "c", "d"] {
            transaction.put("c", id, vec![n], Expect::Any);
        }
        fixture.store().transact(transaction).unwrap();
    };
    write(0);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let store = fixture.store().clone();
                scope.spawn(move || {
                    for _ in 0..60 {
                        let records = store.list("c").unwrap();
                        assert_eq!(records.len(), 4);
                        assert!(records.iter().all(|r| r.bytes == records[0].bytes));
                    }
                })
            })
            .collect();
        (1..20).for_each(write);
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
}
