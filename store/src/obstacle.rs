//! Why a disk does not take what is to be written: the cases that a person can do something about.

use std::fmt;
use std::io::{self, ErrorKind};

use crate::engine::EngineError;

/// What is in the way of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// No space is left.
    DiskFull,
    /// A device failed.
    Failing,
    /// A limit on the size of a file.
    FileTooLarge,
    /// The owner's share of the disk is used up.
    Quota,
    /// The file system takes no changes.
    ReadOnly,
}

impl Obstacle {
    /// What an engine met, if it met the disk and not its own content.
    pub(crate) fn of(error: &EngineError) -> Option<Self> {
        match error {
            EngineError::Files(crate::Error::Io { source, .. })
            | EngineError::Redb(redb::Error::Io(source))
            | EngineError::Sled(sled::Error::Io(source)) => Self::of_io(source),
            #[cfg(feature = "postgres")]
            EngineError::Postgres(error) => error.obstacle(),
            _ => None,
        }
    }

    fn of_io(error: &io::Error) -> Option<Self> {
        Some(match error.kind() {
            ErrorKind::StorageFull => Self::DiskFull,
            ErrorKind::QuotaExceeded => Self::Quota,
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            ErrorKind::FileTooLarge => Self::FileTooLarge,
            // The file, rather than the disk.
            ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::UnexpectedEof
            | ErrorKind::WouldBlock => return None,
            _ => Self::Failing,
        })
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "the disk is full: make room",
            Self::Failing => {
                "the disk fails: look into the kernel's log and replace it before anything else"
            }
            Self::FileTooLarge => {
                "a limit on the size of files is reached: raise it (`ulimit -f`, `LimitFSIZE=`)"
            }
            Self::Quota => "the quota on the disk is used up: make room or raise it",
            Self::ReadOnly => {
                "the file system is read-only: look into the kernel's log for why, and mount it writable"
            }
        })
    }
}
