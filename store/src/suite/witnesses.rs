//! The witness: what it was told, it knows; and what it cannot know, it does not claim.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::Fixture;
use crate::engine::EngineKind;
use crate::{Lineage, Mark, Witness, WitnessError};

struct Scene {
    _fixture: Fixture,
    lineage: Lineage,
    dir: TempDir,
}

const FRAME: usize = 24 + 41 + 16;

impl Scene {
    fn new() -> Self {
        let fixture = Fixture::new(EngineKind::Redb);
        Self {
            lineage: fixture.store().lineage().unwrap(),
            _fixture: fixture,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("witness")
    }

    fn open(&self) -> Result<Witness, WitnessError> {
        Witness::open(&self.path(), &self.lineage)
    }

    fn tamper(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path()).unwrap();
        change(&mut bytes);
        fs::remove_file(self.path()).unwrap();
        crate::files::write_private(&self.path(), &bytes).unwrap();
    }
}

fn buried(witness: &Witness) -> Result<Vec<([u8; 32], Mark)>, WitnessError> {
    let mut found = Vec::new();
    witness.tombstones(|key, mark| found.push((key, mark)))?;
    Ok(found)
}

#[test]
fn a_witness_remembers_the_number_and_the_dead() {
    let scene = Scene::new();
    let mut witness = Witness::create(
        &scene.path(),
        &scene.lineage,
        5,
        &[([9; 32], Mark::Destroyed)],
    )
    .unwrap();
    witness.note(7).unwrap();
    witness.bury(&[1; 32], Mark::Destroyed).unwrap();
    witness.note(9).unwrap();
    witness.bury(&[2; 32], Mark::Compromised).unwrap();
    witness.note(3).unwrap();
    assert_eq!(witness.mark(), 9, "less is no news");
    assert!(matches!(scene.open(), Err(WitnessError::InUse { .. })));
    drop(witness);
    let witness = scene.open().unwrap();
    assert_eq!(witness.mark(), 9);
    let dead = [
        ([9; 32], Mark::Destroyed),
        ([1; 32], Mark::Destroyed),
        ([2; 32], Mark::Compromised),
    ];
    assert_eq!(buried(&witness).unwrap(), dead);
    let bytes = fs::read(scene.path()).unwrap();
    assert!(
        !bytes
            .windows(8)
            .any(|window| window == [1; 8] || window == [2; 8]),
        "it names no key to others"
    );
    assert!(matches!(
        Witness::create(&scene.path(), &scene.lineage, 0, &[]),
        Err(WitnessError::Io { .. })
    ));
}

#[test]
fn a_write_that_was_cut_short_costs_only_what_was_not_acknowledged() {
    let scene = Scene::new();
    let mut witness = Witness::create(&scene.path(), &scene.lineage, 1, &[]).unwrap();
    for number in [10, 20, 30] {
        witness.note(number).unwrap();
    }
    witness.bury(&[1; 32], Mark::Destroyed).unwrap();
    drop(witness);
    // The mark in the place that is written next is torn, whichever that is: the other one stands.
    for place in [1, 2] {
        let before = fs::read(scene.path()).unwrap();
        scene.tamper(|bytes| bytes[place * FRAME + 30] ^= 1);
        let mark = scene.open().unwrap().mark();
        assert!([20, 30].contains(&mark), "{mark}");
        scene.tamper(|bytes| *bytes = before);
    }
    // A tombstone is torn, in length and in content.
    for length in [1, FRAME - 1, FRAME] {
        scene.tamper(|bytes| bytes.extend(vec![0; length]));
        let mut witness = scene.open().unwrap();
        assert_eq!(buried(&witness).unwrap().len(), 1);
        witness.bury(&[3; 32], Mark::Destroyed).unwrap();
        drop(witness);
        assert_eq!(buried(&scene.open().unwrap()).unwrap().len(), 2);
        scene.tamper(|bytes| bytes.truncate(4 * FRAME));
    }
}

#[test]
fn a_witness_that_was_tampered_with_is_not_believed() {
    let scene = Scene::new();
    let mut witness = Witness::create(&scene.path(), &scene.lineage, 1, &[]).unwrap();
    for key in 1..=4 {
        witness.bury(&[key; 32], Mark::Destroyed).unwrap();
    }
    drop(witness);
    let whole = fs::read(scene.path()).unwrap();
    let judged = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        scene.tamper(|bytes| {
            bytes.clone_from(&whole);
            change(bytes);
        });
        let answer = scene.open().and_then(|witness| buried(&witness));
        assert!(
            matches!(
                answer,
                Err(WitnessError::Damaged { .. } | WitnessError::Foreign { .. })
            ),
            "{what}: {answer:?}"
        );
    };
    judged("one taken out of the middle", &|bytes| {
        drop(bytes.drain(4 * FRAME..5 * FRAME));
    });
    judged("two exchanged", &|bytes| {
        let (one, two) = bytes[3 * FRAME..].split_at_mut(FRAME);
        one.swap_with_slice(&mut two[..FRAME]);
    });
    judged("one altered", &|bytes| bytes[4 * FRAME + 40] ^= 1);
    judged("both marks altered", &|bytes| {
        bytes[FRAME + 30] ^= 1;
        bytes[2 * FRAME + 30] ^= 1;
    });
    judged("the magic altered", &|bytes| bytes[0] ^= 1);
    judged("another store's name", &|bytes| bytes[25] ^= 1);
    judged("empty", &|bytes| bytes.clear());

    let other = Scene::new();
    scene.tamper(|bytes| bytes.clone_from(&whole));
    assert!(matches!(
        Witness::open(&scene.path(), &other.lineage),
        Err(WitnessError::Foreign { .. })
    ));
    assert_eq!(buried(&scene.open().unwrap()).unwrap().len(), 4);
}
