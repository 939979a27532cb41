//! Reading on while nothing can be written.
//!
//! redb refuses everything after one failed write, reads too, until it is opened again; and
//! opening repairs, which is writing. So it is given a file of which only the beginning is real:
//! what it writes stays in memory and goes when this is closed. The disk is not touched.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use rustix::fs::{Advice, fadvise};

const PAGE: usize = 4096;

/// A file as it is, and what was written over it since, in memory.
#[derive(Debug)]
pub(super) struct Rescue {
    file: File,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    /// How long it seems to be.
    length: u64,
    /// Up to where the file counts; behind that are zeros.
    real: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Rescue {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            file,
            over: Mutex::new(Over {
                length,
                real: length,
                pages: BTreeMap::new(),
            }),
        })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is in the file, and zeros behind its end.
    fn underneath(&self, real: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = real.saturating_sub(offset).min(out.len() as u64) as usize;
        let (in_file, behind) = out.split_at_mut(there);
        self.file.read_exact_at(in_file, offset)?;
        behind.fill(0);
        Ok(())
    }
}

impl StorageBackend for Rescue {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        if offset + out.len() as u64 > over.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.underneath(over.real, offset, out)?;
        for (at, piece) in pieces(offset, out.len()) {
            if let Some(page) = over.pages.get(&(at / PAGE as u64)) {
                let from = (at % PAGE as u64) as usize;
                let into = (at - offset) as usize;
                out[into..into + piece].copy_from_slice(&page[from..from + piece]);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut over = self.over();
        over.length = length;
        over.real = over.real.min(length);
        // What is cut off is gone when it grows again.
        let whole = length.div_ceil(PAGE as u64);
        over.pages.retain(|number, _| *number < whole);
        if let Some(page) = over.pages.get_mut(&(length / PAGE as u64)) {
            page[(length % PAGE as u64) as usize..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        over.length = over.length.max(offset + data.len() as u64);
        for (at, piece) in pieces(offset, data.len()) {
            let number = at / PAGE as u64;
            if !over.pages.contains_key(&number) {
                let mut page = Box::new([0; PAGE]);
                self.underneath(over.real, number * PAGE as u64, &mut page[..])?;
                over.pages.insert(number, page);
            }
            let from = (at % PAGE as u64) as usize;
            let out_of = (at - offset) as usize;
            if let Some(page) = over.pages.get_mut(&number) {
                page[from..from + piece].copy_from_slice(&data[out_of..out_of + piece]);
            }
        }
        Ok(())
    }
}

/// Where each page's part of a range begins, and how long it is.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize)> {
    let end = offset + length as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at == end {
            return None;
        }
        let next = ((at / PAGE as u64 + 1) * PAGE as u64).min(end);
        let piece = (at, (next - at) as usize);
        at = next;
        Some(piece)
    })
}

/// Has the kernel forget what it believes to be in the file, after it could not write it there.
///
/// A page that failed to reach the disk is no longer marked as to be written, and reading it gives
/// what should have been. The next sync would succeed without it.
pub(super) fn forget_cached(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_the_file_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..10_000_u32).map(|number| number as u8).collect();
        File::create(&path)
            .unwrap()
            .write_all_at(&content, 0)
            .unwrap();
        let rescue = Rescue::open(&path).unwrap();
        let mut expected = content.clone();
        let mut random = 1_u64;
        for round in 0..300_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(round);
            let at = (random >> 33) as usize % 14_000;
            if round % 7 == 0 {
                expected.resize(at, 0);
                rescue.set_len(at as u64).unwrap();
            } else {
                let piece = vec![round as u8; (random >> 20) as usize % 9_000];
                if expected.len() < at + piece.len() {
                    expected.resize(at + piece.len(), 0);
                }
                expected[at..at + piece.len()].copy_from_slice(&piece);
                rescue.write(at as u64, &piece).unwrap();
            }
            let mut read = vec![0xee; expected.len()];
            assert_eq!(rescue.len().unwrap(), read.len() as u64);
            rescue.read(0, &mut read).unwrap();
            assert!(read == expected, "round {round}");
        }
        assert!(std::fs::read(&path).unwrap() == content);
    }
}
