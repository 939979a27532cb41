//! Single collections of a backup, read once more after all of it was found to be whole.
//!
//! What there is to say of one thing may lie in several collections, far apart in the stream. So each of them is read
//! from where it begins, side by side, and nothing has to be kept but a piece of each. All are read under the key of
//! the first reading: what was changed in between does not authenticate.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};

use age::stream::StreamReader;
use zeroize::{Zeroize, Zeroizing};

use super::error::BackupError;
use super::frame::{Frame, RECORD, read_frame};
use super::read::record;
use crate::vault::Record;

/// As much as age encrypts in one piece: so none is decrypted twice because several readers share the stream.
const PIECE: u64 = 64 * 1024;

/// A backup that was read to its end, and is whole.
pub struct Whole<R> {
    stream: RefCell<StreamReader<R>>,
    /// Where the records of each collection begin that was to be noted, if it is there.
    places: Vec<(String, Option<u64>)>,
}

impl<R> Whole<R> {
    pub(super) fn new(stream: StreamReader<R>, places: Vec<(String, Option<u64>)>) -> Self {
        Self {
            stream: RefCell::new(stream),
            places,
        }
    }
}

impl<R: Read + Seek> Whole<R> {
    /// The records of a collection, by ascending id; none of one that was not [noted](super::Backup::noting).
    pub fn records(&self, collection: &str) -> Again<'_, R> {
        let noted = self.places.iter().find(|(name, _)| name == collection);
        Again {
            source: noted.and_then(|(_, at)| *at).map(|at| Source {
                stream: &self.stream,
                at,
                piece: Zeroizing::default(),
                used: 0,
            }),
        }
    }
}

/// The records of one collection, one after the other.
pub struct Again<'w, R> {
    /// `None` at the end.
    source: Option<Source<'w, R>>,
}

impl<R: Read + Seek> Again<'_, R> {
    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// [`BackupError::Unsound`] when the file was changed since it was found to be whole, [`BackupError::Read`].
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would have to end after an error"
    )]
    pub fn next(&mut self) -> Result<Option<Record>, BackupError> {
        let Some(source) = &mut self.source else {
            return Ok(None);
        };
        match read_frame(source)? {
            Frame {
                kind: RECORD,
                content,
            } => Ok(Some(record(&content)?)),
            _ => {
                self.source = None;
                Ok(None)
            }
        }
    }
}

/// One of several places in one stream, and the piece that was read there.
struct Source<'w, R> {
    stream: &'w RefCell<StreamReader<R>>,
    /// Where the next piece begins.
    at: u64,
    piece: Zeroizing<Vec<u8>>,
    used: usize,
}

impl<R: Read + Seek> Read for Source<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.used == self.piece.len() {
            let mut stream = self.stream.borrow_mut();
            stream.seek(SeekFrom::Start(self.at))?;
            let length = PIECE - self.at % PIECE;
            self.piece.zeroize();
            self.piece.reserve_exact(PIECE as usize);
            self.used = 0;
            self.at += stream.by_ref().take(length).read_to_end(&mut self.piece)? as u64;
        }
        let count = (&self.piece[self.used..]).read(bytes)?;
        self.used += count;
        Ok(count)
    }
}
