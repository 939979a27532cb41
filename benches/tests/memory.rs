//! What takes no more memory for many identities than for few: counted by the allocator, byte by byte.

// Clippy's leave for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::PathBuf,
};

use countersign::records::{BackupIdentity, BackupRecipients, inspect, survey};
use countersign_benches::{name, now, open, populate};
use countersign_peers::age;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// So much may one run take more than another, whatever their sizes: buffers that are full, or are not.
const PLAY: usize = 32 * 1024;

/// A home with a store of so many identities, and a backup of it.
struct Home {
    _directory: tempfile::TempDir,
    identity: BackupIdentity,
    backup: PathBuf,
}

impl Home {
    fn of(count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        populate(directory.path(), count, now());
        let (key, backup) = (
            directory.path().join("key"),
            directory.path().join("backup"),
        );
        let recipient = age::keygen(&key);
        let recipients = BackupRecipients::parse(&[recipient]).unwrap();
        let mut out = BufWriter::new(File::create(&backup).unwrap());
        let records = open(directory.path());
        records.back_up(&mut out, &recipients, now()).unwrap();
        out.flush().unwrap();
        let text = std::fs::read_to_string(key).unwrap();
        Self {
            _directory: directory,
            identity: BackupIdentity::parse(&text.into()).unwrap(),
            backup,
        }
    }

    fn backup(&self) -> BufReader<File> {
        BufReader::new(File::open(&self.backup).unwrap())
    }
}

/// The most memory that was in use at once while this was done, beyond what was in use before.
fn most_during(act: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    act();
    MEMORY.peak_usage() - before
}

#[test]
fn looking_into_a_backup_takes_as_much_memory_for_many_identities_as_for_few() {
    let [few, many] = [100, 500].map(|count| {
        let home = Home::of(count);
        let listed = most_during(|| {
            let found = inspect(home.backup(), &home.identity).unwrap();
            assert_eq!(found.identities().count(), count);
        });
        let one_by_one = most_during(|| {
            let found = survey(home.backup(), &home.identity).unwrap();
            for (number, identity) in found.identities().enumerate() {
                let identity = identity.unwrap();
                assert_eq!(identity.name, name(number));
                let [(_, held)] = identity.generations[..] else {
                    panic!("{identity:?}")
                };
                assert!(held.present);
            }
            assert!(found.overview.manifest.records > count as u64);
        });
        (listed, one_by_one)
    });
    assert!(many.1 < few.1 + PLAY, "{few:?} for 100, {many:?} for 500");
    // What keeps a list does take more, and it is seen.
    assert!(many.0 > few.0 + PLAY, "{few:?} for 100, {many:?} for 500");
}
