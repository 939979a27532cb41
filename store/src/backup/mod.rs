//! Backups: everything that a store holds, as one stream, encrypted to somebody who is not the store.
//!
//! A backup is a file of the [age] format, so that `age --decrypt` opens it too; what lies in it is a
//! stream of frames:
//!
//! | frame | holds |
//! |---|---|
//! | preface | `countersign backup`, a line end, and the version of this format (16 bits) |
//! | `H` | the [`Head`], as JSON: which store, at which transaction, when, by whom |
//! | `C` | the name of a collection; its records follow by ascending id |
//! | `R` | a record: version, id, content |
//! | `J` | the name of a journal; its events follow in order |
//! | `E` | an event: number, content |
//! | `M` | the [`Manifest`], as JSON: counts, the SHA-256 of everything before it, and its origin |
//!
//! A frame is a byte for its kind, its length (32 bits, big-endian) and its content. The logical content is kept and
//! not the engine's files, so that a backup outlives engines and formats of the store, and so that what is restored
//! is sealed under new keys.
//!
//! age authenticates each piece of the stream and its end, but not who wrote it: whoever knows a recipient can write
//! to it. So the manifest also bears an authentication code under the store's [lineage](crate::Lineage), which can
//! be checked by who still has the store, or a witness of it.
//!
//! Nothing here takes more memory than the largest record and one page of them.
//!
//! [age]: https://age-encryption.org/v1

mod error;
mod file;
mod frame;
mod read;
mod seal;
mod whole;
mod write;

pub use error::{BackupError, BackupFault};
pub use file::BackupFile;
pub use read::{Backup, Item};
pub use seal::{BackupIdentity, BackupRecipients, UnreadableIdentity, UnreadableRecipient};
pub use whole::{Again, Whole};

use serde::{Deserialize, Serialize};

use crate::engine::EngineKind;

/// The version of the stream that this crate writes, and the newest that it reads.
pub(crate) const VERSION: u16 = 1;

/// What a backup says of itself first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which store it was taken of: the same for all its restored successors.
    #[serde(with = "hex")]
    pub lineage: [u8; 16],
    /// How many transactions that store had seen.
    pub transactions: u64,
    /// When it was taken, in the words of who took it (RFC 3339).
    pub taken_at: String,
    /// The version of the program that took it.
    pub program: String,
    /// The engine of the store that it was taken of.
    pub engine: EngineKind,
}

/// What a backup says of itself last; without it, it is not one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How many collections there are.
    pub collections: u64,
    /// How many records in all of them.
    pub records: u64,
    /// How many journals there are.
    pub journals: u64,
    /// How many events in all of them.
    pub entries: u64,
    /// SHA-256 of everything before the manifest.
    #[serde(with = "hex")]
    pub sha256: [u8; 32],
    /// The authentication code over that, under the key of the store's lineage.
    #[serde(with = "hex")]
    pub origin: [u8; 32],
}

/// Who takes a backup, and when: what a store cannot know by itself.
#[derive(Debug, Clone)]
pub struct Taking {
    /// When (RFC 3339).
    pub at: String,
    /// The version of the program.
    pub program: String,
}
