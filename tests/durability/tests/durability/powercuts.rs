//! The disk after a power cut, at moments spread over the life of a store.

use std::path::Path;
use std::process::Command;

use countersign_durability::backups::{self, BACKUP, Draft};
use countersign_durability::disk::{Disk, Loss};
use countersign_durability::powercut::{self, Extent, run};
use countersign_durability::record::{Recording, Start, Step};
use countersign_durability::tally::Tally;
use countersign_store::{BackupIdentity, EngineKind, KeyFile, Manifest};

fn tally_of(engine: EngineKind, extent: Extent) -> Tally {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key");
    KeyFile::generate(&key).unwrap();
    let root = home.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_countersign-durability"));
    run(program, &root, &key, engine, extent).unwrap()
}

fn cut(engine: EngineKind, extent: Extent) -> Tally {
    let tally = tally_of(engine, extent);
    assert!(tally.moments > 30 && tally.images > 100, "{tally}");
    assert_eq!((tally.wrong, tally.panicked), (0, 0), "{tally}");
    assert_eq!(tally.lost, 0, "nothing is missing without a word: {tally}");
    tally
}

const EXTENT: Extent = Extent {
    transactions: 16,
    moments: 40,
    draws: 1,
    seed: 3,
    unsynced: None,
};

#[test]
fn redb_keeps_all_that_was_acknowledged_whenever_the_power_goes() {
    let tally = cut(EngineKind::Redb, EXTENT);
    assert_eq!((tally.did_not_open, tally.found), (0, 0), "{tally}");
}

#[test]
fn sled_keeps_all_that_was_acknowledged_whenever_the_power_goes() {
    let tally = cut(EngineKind::Sled, EXTENT);
    assert_eq!((tally.did_not_open, tally.found), (0, 0), "{tally}");
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign-durability");

/// Each image is opened and worked with several times.
const FEW: Extent = Extent {
    moments: 12,
    ..EXTENT
};

#[track_caller]
fn assert_sound(tally: &Tally) {
    assert!(tally.moments > 10 && tally.images > 20, "{tally}");
    assert_eq!(tally.sound + tally.not_made_yet, tally.images, "{tally}");
}

#[test]
fn a_change_of_slots_or_of_the_master_key_is_whole_or_did_not_happen_whenever_the_power_goes() {
    let program = Path::new(PROGRAM);
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        assert_sound(&powercut::changes(program, engine, FEW).unwrap());
    }
}

#[test]
fn a_restore_leaves_a_whole_store_in_place_whenever_the_power_goes() {
    let program = Path::new(PROGRAM);
    for over in [true, false] {
        let tally = powercut::restore(program, EngineKind::Redb, over, FEW).unwrap();
        assert_sound(&tally);
    }
}

#[test]
fn a_backup_has_its_name_when_it_is_whole_whenever_the_power_goes() {
    let program = Path::new(PROGRAM);
    // Of what has no name nothing is seen: there is nothing, or all of it.
    for (draft, different) in [(Draft::Nameless, 2), (Draft::Named, 8)] {
        let extent = Extent {
            moments: 1_000,
            ..EXTENT
        };
        let tally = powercut::backup(program, EngineKind::Redb, draft, extent).unwrap();
        assert!(tally.moments > 12 && tally.images >= different, "{tally}");
        assert_eq!(tally.sound, tally.images, "{tally}");
    }
}

#[test]
fn the_harness_sees_a_backup_that_was_named_before_it_was_synced() {
    let file = |node, name: &str| Step::Made {
        parent: 0,
        name: name.to_owned(),
        node,
    };
    let recording = Recording {
        start: vec![Start::Directory([].into()), Start::File(Vec::new())],
        steps: vec![
            Step::Wrote {
                node: 1,
                offset: 0,
                bytes: b"half a backup".to_vec(),
            },
            file(1, BACKUP),
            Step::Synced { node: 0, covers: 2 },
            Step::Said("1".to_owned()),
        ],
        hints: 0,
    };
    let nobody = age::x25519::Identity::generate();
    let whole = Manifest {
        collections: 0,
        records: 0,
        journals: 0,
        entries: 0,
        sha256: [0; 32],
        origin: [0; 32],
    };
    let judge = backups::judge(BackupIdentity::Keys(vec![nobody]), whole);
    let tally = powercut::cut_everywhere(&recording, &judge, FEW).unwrap();
    assert!(tally.found > 1 && tally.sound > 0, "{tally}");
}

