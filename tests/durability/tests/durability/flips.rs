//! A store of which one byte is another, or the end is missing.
//!
//! Here at some places of each file; `scripts/durability` tries every one.

use countersign_durability::flip::Small;
use countersign_durability::tally::Tally;
use countersign_store::EngineKind;

fn assert_found(engine: EngineKind, tally: &Tally) {
    assert!(tally.images > 20, "{tally}");
    assert_eq!(tally.wrong, 0, "{engine}: {tally}");
    assert_eq!(tally.panicked, 0, "{engine}: {tally}");
    assert_eq!(tally.lost, 0, "{engine}: {tally}");
}

#[test]
fn a_changed_byte_of_a_redb_store_is_found_or_harmless() {
    let small = Small::new(EngineKind::Redb).unwrap();
    let tally = small.flip(1_009, 5).unwrap();
    assert_found(EngineKind::Redb, &tally);
    assert!(tally.did_not_open > 0, "{tally}");
}

#[test]
fn a_changed_byte_of_a_sled_store_is_found_or_harmless() {
    let small = Small::new(EngineKind::Sled).unwrap();
    let tally = small.flip(1_009, 5).unwrap();
    assert_found(EngineKind::Sled, &tally);
}

#[test]
fn a_redb_store_cut_short_is_found() {
    let small = Small::new(EngineKind::Redb).unwrap();
    assert_found(EngineKind::Redb, &small.truncate(1_009, 5).unwrap());
}

#[test]
fn a_sled_store_cut_short_is_found() {
    let small = Small::new(EngineKind::Sled).unwrap();
    assert_found(EngineKind::Sled, &small.truncate(1_009, 5).unwrap());
}
