//! Frames: written and read with a running digest over all of them.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::VERSION;
use super::error::{BackupError, BackupFault};

const PREFACE: &[u8] = b"countersign backup\n";

pub(super) const HEAD: u8 = b'H';
pub(super) const COLLECTION: u8 = b'C';
pub(super) const RECORD: u8 = b'R';
pub(super) const JOURNAL: u8 = b'J';
pub(super) const ENTRY: u8 = b'E';
pub(super) const MANIFEST: u8 = b'M';

/// No frame is longer: the longest content of a record, its id and its version.
const LONGEST: usize = 16 * 1024 * 1024 + 1024;

/// A stream of frames being written.
pub(super) struct FrameWriter<W> {
    out: W,
    digest: Sha256,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn begin(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            digest: Sha256::new(),
        };
        writer.put(PREFACE)?;
        writer.put(&VERSION.to_be_bytes())?;
        Ok(writer)
    }

    pub(super) fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.put(&[kind])?;
        self.put(&length.to_be_bytes())?;
        parts.iter().try_for_each(|part| self.put(part))
    }

    /// The digest of everything so far.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }

    pub(super) fn into_inner(self) -> W {
        self.out
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }
}

/// A frame as read. Contents may be keys.
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) content: Zeroizing<Vec<u8>>,
}

/// A stream of frames being read.
pub(super) struct FrameReader<R> {
    input: R,
    digest: Sha256,
    /// The digest of everything before the manifest.
    before: [u8; 32],
    /// How many bytes were read.
    position: u64,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn begin(input: R) -> Result<Self, BackupError> {
        let mut reader = Self {
            input,
            digest: Sha256::new(),
            before: [0; 32],
            position: 0,
        };
        let mut preface = [0; PREFACE.len()];
        fill(&mut reader.input, &mut preface, BackupFault::Foreign)?;
        reader.seen(&preface);
        if preface != *PREFACE {
            return Err(BackupFault::Foreign.into());
        }
        let mut version = [0; 2];
        fill(&mut reader.input, &mut version, BackupFault::Foreign)?;
        reader.seen(&version);
        match u16::from_be_bytes(version) {
            VERSION => Ok(reader),
            0 => Err(BackupFault::Malformed.into()),
            found => Err(BackupError::Newer {
                found,
                supported: VERSION,
            }),
        }
    }

    pub(super) fn frame(&mut self) -> Result<Frame, BackupError> {
        let (frame, start) = started(&mut self.input)?;
        if frame.kind == MANIFEST {
            self.before = self.digest.clone().finalize().into();
        }
        self.seen(&start);
        self.seen(&frame.content);
        Ok(frame)
    }

    /// The digest of everything before the manifest; zeros before that was read.
    pub(super) fn digest_before(&self) -> [u8; 32] {
        self.before
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn into_inner(self) -> R {
        self.input
    }

    /// That nothing follows. Only at its end is the stream known to be whole.
    pub(super) fn end(&mut self) -> Result<(), BackupError> {
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(BackupFault::Trailing.into()),
            Err(error) => Err(unreadable(error)),
        }
    }

    fn seen(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.position += bytes.len() as u64;
    }
}

/// The next frame of a stream of which the digest is known already.
pub(super) fn read_frame(input: &mut impl Read) -> Result<Frame, BackupError> {
    started(input).map(|(frame, _)| frame)
}

/// The next frame, and how it began.
fn started(input: &mut impl Read) -> Result<(Frame, [u8; 5]), BackupError> {
    let mut start = [0; 5];
    fill(input, &mut start, BackupFault::Truncated)?;
    let [kind, length @ ..] = start;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(BackupFault::Malformed.into());
    }
    let mut content = Zeroizing::new(vec![0; length]);
    fill(input, &mut content, BackupFault::Truncated)?;
    Ok((Frame { kind, content }, start))
}

fn fill(input: &mut impl Read, bytes: &mut [u8], short: BackupFault) -> Result<(), BackupError> {
    match input.read_exact(bytes) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(short.into()),
        Err(error) => Err(unreadable(error)),
    }
}

/// age reports what does not authenticate as invalid data; the rest is the file's.
fn unreadable(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::InvalidData => BackupFault::Altered.into(),
        io::ErrorKind::UnexpectedEof => BackupFault::Truncated.into(),
        _ => BackupError::Read(error),
    }
}
