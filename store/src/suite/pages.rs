//! Reading in order, in parts, and without reading what was not asked for.

use std::ops::Bound;

use super::{Fixture, for_each_engine};
use crate::engine::EngineKind;
use crate::{Expect, Transaction};

for_each_engine!(
    a_journal_is_read_in_pages,
    a_snapshot_stays_as_it_was,
    names_of_collections_and_journals_come_in_pages,
    pages_go_on_after_one_another,
    ranges_keep_to_their_bounds,
    what_is_deleted_leaves_nothing_behind,
);

fn ids(records: &[crate::Record]) -> Vec<&str> {
    records.iter().map(|record| &*record.id).collect()
}

fn pages_go_on_after_one_another(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put_many("c", 700);
    fixture.put("b", "zzz", b"before");
    fixture.put("d", "000", b"after");
    let store = fixture.store();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.page("c", after.as_deref(), 300).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page);
    }
    assert_eq!(seen, store.list("c").unwrap());
    assert_eq!(seen.len(), 700);
    assert_eq!(store.count("c").unwrap(), 700);
    assert_eq!(store.count("b").unwrap(), 1);
    assert_eq!(store.count("nothing").unwrap(), 0);
    assert_eq!(store.page("c", None, 0).unwrap(), []);
}

fn ranges_keep_to_their_bounds(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    for id in ["a", "b", "ba", "c", "d"] {
        fixture.put("x", id, id.as_bytes());
    }
    fixture.put("w", "b", b"");
    fixture.put("y", "b", b"");
    let store = fixture.store();
    assert_eq!(
        ids(&store.range("x", "b".."d", 9).unwrap()),
        ["b", "ba", "c"]
    );
    assert_eq!(ids(&store.range("x", "b"..="d", 2).unwrap()), ["b", "ba"]);
    assert_eq!(ids(&store.range("x", ..="b", 9).unwrap()), ["a", "b"]);
    assert_eq!(ids(&store.range("x", "c".., 9).unwrap()), ["c", "d"]);
    let after = (Bound::Excluded("b"), Bound::Unbounded);
    assert_eq!(ids(&store.range("x", after, 1).unwrap()), ["ba"]);
    assert_eq!(ids(&store.range("x", "d".."b", 9).unwrap()), [""; 0]);
    for (ids, count) in [("b".."d", 3), ("".."zz", 5), ("aa".."b", 0), ("d".."b", 0)] {
        assert_eq!(store.count_range("x", ids).unwrap(), count);
    }
    assert_eq!(store.count_range("x", ..="b").unwrap(), 2);
    assert_eq!(store.count_range("x", after).unwrap(), 3);
    let labels = store.labels("x", "b".."c", 9).unwrap();
    let labels: Vec<_> = labels.iter().map(|l| (&*l.id, l.version)).collect();
    assert_eq!(labels, [("b", 1), ("ba", 1)]);
}

fn a_journal_is_read_in_pages(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let mut transaction = Transaction::new();
    for event in 1..=300_u64 {
        transaction.append_at("j", event, event.to_be_bytes().to_vec());
    }
    transaction.append("k", b"another".to_vec());
    fixture.store().transact(transaction).unwrap();
    let store = fixture.store();
    let numbers = |after, limit| -> Vec<u64> {
        let page = store.journal_page("j", after, limit).unwrap();
        page.iter().map(|entry| entry.sequence).collect()
    };
    assert_eq!(numbers(0, 3), [1, 2, 3]);
    assert_eq!(numbers(255, 3), [256, 257, 258]);
    assert_eq!(numbers(299, 3), [300]);
    assert_eq!(numbers(300, 3), [0; 0]);
    assert_eq!(store.last_sequence("j").unwrap(), 300);
    assert_eq!(store.last_sequence("never").unwrap(), 0);
}

fn names_of_collections_and_journals_come_in_pages(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let mut transaction = Transaction::new();
    for name in ["b", "a", "ab", "a\0", "c"] {
        transaction.put(name, "1", b"".to_vec(), Expect::Absent);
        transaction.put(name, "2", b"".to_vec(), Expect::Absent);
    }
    for n in 0..50 {
        transaction.append(&format!("rotation/{n:02}"), b"1".to_vec());
        transaction.append(&format!("rotation/{n:02}"), b"2".to_vec());
    }
    fixture.store().transact(transaction).unwrap();
    let view = fixture.store().snapshot().unwrap();
    assert_eq!(
        view.collections(None, 9).unwrap(),
        ["a", "a\0", "ab", "b", "c"]
    );
    assert_eq!(view.collections(Some("a"), 2).unwrap(), ["a\0", "ab"]);
    assert_eq!(view.collections(Some("c"), 2).unwrap(), [""; 0]);
    let streams = view.streams(None, 99).unwrap();
    assert_eq!(streams.len(), 50);
    assert!(streams.is_sorted());
    assert_eq!(
        view.streams(Some("rotation/10"), 1).unwrap(),
        ["rotation/11"]
    );
}

fn a_snapshot_stays_as_it_was(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put_many("c", 300);
    fixture.append("j", b"1");
    let view = fixture.store().snapshot().unwrap();
    let change = || {
        fixture.put("c", "00007", b"new");
        fixture.delete("c", "00008");
        fixture.append("j", b"2");
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(change);
        // It goes on beside the view, or waits until the view is gone.
        if fixture.store().engine() == EngineKind::Redb {
            writer.join().unwrap();
        }
        assert_eq!(view.list("c").unwrap().len(), 300);
        assert_eq!(*view.read("c", "00007").unwrap().unwrap().bytes, b"00007");
        assert_eq!(view.journal("j").unwrap().len(), 1);
        assert_eq!(view.transactions().unwrap(), 2);
        drop(view);
    });
    let after = fixture.store().snapshot().unwrap();
    assert_eq!(after.list("c").unwrap().len(), 299);
    assert_eq!(*after.read("c", "00007").unwrap().unwrap().bytes, b"new");
    assert_eq!(after.journal("j").unwrap().len(), 2);
}

/// Neither values nor nodes of the index.
fn what_is_deleted_leaves_nothing_behind(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put_many("c", 500);
    let most = fixture.everything().len();
    assert!(most > 505);
    let mut transaction = Transaction::new();
    // Not in order.
    for n in (0..500).map(|n| n * 7 % 500) {
        transaction.delete("c", &format!("{n:05}"), Expect::Any);
        if n % 50 == 0 {
            fixture
                .store()
                .transact(std::mem::take(&mut transaction))
                .unwrap();
            assert_eq!(fixture.store().verify().unwrap().damage, []);
        }
    }
    fixture.store().transact(transaction).unwrap();
    assert_eq!(fixture.everything().len(), 2);
    assert_eq!(fixture.store().list("c").unwrap(), []);
    assert_eq!(fixture.store().verify().unwrap().damage, []);
    fixture.put("c", "again", b"1");
    assert_eq!(fixture.text("c", "again").as_deref(), Some("1"));
}
