//! What every engine must do, below any sealing.

use super::for_each_engine;
use crate::engine::{Change, EngineKind, Stored};

for_each_engine!(
    a_batch_is_there_after_reopening,
    a_batch_may_be_empty,
    a_scan_is_in_order_and_stays_within_its_prefix,
    a_removed_key_is_gone,
    large_values_come_back_whole,
);

fn put(key: &[u8], value: &[u8]) -> Change {
    Change {
        key: key.to_vec(),
        value: Some(value.to_vec()),
    }
}

fn stored(key: &[u8], value: &[u8]) -> Stored {
    Stored {
        key: key.to_vec(),
        value: value.to_vec(),
    }
}

fn a_batch_is_there_after_reopening(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[put(b"a", b"1"), put(b"b", b"2")]).unwrap();
    drop(engine);
    let engine = kind.open(dir.path()).unwrap();
    assert_eq!(engine.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(engine.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(engine.get(b"c").unwrap(), None);
}

fn a_batch_may_be_empty(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[]).unwrap();
    assert_eq!(engine.scan(b"").unwrap(), []);
}

fn a_scan_is_in_order_and_stays_within_its_prefix(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let engine = kind.create(dir.path()).unwrap();
    let last = [0xff, 0xff];
    let batch = [
        put(b"b2", b"2"),
        put(b"a", b"0"),
        put(b"b10", b"1"),
        put(b"c", b"3"),
        put(&last, b"4"),
    ];
    engine.apply(&batch).unwrap();
    assert_eq!(
        engine.scan(b"b").unwrap(),
        [stored(b"b10", b"1"), stored(b"b2", b"2")]
    );
    assert_eq!(engine.scan(&[0xff]).unwrap(), [stored(&last, b"4")]);
    assert_eq!(engine.scan(b"").unwrap().len(), 5);
    assert_eq!(engine.scan(b"d").unwrap(), []);
}

fn a_removed_key_is_gone(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[put(b"a", b"1"), put(b"b", b"2")]).unwrap();
    let remove = |key: &[u8]| Change {
        key: key.to_vec(),
        value: None,
    };
    engine
        .apply(&[remove(b"a"), put(b"b", b"3"), remove(b"never there")])
        .unwrap();
    assert_eq!(engine.scan(b"").unwrap(), [stored(b"b", b"3")]);
}

fn large_values_come_back_whole(kind: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let engine = kind.create(dir.path()).unwrap();
    let large: Vec<u8> = (0..4 * 1024 * 1024_u32).map(|i| (i % 251) as u8).collect();
    engine
        .apply(&[put(b"large", &large), put(b"small", b"1")])
        .unwrap();
    drop(engine);
    let engine = kind.open(dir.path()).unwrap();
    assert!(engine.get(b"large").unwrap().unwrap() == large);
}
