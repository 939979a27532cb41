//! How many batches are durable, kept beside a log that may end early.
//!
//! The number is written into each batch, and into a small file of its own once the batch is on
//! the disk. So what is recovered is never behind the file, unless something durable was lost.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::EngineError;
use crate::files::{IoContext, sync_dir};

/// Where the number is in a batch; no key of the store begins so.
pub(super) const APPLIED_KEY: &[u8] = b"\0applied";

const FILE: &str = "applied";
const LENGTH: usize = 16;

pub(super) struct Applied {
    path: PathBuf,
    file: File,
    last: u64,
}

impl Applied {
    /// Looks whether everything that was durable is in what was `recovered`.
    pub(super) fn open(dir: &Path, recovered: Option<&[u8]>) -> Result<Self, EngineError> {
        let path = dir.join(FILE);
        let recovered = recovered
            .and_then(|value| value.try_into().ok())
            .map_or(0, u64::from_be_bytes);
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let file = match options.open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let file = options.create_new(true).open(&path);
                let file = file.while_trying("create", &path)?;
                sync_dir(dir)?;
                file
            }
            file => file.while_trying("open", &path)?,
        };
        let mut text = [0; LENGTH];
        // A file that was being written when the power went, or that is damaged itself, says
        // nothing.
        let noted = match file.read_exact_at(&mut text, 0) {
            Ok(()) => decode(text).unwrap_or(0),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error).while_trying("read", &path).map_err(Into::into),
        };
        if recovered < noted {
            return Err(EngineError::EndsEarly {
                dir: dir.to_owned(),
                recovered,
                noted,
                file: path,
            });
        }
        Ok(Self {
            path,
            file,
            last: recovered,
        })
    }

    /// The number of the next batch.
    pub(super) fn next(&self) -> u64 {
        self.last + 1
    }

    /// Batch `number` is on the disk.
    pub(super) fn note(&mut self, number: u64) -> crate::Result<()> {
        self.last = number;
        self.file
            .write_all_at(&encode(number), 0)
            .and_then(|()| self.file.sync_data())
            .while_trying("write", &self.path)
    }
}

fn encode(number: u64) -> [u8; LENGTH] {
    let mut text = [0; LENGTH];
    text[..8].copy_from_slice(&number.to_be_bytes());
    text[8..].copy_from_slice(&checksum(number));
    text
}

fn decode(text: [u8; LENGTH]) -> Option<u64> {
    let number = u64::from_be_bytes(*text.first_chunk()?);
    (text[8..] == checksum(number)).then_some(number)
}

fn checksum(number: u64) -> [u8; 8] {
    let digest = Sha256::digest(number.to_be_bytes());
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&digest[..8]);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recovered_must_not_be_behind_what_was_durable() {
        let dir = tempfile::tempdir().unwrap();
        let mut applied = Applied::open(dir.path(), None).unwrap();
        assert_eq!(applied.next(), 1);
        applied.note(1).unwrap();
        applied.note(2).unwrap();
        drop(applied);
        let number = |number: u64| number.to_be_bytes();
        let behind = Applied::open(dir.path(), Some(&number(1)));
        assert!(matches!(
            behind,
            Err(EngineError::EndsEarly {
                recovered: 1,
                noted: 2,
                ..
            })
        ));
        assert_eq!(
            Applied::open(dir.path(), Some(&number(3))).unwrap().next(),
            4
        );
    }

    #[test]
    fn a_damaged_note_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        Applied::open(dir.path(), None).unwrap().note(7).unwrap();
        let path = dir.path().join(FILE);
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            File::create(&path)
                .unwrap()
                .write_all_at(&damaged, 0)
                .unwrap();
            assert_eq!(Applied::open(dir.path(), None).unwrap().next(), 1);
        }
    }
}