#[test]
fn a_migration_leaves_a_whole_store_in_place_whenever_the_power_goes() {
    let home = tempfile::tempdir().unwrap();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/format-1/redb.tar.xz");
    let unpacked = Command::new("tar")
        .arg("-xJf")
        .arg(archive)
        .arg("-C")
        .arg(home.path())
        .status()
        .expect("tar and xz unpack the fixtures: apt-get install tar xz-utils");
    assert!(unpacked.success());
    let (store, key) = (home.path().join("store"), home.path().join("store.key"));
    assert_sound(&powercut::migration(Path::new(PROGRAM), &store, &key, FEW).unwrap());
}

#[test]
fn the_harness_sees_what_a_missing_fsync_loses() {
    let extent = Extent {
        moments: 30,
        unsynced: Some("db"),
        ..EXTENT
    };
    let tally = tally_of(EngineKind::Sled, extent);
    assert!(tally.lost + tally.did_not_open + tally.found > 0, "{tally}");
}

/// A file of two pages, one of them synced, and a name that was not.
fn recording() -> Recording {
    let names = [("old".to_owned(), 1)].into();
    Recording {
        start: vec![Start::Directory(names), Start::File(vec![0; 8192])],
        steps: vec![
            Step::Wrote {
                node: 1,
                offset: 0,
                bytes: vec![1; 4096],
            },
            Step::Synced { node: 1, covers: 1 },
            Step::Wrote {
                node: 1,
                offset: 4096,
                bytes: vec![2; 4096],
            },
            Step::Renamed {
                parent: 0,
                from: "old".to_owned(),
                to: "new".to_owned(),
                node: 1,
            },
        ],
        hints: 0,
    }
}

#[test]
fn names_that_were_exchanged_are_both_where_they_were_or_both_are_not() {
    let names = [("one".to_owned(), 1), ("other".to_owned(), 2)].into();
    let recording = Recording {
        start: vec![
            Start::Directory(names),
            Start::File(b"1".to_vec()),
            Start::File(b"2".to_vec()),
        ],
        steps: vec![Step::Exchanged {
            parent: 0,
            names: [("one".to_owned(), 2), ("other".to_owned(), 1)],
        }],
        hints: 0,
    };
    let mut disk = Disk::new(&recording);
    disk.take(0, &recording.steps[0]);
    let mut random = fastrand::Rng::with_seed(1);
    let mut seen = std::collections::BTreeSet::new();
    for loss in Loss::ALL.into_iter().cycle().take(100) {
        let files = disk.cut(loss, &mut random).files();
        seen.insert([files["one"].clone(), files["other"].clone()]);
    }
    let [as_before, as_after] = [[b"1", b"2"], [b"2", b"1"]].map(|pair| pair.map(|b| b.to_vec()));
    assert_eq!(seen, [as_before, as_after].into());
}

#[test]
fn what_was_synced_survives_every_loss_and_the_rest_some() {
    let recording = recording();
    let mut disk = Disk::new(&recording);
    for (number, step) in recording.steps.iter().enumerate() {
        disk.take(number, step);
    }
    let mut random = fastrand::Rng::with_seed(1);
    let (mut old, mut new, mut torn) = (0, 0, 0);
    for loss in Loss::ALL.into_iter().cycle().take(400) {
        let files = disk.cut(loss, &mut random).files();
        assert_eq!(files.len(), 1, "a renamed file has one name: {files:?}");
        let (name, content) = files.into_iter().next().unwrap();
        assert!(content[..4096].iter().all(|byte| *byte == 1), "{loss:?}");
        let late = content[4096..].iter().filter(|byte| **byte == 2).count();
        torn += usize::from(late % 4096 != 0);
        old += usize::from(name == "old");
        new += usize::from(name == "new");
        if loss == Loss::Everything {
            assert_eq!((name.as_str(), late), ("old", 0));
        }
        if loss == Loss::Nothing {
            assert_eq!((name.as_str(), late), ("new", 4096));
        }
    }
    assert!(old > 0 && new > 0 && torn > 0, "{old} {new} {torn}");
}
