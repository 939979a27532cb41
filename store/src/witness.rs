//! The witness: a small file, kept elsewhere, that knows how far the store had come.
//!
//! An older copy of all of a store's files is a sound store; nothing in it can tell that it is old. The witness can.
//! It holds the highest number of transactions that it was told of, and a *tombstone* for each key that was destroyed
//! or is in other hands: the number, and 32 bytes that name the key. Who puts an old store in place has to put the
//! old witness in place as well; so it lies where the store's thief does not reach.
//!
//! # On disk
//!
//! Frames of one length. The first holds magic and the store's lineage; the next two hold the *mark*, the number, and
//! are written in turn, so that one of them is whole whatever happens; then come tombstones, only ever appended. Each
//! is sealed under a key that only the store and its backups have; associated data binds it to its place, and a
//! tombstone to the one before it, so that none can be taken out of the middle. Taking off the *end* cannot be
//! noticed here: whoever can write the witness can roll it back.
//!
//! # When it is written
//!
//! A mark costs one `fdatasync`, and there are few: when the store is opened and closed, once in
//! [`MARK_EVERY`] transactions, and after every destruction of a key, before that is acknowledged. So an old copy that
//! is older by [`MARK_EVERY`] transactions is always noticed, and one in which a destroyed key is alive always, too.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::crypto::{self, NONCE, SecretKey, TAG, framed};
use crate::error::Error;
use crate::files;
use crate::lineage::Lineage;

/// How many transactions there may be between two marks.
pub const MARK_EVERY: u64 = 64;

const MAGIC: &[u8] = b"countersign witness 1\n";
/// A number, a kind, and the name of a key.
const TEXT: usize = 8 + 1 + 32;
const FRAME: usize = NONCE + TEXT + TAG;
/// The frames before the first tombstone.
const FIRST: u64 = 3;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It was destroyed.
    Destroyed,
    /// It is in other hands.
    Compromised,
}

impl Mark {
    fn kind(self) -> u8 {
        match self {
            Self::Destroyed => 1,
            Self::Compromised => 2,
        }
    }

    fn of_kind(kind: u8) -> Option<Self> {
        [Self::Destroyed, Self::Compromised]
            .into_iter()
            .find(|mark| mark.kind() == kind)
    }
}

/// Why a witness cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// It was altered.
    #[error(
        "the witness {path} is damaged: if nobody but us can have done that, remove it, and the next start makes a new one"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to another store.
    #[error("the witness {path} is that of another store: name another file in [store] witness")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("the witness {path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be handled.
    #[error("cannot {operation} the witness {path}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// No random numbers.
    #[error(transparent)]
    Store(#[from] Error),
}

/// An open witness.
#[derive(Debug)]
pub struct Witness {
    file: File,
    path: PathBuf,
    key: Key,
    mark: u64,
    /// The place of the older of the two marks: what is written next.
    older: u64,
    /// How many frames there are.
    frames: u64,
    /// The tag of the last tombstone, or zeros.
    last: [u8; TAG],
}

