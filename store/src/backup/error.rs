//! Why a backup cannot be taken or read.

use std::fmt;
use std::io;

use crate::error::Error;

/// Why a backup cannot be taken or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It is encrypted to somebody else.
    #[error("the backup is not encrypted to this identity or passphrase")]
    NotForUs,
    /// It is encrypted to a passphrase, and an identity was given, or the other way round.
    #[error("the backup is encrypted to {}", if *.passphrase { "a passphrase, not to an identity" } else { "an identity, not to a passphrase" })]
    OtherKind {
        /// Whether a passphrase is wanted.
        passphrase: bool,
    },
    /// It is no backup, or not whole; nothing of it may be used.
    #[error("this is no whole backup: {fault}")]
    Unsound {
        /// What is wrong.
        fault: BackupFault,
    },
    /// A newer version wrote it.
    #[error(
        "the backup has version {found}, and this program knows up to {supported}: use a newer countersign"
    )]
    Newer {
        /// The version found.
        found: u16,
        /// The newest that is understood.
        supported: u16,
    },
    /// No recipient at all.
    #[error("there is nobody to encrypt the backup to")]
    NoRecipient,
    /// The stream could not be read.
    #[error("the backup cannot be read")]
    Read(#[source] io::Error),
    /// The stream could not be written.
    #[error("the backup cannot be written")]
    Write(#[source] io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What is wrong with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupFault {
    /// It is not an age file.
    NotEncrypted,
    /// What is encrypted is not a backup of a store.
    Foreign,
    /// A piece was altered, or is missing.
    Altered,
    /// It ends before its manifest.
    Truncated,
    /// A frame is not laid out as frames are.
    Malformed,
    /// What it holds is not in the order in which it is written.
    Disordered,
    /// The manifest counts something else.
    Miscounted,
    /// The manifest's digest is that of something else.
    Digest,
    /// Something follows on the manifest.
    Trailing,
}

impl fmt::Display for BackupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEncrypted => "it is not an age file",
            Self::Foreign => "what is encrypted in it was not written by countersign",
            Self::Altered => "a piece of it was altered or is missing",
            Self::Truncated => "it ends before its manifest",
            Self::Malformed => "a part of it cannot be understood",
            Self::Disordered => "its parts are out of order",
            Self::Miscounted => "it does not hold what its manifest counts",
            Self::Digest => "its manifest belongs to another content",
            Self::Trailing => "something follows on its manifest",
        })
    }
}

impl From<BackupFault> for BackupError {
    fn from(fault: BackupFault) -> Self {
        Self::Unsound { fault }
    }
}
