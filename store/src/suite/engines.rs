//! What every engine must do, below any sealing.

use super::{Room, for_each_engine};
use crate::engine::{Change, Engine, EngineKind, Stored};

for_each_engine!(
    a_batch_is_there_after_reopening,
    a_batch_may_be_empty,
    a_page_goes_on_after_the_one_before,
    a_page_is_in_order_and_stays_within_its_prefix,
    a_removed_key_is_gone,
    a_snapshot_does_not_see_what_comes_after_it,
    large_values_come_back_whole,
    many_values_come_in_the_order_asked_for,
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

fn all(engine: &dyn Engine, prefix: &[u8]) -> Vec<Stored> {
    engine.page(prefix, None, usize::MAX).unwrap()
}

fn a_batch_is_there_after_reopening(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[put(b"a", b"1"), put(b"b", b"2")]).unwrap();
    drop(engine);
    let engine = kind.open(dir.path()).unwrap();
    assert_eq!(engine.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(engine.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(engine.get(b"c").unwrap(), None);
}

fn a_batch_may_be_empty(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[]).unwrap();
    assert_eq!(all(&*engine, b""), []);
}

fn a_page_is_in_order_and_stays_within_its_prefix(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
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
        all(&*engine, b"b"),
        [stored(b"b10", b"1"), stored(b"b2", b"2")]
    );
    assert_eq!(all(&*engine, &[0xff]), [stored(&last, b"4")]);
    assert_eq!(all(&*engine, b"").len(), 5);
    assert_eq!(all(&*engine, b"d"), []);
}

fn a_page_goes_on_after_the_one_before(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
    let engine = kind.create(dir.path()).unwrap();
    let values: Vec<_> = (0..10).map(|n| stored(&[b'p', n], &[n])).collect();
    let mut batch: Vec<_> = values.iter().map(|v| put(&v.key, &v.value)).collect();
    batch.extend([put(b"o", b"before"), put(b"q", b"after")]);
    engine.apply(&batch).unwrap();
    let page = |after: Option<&[u8]>, limit| engine.page(b"p", after, limit).unwrap();
    assert_eq!(page(None, 3), values[..3]);
    assert_eq!(page(Some(&[b'p', 2]), 3), values[3..6]);
    assert_eq!(page(Some(&[b'p', 7]), 3), values[8..]);
    assert_eq!(page(Some(&[b'p', 9]), 3), []);
    assert_eq!(page(None, 0), []);
    // What to go on after need not be there, nor within the prefix.
    assert_eq!(page(Some(&[b'p', 4, 0]), 1), values[5..6]);
    assert_eq!(page(Some(b"a"), 1), values[..1]);
    assert_eq!(page(Some(b"z"), 1), []);
}

fn many_values_come_in_the_order_asked_for(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[put(b"a", b"1"), put(b"b", b"2")]).unwrap();
    let keys = [&b"b"[..], b"nothing", b"a", b"b"].map(<[u8]>::to_vec);
    let (one, two) = (Some(b"1".to_vec()), Some(b"2".to_vec()));
    assert_eq!(
        engine.get_many(&keys).unwrap(),
        [two.clone(), None, one, two]
    );
    assert_eq!(engine.get_many(&[]).unwrap(), Vec::<Option<_>>::new());
}

/// Or the engine says that it has none.
fn a_snapshot_does_not_see_what_comes_after_it(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[put(b"a", b"1"), put(b"b", b"2")]).unwrap();
    let Some(before) = engine.snapshot().unwrap() else {
        return;
    };
    let remove = Change {
        key: b"b".to_vec(),
        value: None,
    };
    engine.apply(&[put(b"a", b"3"), remove]).unwrap();
    assert_eq!(
        before.page(b"", None, 9).unwrap(),
        [stored(b"a", b"1"), stored(b"b", b"2")]
    );
    assert_eq!(before.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(all(&*engine, b""), [stored(b"a", b"3")]);
}

fn a_removed_key_is_gone(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
    let engine = kind.create(dir.path()).unwrap();
    engine.apply(&[put(b"a", b"1"), put(b"b", b"2")]).unwrap();
    let remove = |key: &[u8]| Change {
        key: key.to_vec(),
        value: None,
    };
    engine
        .apply(&[remove(b"a"), put(b"b", b"3"), remove(b"never there")])
        .unwrap();
    assert_eq!(all(&*engine, b""), [stored(b"b", b"3")]);
}

fn large_values_come_back_whole(kind: EngineKind) {
    let (dir, _room) = Room::for_engine(kind);
    let engine = kind.create(dir.path()).unwrap();
    let large: Vec<u8> = (0..4 * 1024 * 1024_u32).map(|i| (i % 251) as u8).collect();
    engine
        .apply(&[put(b"large", &large), put(b"small", b"1")])
        .unwrap();
    drop(engine);
    let engine = kind.open(dir.path()).unwrap();
    assert!(engine.get(b"large").unwrap().unwrap() == large);
}
