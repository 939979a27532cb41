//! What can be wrong with stored bytes: where, and in what way.

use std::fmt;

use crate::error::Error;

/// One finding: stored bytes that are not what this store wrote there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {fault}")]
pub struct Damage {
    /// Where.
    pub place: Place,
    /// In what way.
    pub fault: Fault,
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::Damaged { damage }
    }
}

/// A place in the store that can be damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The contents of a collection as a whole.
    Collection {
        /// Its name.
        collection: String,
    },
    /// One event of a journal.
    Entry {
        /// The journal.
        stream: String,
        /// The event's number.
        sequence: u64,
    },
    /// A journal as a whole.
    Journal {
        /// Its name.
        stream: String,
    },
    /// A node of the index: what it lists is out of reach, if not lost.
    Node {
        /// The engine's key, in hexadecimal.
        key: String,
        /// What it lists begins about here; with the first of all, if this is not known.
        from: Option<Box<Self>>,
        /// What it lists ends before about here; with the last of all, if this is not known.
        to: Option<Box<Self>>,
    },
    /// One record.
    Record {
        /// Its collection.
        collection: String,
        /// Its id.
        id: String,
    },
    /// The record of what the store as a whole contains.
    Root,
    /// Something that no part of the store accounts for.
    Stray {
        /// The engine's key, in hexadecimal.
        key: String,
    },
    /// The summary of a collection or journal whose name cannot be read.
    Summary {
        /// The engine's key, in hexadecimal.
        key: String,
    },
    /// A record of which even the id cannot be read.
    Unnamed {
        /// Its collection.
        collection: String,
        /// The engine's key, in hexadecimal.
        key: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collection { collection } => write!(f, "collection {collection:?}"),
            Self::Entry { stream, sequence } => write!(f, "event {sequence} of journal {stream:?}"),
            Self::Journal { stream } => write!(f, "journal {stream:?}"),
            Self::Node { key, from, to } => {
                write!(f, "the index under key {key}")?;
                if let Some(from) = from {
                    write!(f, ", from {from}")?;
                }
                match to {
                    Some(to) => write!(f, ", up to {to},"),
                    None => write!(f, ", up to the end,"),
                }
            }
            Self::Record { collection, id } => write!(f, "record {id:?} in {collection:?}"),
            Self::Root => f.write_str("the store's table of contents"),
            Self::Stray { key } => write!(f, "the entry under key {key}"),
            Self::Summary { key } => write!(f, "the summary under key {key}"),
            Self::Unnamed { collection, key } => {
                write!(f, "the record under key {key} in {collection:?}")
            }
        }
    }
}

/// In what way something stored is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Authentication failed: altered, moved here from elsewhere, or from another store.
    Altered,
    /// Too short, or not laid out as any known format.
    Malformed,
    /// It should be there and is not.
    Missing,
    /// It is authentic, but not the latest: something older was put in its place.
    Outdated,
    /// Each part is authentic, but the whole is not: something was removed, brought back, or
    /// replaced by an older version of itself.
    Replaced,
    /// It is there and should not be.
    Unaccounted,
    /// It says that it is sealed under a master key which this store does not have, or no longer.
    UnknownKey,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Altered => "has been altered or moved",
            Self::Malformed => "is malformed",
            Self::Missing => "is missing",
            Self::Outdated => "is not the latest version: an older one was put in its place",
            Self::Replaced => "does not add up: something in it was removed, brought back or replaced by an older version",
            Self::Unaccounted => "does not belong to anything",
            Self::UnknownKey => "is sealed under a master key that this store does not have",
        })
    }
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderFault {
    /// Its fields are not those that the holder of the master key wrote.
    Altered,
    /// Its checksum does not fit its fields.
    Checksum,
    /// It is not a header of a known shape.
    Malformed,
    /// It is larger than any header.
    TooLarge,
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Altered => "its fields were altered",
            Self::Checksum => "its checksum does not fit",
            Self::Malformed => "it cannot be understood",
            Self::TooLarge => "it is too large",
        })
    }
}
