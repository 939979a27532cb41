//! Reading a backup, piece by piece; what was read may be used only once the end was reached.

use std::io::Read;

use age::stream::StreamReader;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::error::{BackupError, BackupFault};
use super::frame::{COLLECTION, ENTRY, Frame, FrameReader, HEAD, JOURNAL, MANIFEST, RECORD};
use super::seal::BackupIdentity;
use super::whole::Whole;
use super::{Head, Manifest};
use crate::vault::{Entry, Record};

/// A piece of what a backup holds.
#[derive(Debug)]
pub enum Item {
    /// A record.
    Record {
        /// Its collection.
        collection: String,
        /// Itself.
        record: Record,
    },
    /// An event.
    Entry {
        /// Its journal.
        stream: String,
        /// Itself.
        entry: Entry,
    },
}

/// A backup being read.
///
/// [`next`](Self::next) gives one piece after the other, and `None` at the end: only then is it known that the whole
/// is what was written. Until then, what came is to be looked at and not to be acted on.
pub struct Backup<R: Read> {
    frames: FrameReader<StreamReader<R>>,
    head: Head,
    place: Place,
    found: Manifest,
    manifest: Option<Manifest>,
    /// Collections that are wanted once more, and where the records of each begin.
    wanted: Vec<(String, Option<u64>)>,
}

/// Where in the stream we are. Collections come first, each with its records; then journals.
enum Place {
    Start,
    Collection { name: String, last: Option<String> },
    Journal { name: String, last: u64 },
}

impl<R: Read> Backup<R> {
    /// Opens the backup that `input` gives.
    ///
    /// # Errors
    /// [`BackupError::NotForUs`], [`BackupError::OtherKind`], [`BackupError::Newer`], [`BackupError::Unsound`],
    /// [`BackupError::Read`].
    pub fn open(input: R, identity: &BackupIdentity) -> Result<Self, BackupError> {
        let mut frames = FrameReader::begin(identity.decrypt(input)?)?;
        let Frame { kind, content } = frames.frame()?;
        if kind != HEAD {
            return Err(BackupFault::Malformed.into());
        }
        Ok(Self {
            frames,
            head: parse(&content)?,
            place: Place::Start,
            found: Manifest {
                collections: 0,
                records: 0,
                journals: 0,
                entries: 0,
                sha256: [0; 32],
                origin: [0; 32],
            },
            manifest: None,
            wanted: Vec::new(),
        })
    }

    /// Remembers where these collections begin, so that [`into_whole`](Self::into_whole) can read them once more.
    #[must_use]
    pub fn noting(mut self, collections: &[&str]) -> Self {
        let unseen = |name: &&str| ((*name).to_owned(), None);
        self.wanted = collections.iter().map(unseen).collect();
        self
    }

    /// The backup as one that was read to its end; `None` before that was reached.
    #[must_use]
    pub fn into_whole(self) -> Option<Whole<R>> {
        self.manifest
            .is_some()
            .then(|| Whole::new(self.frames.into_inner(), self.wanted))
    }

    /// What it says of itself.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What it was found to hold; `None` before the end was reached.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The next piece; `None` at the end, when everything was found to be whole.
    ///
    /// # Errors
    /// [`BackupError::Unsound`], [`BackupError::Read`].
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would have to end after an error"
    )]
    pub fn next(&mut self) -> Result<Option<Item>, BackupError> {
        if self.manifest.is_some() {
            return Ok(None);
        }
        loop {
            let Frame { kind, content } = self.frames.frame()?;
            match kind {
                COLLECTION => self.collection(text(&content)?)?,
                JOURNAL => self.journal(text(&content)?)?,
                RECORD => return self.record(&content).map(Some),
                ENTRY => return self.entry(&content).map(Some),
                MANIFEST => return self.end(&content).map(|()| None),
                _ => return Err(BackupFault::Malformed.into()),
            }
        }
    }

    fn collection(&mut self, name: String) -> Result<(), BackupError> {
        let in_order = match &self.place {
            Place::Start => true,
            Place::Collection { name: before, .. } => *before < name,
            Place::Journal { .. } => false,
        };
        self.found.collections += 1;
        if let Some((_, at)) = self.wanted.iter_mut().find(|(wanted, _)| *wanted == name) {
            *at = Some(self.frames.position());
        }
        self.place = Place::Collection { name, last: None };
        ordered(in_order)
    }

    fn journal(&mut self, name: String) -> Result<(), BackupError> {
        let in_order = match &self.place {
            Place::Start | Place::Collection { .. } => true,
            Place::Journal { name: before, .. } => *before < name,
        };
        self.found.journals += 1;
        self.place = Place::Journal { name, last: 0 };
        ordered(in_order)
    }

    fn record(&mut self, content: &[u8]) -> Result<Item, BackupError> {
        let Place::Collection { name, last } = &mut self.place else {
            return Err(BackupFault::Disordered.into());
        };
        let record = record(content)?;
        ordered(last.as_ref().is_none_or(|last| *last < record.id))?;
        *last = Some(record.id.clone());
        self.found.records += 1;
        Ok(Item::Record {
            collection: name.clone(),
            record,
        })
    }

    fn entry(&mut self, content: &[u8]) -> Result<Item, BackupError> {
        let Place::Journal { name, last } = &mut self.place else {
            return Err(BackupFault::Disordered.into());
        };
        let (sequence, bytes) = content.split_first_chunk().ok_or(BackupFault::Malformed)?;
        let sequence = u64::from_be_bytes(*sequence);
        ordered(sequence == *last + 1)?;
        *last = sequence;
        self.found.entries += 1;
        Ok(Item::Entry {
            stream: name.clone(),
            entry: Entry {
                sequence,
                bytes: Zeroizing::new(bytes.to_vec()),
            },
        })
    }

    fn end(&mut self, content: &[u8]) -> Result<(), BackupError> {
        let stated: Manifest = parse(content)?;
        if stated.sha256 != self.frames.digest_before() {
            return Err(BackupFault::Digest.into());
        }
        let found = Manifest {
            sha256: stated.sha256,
            origin: stated.origin,
            ..self.found.clone()
        };
        if found != stated {
            return Err(BackupFault::Miscounted.into());
        }
        self.frames.end()?;
        self.manifest = Some(stated);
        Ok(())
    }
}

/// The record in a frame.
pub(super) fn record(content: &[u8]) -> Result<Record, BackupFault> {
    let (version, rest) = content.split_first_chunk().ok_or(BackupFault::Malformed)?;
    let (length, rest) = rest.split_first_chunk().ok_or(BackupFault::Malformed)?;
    let (id, bytes) = rest
        .split_at_checked(u16::from_be_bytes(*length).into())
        .ok_or(BackupFault::Malformed)?;
    Ok(Record {
        id: text(id)?,
        version: u64::from_be_bytes(*version),
        bytes: Zeroizing::new(bytes.to_vec()),
    })
}

fn ordered(in_order: bool) -> Result<(), BackupError> {
    if in_order {
        Ok(())
    } else {
        Err(BackupFault::Disordered.into())
    }
}

fn text(bytes: &[u8]) -> Result<String, BackupFault> {
    String::from_utf8(bytes.to_vec()).map_err(|_| BackupFault::Malformed)
}

fn parse<T: DeserializeOwned>(content: &[u8]) -> Result<T, BackupFault> {
    serde_json::from_slice(content).map_err(|_| BackupFault::Malformed)
}