struct Key(SecretKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Witness {
    /// Whether there is one.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    /// Makes a new one, which knows that there have been `transactions`, and which keys are dead already.
    ///
    /// # Errors
    /// [`WitnessError::Io`], when it exists too.
    pub fn create(
        path: &Path,
        lineage: &Lineage,
        transactions: u64,
        dead: &[([u8; 32], Mark)],
    ) -> Result<Self, WitnessError> {
        // Written beside and renamed: half a witness would be taken for a damaged one.
        let draft = path.with_extension("new");
        let _ = std::fs::remove_file(&draft);
        let key = Key(lineage.witness_key());
        let mut bytes = first_frame(lineage).to_vec();
        bytes.extend(seal(&key, 1, &[0; TAG], transactions, 0, &[0; 32])?);
        bytes.extend(seal(&key, 2, &[0; TAG], 0, 0, &[0; 32])?);
        let mut before = [0; TAG];
        for (place, (name, mark)) in (FIRST..).zip(dead) {
            let frame = seal(&key, place, &before, transactions, mark.kind(), name)?;
            before = tag(&frame);
            bytes.extend(frame);
        }
        files::write_private(&draft, &bytes)?;
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            &draft,
            rustix::fs::CWD,
            path,
            rustix::fs::RenameFlags::NOREPLACE,
        )
        .map_err(|errno| failed("create", path, errno.into()))?;
        files::sync_parent(path)?;
        Self::open(path, lineage)
    }

    /// Opens the one at `path`, to be written by this process alone.
    ///
    /// # Errors
    /// [`WitnessError::Foreign`], [`WitnessError::Damaged`], [`WitnessError::InUse`], [`WitnessError::Io`].
    pub fn open(path: &Path, lineage: &Lineage) -> Result<Self, WitnessError> {
        let io = |operation| move |source| failed(operation, path, source);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(io("open"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(WitnessError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(errno) => return Err(failed("lock", path, errno.into())),
        }
        let mut first = [0; FRAME];
        let short = |source: io::Error| match source.kind() {
            io::ErrorKind::UnexpectedEof => WitnessError::Damaged {
                path: path.to_owned(),
            },
            _ => failed("read", path, source),
        };
        file.read_exact_at(&mut first, 0).map_err(short)?;
        if first != first_frame(lineage) {
            return Err(if first.starts_with(MAGIC) {
                WitnessError::Foreign {
                    path: path.to_owned(),
                }
            } else {
                WitnessError::Damaged {
                    path: path.to_owned(),
                }
            });
        }
        let length = file.metadata().map_err(io("inspect"))?.len();
        let mut witness = Self {
            file,
            path: path.to_owned(),
            key: Key(lineage.witness_key()),
            mark: 0,
            older: 1,
            // Less than a frame at the end was being appended when the machine stopped, and not acknowledged.
            frames: length / FRAME as u64,
            last: [0; TAG],
        };
        witness.find_mark()?;
        witness.find_end()?;
        Ok(witness)
    }

    /// The number of transactions that there have been at least.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.mark
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that there have been `transactions`, durably. Less than is known is no news.
    ///
    /// # Errors
    /// [`WitnessError::Io`].
    pub fn note(&mut self, transactions: u64) -> Result<(), WitnessError> {
        if transactions <= self.mark {
            return Ok(());
        }
        let place = self.older;
        let frame = seal(&self.key, place, &[0; TAG], transactions, 0, &[0; 32])?;
        self.write(place, &frame)?;
        self.mark = transactions;
        self.older = 3 - place;
        Ok(())
    }

    /// Notes what became of a key, durably: before the store forgets it.
    ///
    /// # Errors
    /// [`WitnessError::Io`].
    pub fn bury(&mut self, key: &[u8; 32], mark: Mark) -> Result<(), WitnessError> {
        let place = self.frames.max(FIRST);
        let frame = seal(&self.key, place, &self.last, self.mark, mark.kind(), key)?;
        self.write(place, &frame)?;
        self.frames = place + 1;
        self.last = tag(&frame);
        Ok(())
    }

    /// Shows every tombstone, oldest first.
    ///
    /// # Errors
    /// [`WitnessError::Damaged`] when one of them is not what was written there, or one is missing.
    pub fn tombstones(&self, mut visit: impl FnMut([u8; 32], Mark)) -> Result<(), WitnessError> {
        let mut before = [0; TAG];
        for place in FIRST..self.frames {
            let frame = self.read(place)?;
            let (_, kind, key) =
                open(&self.key, place, &before, &frame).ok_or_else(|| self.damaged())?;
            let mark = Mark::of_kind(kind).ok_or_else(|| self.damaged())?;
            visit(key, mark);
            before = tag(&frame);
        }
        Ok(())
    }

    fn find_mark(&mut self) -> Result<(), WitnessError> {
        let mut marks = [None, None];
        for (mark, place) in marks.iter_mut().zip([1, 2]) {
            let frame = self.read(place)?;
            *mark = open(&self.key, place, &[0; TAG], &frame).map(|(number, ..)| number);
        }
        // One may have been torn while it was written; what is whole is what was acknowledged.
        (self.mark, self.older) = match marks {
            [Some(one), Some(two)] if one < two => (two, 1),
            [Some(one), Some(_) | None] => (one, 2),
            [None, Some(two)] => (two, 1),
            [None, None] => return Err(self.damaged()),
        };
        Ok(())
    }

    /// Finds the last tombstone. One that does not authenticate, at the very end, was being written when the machine
    /// stopped.
    fn find_end(&mut self) -> Result<(), WitnessError> {
        let readable = |witness: &Self, place: u64| -> Result<Option<[u8; TAG]>, WitnessError> {
            let before = if place == FIRST {
                [0; TAG]
            } else {
                tag(&witness.read(place - 1)?)
            };
            let frame = witness.read(place)?;
            Ok(open(&witness.key, place, &before, &frame).map(|_| tag(&frame)))
        };
        for _ in 0..2 {
            if self.frames <= FIRST {
                return Ok(());
            }
            if let Some(tag) = readable(self, self.frames - 1)? {
                self.last = tag;
                return Ok(());
            }
            self.frames -= 1;
        }
        if self.frames <= FIRST {
            Ok(())
        } else {
            Err(self.damaged())
        }
    }

    fn read(&self, place: u64) -> Result<[u8; FRAME], WitnessError> {
        let mut frame = [0; FRAME];
        match self.file.read_exact_at(&mut frame, place * FRAME as u64) {
            Ok(()) => Ok(frame),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged()),
            Err(error) => Err(failed("read", &self.path, error)),
        }
    }

    fn write(&self, place: u64, frame: &[u8]) -> Result<(), WitnessError> {
        self.file
            .write_all_at(frame, place * FRAME as u64)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| failed("write", &self.path, error))
    }

    fn damaged(&self) -> WitnessError {
        WitnessError::Damaged {
            path: self.path.clone(),
        }
    }
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> WitnessError {
    WitnessError::Io {
        operation,
        path: path.to_owned(),
        source,
    }
}

fn first_frame(lineage: &Lineage) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..MAGIC.len()].copy_from_slice(MAGIC);
    frame[MAGIC.len()..MAGIC.len() + 16].copy_from_slice(&lineage.id());
    frame
}

fn context(place: u64, before: &[u8; TAG]) -> Vec<u8> {
    framed(&[b"countersign witness", &place.to_be_bytes(), before])
}

fn seal(
    key: &Key,
    place: u64,
    before: &[u8; TAG],
    number: u64,
    kind: u8,
    name: &[u8; 32],
) -> Result<Vec<u8>, Error> {
    let nonce = crypto::nonce()?;
    let mut text = [&number.to_be_bytes()[..], &[kind], name].concat();
    key.0.seal(&nonce, &context(place, before), &mut text)?;
    Ok([&nonce[..], &text].concat())
}

fn open(
    key: &Key,
    place: u64,
    before: &[u8; TAG],
    frame: &[u8; FRAME],
) -> Option<(u64, u8, [u8; 32])> {
    let (nonce, sealed) = frame.split_first_chunk()?;
    let text = key.0.open(nonce, &context(place, before), sealed).ok()?;
    let (number, rest) = text.split_first_chunk()?;
    let (kind, name) = rest.split_first()?;
    Some((u64::from_be_bytes(*number), *kind, name.try_into().ok()?))
}

fn tag(frame: &[u8]) -> [u8; TAG] {
    frame.last_chunk().copied().unwrap_or_default()
}
