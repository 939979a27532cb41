//! Whether redb's inventory of its own file is as it wrote it.
//!
//! redb trusts its tables of free pages when it opens a file that was left in good order. Damage to
//! them makes it panic in the middle of a write, while it holds what it needs to clean up: the
//! process ends, and nothing can catch it. Its own check finds such damage, by the checksums of all
//! pages, but reads the whole file. So the check is given the file with one thing hidden: the root
//! of the tree of records. What is left is the inventory, which is small: about a byte for each
//! 16 KiB of the file. Records need no check here, each is authenticated when it is read.

use std::path::Path;

use redb::StorageBackend;
use twox_hash::XxHash3_128;

use super::EngineError;
use super::contain::contain;
use super::redb::{builder, fault};
use super::rescue::Rescue;
use crate::files::IoContext;

// The beginning of a file of redb's format 3 (redb, docs/design.md and
// src/tree_store/page_store/header.rs).
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
const GOD_BYTE: usize = MAGIC.len();
const SECOND_SLOT: u8 = 1;
const TWO_PHASES: u8 = 4;
const SLOTS: usize = 64;
const SLOT: usize = 128;
const FORMAT: u8 = 3;
const HAS_RECORDS: usize = 1;
const RECORDS: std::ops::Range<usize> = 8..40;
const CHECKSUM: usize = SLOT - size_of::<u128>();

/// What is known of a file before redb opens it to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inventory {
    /// It is what redb wrote.
    Sound,
    /// redb has to look at the whole file: it will not trust the inventory, or the file begins in a
    /// way that is not known here.
    Unknown,
}

/// Looks at the inventory of the file at `path`. The file is only read.
///
/// # Errors
/// When it is damaged, as redb says it.
pub(super) fn look(path: &Path) -> Result<Inventory, EngineError> {
    let file = Rescue::open(path).while_trying("open", path)?;
    let mut beginning = [0; SLOTS + 2 * SLOT];
    if file.len().while_trying("inspect", path)? < beginning.len() as u64 {
        return Ok(Inventory::Unknown);
    }
    file.read(0, &mut beginning).while_trying("read", path)?;
    let Some((at, slot)) = without_records(&beginning) else {
        return Ok(Inventory::Unknown);
    };
    // Into memory: the file is not touched, whatever redb makes of it.
    file.write(at, &slot).while_trying("read", path)?;
    contain(path, || {
        let mut builder = builder();
        builder.set_check_integrity_on_open(true);
        builder.create_with_backend(file).map_err(fault)
    })
    .map(|_| Inventory::Sound)
}

/// The slot of the last commit without its records, and where it is; none if redb would not go by
/// that slot alone.
fn without_records(beginning: &[u8]) -> Option<(u64, [u8; SLOT])> {
    let flags = *beginning.get(GOD_BYTE)?;
    let at = SLOTS + usize::from(flags & SECOND_SLOT) * SLOT;
    let mut slot: [u8; SLOT] = beginning.get(at..at + SLOT)?.try_into().ok()?;
    let known = beginning.starts_with(&MAGIC) && flags & TWO_PHASES != 0 && slot[0] == FORMAT;
    if !known || slot[CHECKSUM..] != checksum(&slot) {
        return None;
    }
    slot[HAS_RECORDS] = 0;
    slot[RECORDS].fill(0);
    let checksum = checksum(&slot);
    slot[CHECKSUM..].copy_from_slice(&checksum);
    Some((at as u64, slot))
}

fn checksum(slot: &[u8; SLOT]) -> [u8; size_of::<u128>()] {
    XxHash3_128::oneshot(&slot[..CHECKSUM]).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;

    use super::super::redb::RedbEngine;
    use super::super::{Change, Engine};
    use super::*;
    use crate::suite::overwrite;

    /// A file with records, closed in good order.
    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let engine = RedbEngine::create(dir.path()).unwrap();
        for number in 0..200_u32 {
            let key = number.to_be_bytes().to_vec();
            let value = Some(vec![number as u8; 900]);
            engine.apply(&[Change { key, value }]).unwrap();
        }
        drop(engine);
        let path = dir.path().join("store.redb");
        (dir, path)
    }

    #[test]
    fn the_inventory_of_a_file_that_redb_wrote_is_sound_and_the_file_stays_as_it_is() {
        let (_dir, path) = file();
        let before = fs::read(&path).unwrap();
        // If redb changes the beginning of its files, this fails: look at the constants above.
        assert_eq!(look(&path).unwrap(), Inventory::Sound);
        assert!(fs::read(&path).unwrap() == before);
    }

    #[test]
    fn damage_to_records_is_none_to_the_inventory() {
        let (_dir, path) = file();
        let content = fs::read(&path).unwrap();
        let record = content.windows(64).position(|bytes| bytes == [7; 64]);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"?", record.unwrap() as u64).unwrap();
        assert_eq!(look(&path).unwrap(), Inventory::Sound);
    }

    #[test]
    fn damage_to_the_inventory_is_found() {
        let (_dir, path) = file();
        let mut content = fs::read(&path).unwrap();
        let (mut found, mut sound) = (0, 0);
        // Each page that is not made of records, by one byte of it.
        for page in (4096..content.len()).step_by(4096) {
            let at = page + 40;
            content[at] ^= 1;
            overwrite(&path, &content);
            match look(&path) {
                Ok(Inventory::Sound) => sound += 1,
                Ok(Inventory::Unknown) => panic!("page {page} is not known"),
                Err(_) => found += 1,
            }
            content[at] ^= 1;
        }
        assert!(found > 0 && sound > 0, "{found} found, {sound} sound");
    }

    #[test]
    fn a_beginning_that_is_not_known_is_left_to_redb() {
        let (_dir, path) = file();
        let content = fs::read(&path).unwrap();
        assert!(without_records(&content).is_some());
        for at in [0, GOD_BYTE] {
            let mut other = content.clone();
            other[at] = 0;
            assert_eq!(without_records(&other), None);
        }
        overwrite(&path, &content[..100]);
        assert_eq!(look(&path).unwrap(), Inventory::Unknown);
    }
}
