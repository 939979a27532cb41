//! Journals: numbered without gaps, never rewritten.

use super::{Fixture, for_each_engine};
use crate::engine::EngineKind;
use crate::{Error, Expect, Transaction};

for_each_engine!(
    a_journal_comes_back_in_order_after_reopening,
    an_append_for_a_number_already_taken_is_refused,
    appends_of_many_threads_leave_no_gap,
    journals_do_not_share_events,
    one_transaction_holds_a_record_and_its_event,
);

fn a_journal_comes_back_in_order_after_reopening(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    assert_eq!(fixture.store().journal("j").unwrap(), []);
    // More than fit in one byte of the number.
    let mut transaction = Transaction::new();
    for i in 1..=300_u64 {
        transaction.append_at("j", i, i.to_string().into_bytes());
    }
    fixture.store().transact(transaction).unwrap();
    fixture.append("j", b"301");
    fixture.reopen();
    let entries = fixture.store().journal("j").unwrap();
    assert_eq!(entries.len(), 301);
    for (entry, expected) in entries.iter().zip(1_u64..) {
        assert_eq!(entry.sequence, expected);
        assert_eq!(*entry.bytes, expected.to_string().into_bytes());
    }
}

fn an_append_for_a_number_already_taken_is_refused(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let attempt = |next| {
        let mut transaction = Transaction::new();
        transaction.append_at("j", next, b"x".to_vec());
        fixture.store().transact(transaction)
    };
    attempt(1).unwrap();
    for wrong in [0, 1, 3, u64::MAX] {
        let refused = attempt(wrong);
        assert!(
            matches!(refused, Err(Error::JournalConflict { expected, found: 2, .. }) if expected == wrong)
        );
    }
    attempt(2).unwrap();
    assert_eq!(fixture.store().journal("j").unwrap().len(), 2);
}

fn one_transaction_holds_a_record_and_its_event(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let mut transaction = Transaction::new();
    transaction
        .put("keys", "k1", b"secret".to_vec(), Expect::Absent)
        .append_at("rotation/1", 1, b"prepared".to_vec());
    fixture.store().transact(transaction).unwrap();
    fixture.reopen();
    assert_eq!(fixture.text("keys", "k1").as_deref(), Some("secret"));
    assert_eq!(
        *fixture.store().journal("rotation/1").unwrap()[0].bytes,
        b"prepared"
    );
}

fn journals_do_not_share_events(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.append("a", b"1");
    fixture.append("b", b"2");
    fixture.append("a", b"3");
    assert_eq!(fixture.store().journal("a").unwrap().len(), 2);
    assert_eq!(fixture.store().journal("b").unwrap().len(), 1);
    // A collection of the same name is another thing.
    fixture.put("a", "x", b"4");
    assert_eq!(fixture.store().journal("a").unwrap().len(), 2);
    assert_eq!(fixture.store().list("a").unwrap().len(), 1);
}

fn appends_of_many_threads_leave_no_gap(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let store = fixture.store().clone();
            scope.spawn(move || {
                for _ in 0..10 {
                    let mut transaction = Transaction::new();
                    transaction.append("j", vec![thread]);
                    store.transact(transaction).unwrap();
                }
            });
        }
    });
    let entries = fixture.store().journal("j").unwrap();
    assert!(entries.iter().map(|entry| entry.sequence).eq(1..=40));
}
