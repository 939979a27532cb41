//! Engines: where sealed bytes are kept.
//!
//! An engine orders byte strings and keeps them. It never sees a name or a plaintext: keys are
//! keyed hashes and values are sealed before they come here. What an engine must guarantee is said
//! at each function of [`Engine`], and tried by one suite for all of them.

mod applied;
mod contain;
pub(crate) mod database;
mod inventory;
pub(crate) mod leadership;
#[cfg_attr(not(feature = "postgres"), allow(dead_code))]
pub(crate) mod lease;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod redb;
mod rescue;
mod sled;

use std::fmt;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::leadership::Leadership;
use self::redb::RedbEngine;
use self::sled::SledEngine;

/// The engine's directory inside a store's.
pub(crate) const ENGINE_DIR: &str = "engine";

/// What keeps the records of a store. Chosen when the store is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EngineKind {
    /// redb: copy-on-write B-trees, an fsync for each commit. The default.
    #[default]
    Redb,
    /// sled: a log-structured tree. See [`caveat`](Self::caveat).
    Sled,
    /// PostgreSQL: a database that several machines share, of which one leads. Which database is
    /// told by [`Database::name_in`](crate::Database::name_in).
    Postgres,
}

impl EngineKind {
    /// Every engine there is.
    pub const ALL: [Self; 3] = [Self::Redb, Self::Sled, Self::Postgres];

    /// What an operator should know before trusting this engine with keys that cannot be made
    /// again; to be shown when a store is made.
    #[must_use]
    pub fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Redb | Self::Postgres => None,
            Self::Sled => Some(
                "sled is kept sound by what countersign does around it (an fsync of its own after each \
                 batch, unfinished snapshots removed, room looked for before it opens its files), and \
                 one damaged byte of its log makes everything after it unreadable: the store is then \
                 refused as a whole. Prefer redb for keys that cannot be made again, and keep backups",
            ),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
            Self::Postgres => "postgres",
        }
    }

    /// Makes a new, empty engine in `dir`, a private directory that exists and is empty; or in the
    /// database that is named there.
    pub(crate) fn create(self, dir: &Path) -> Result<Box<dyn Engine>, EngineError> {
        Ok(match self {
            Self::Redb => Box::new(RedbEngine::create(dir)?),
            Self::Sled => Box::new(SledEngine::open(dir)?),
            #[cfg(feature = "postgres")]
            Self::Postgres => Box::new(crate::shared::create_engine(dir)?),
            #[cfg(not(feature = "postgres"))]
            Self::Postgres => return Err(EngineError::NotBuilt { engine: self }),
        })
    }

    /// Opens the engine that [`create`](Self::create) made in `dir`.
    pub(crate) fn open(self, dir: &Path) -> Result<Box<dyn Engine>, EngineError> {
        Ok(match self {
            Self::Redb => Box::new(RedbEngine::open(dir)?),
            Self::Sled => Box::new(SledEngine::open(dir)?),
            #[cfg(feature = "postgres")]
            Self::Postgres => Box::new(crate::shared::open_engine(dir)?),
            #[cfg(not(feature = "postgres"))]
            Self::Postgres => return Err(EngineError::NotBuilt { engine: self }),
        })
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no engine of this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no engine {name:?}: choose redb, sled or postgres")]
pub struct UnknownEngine {
    name: String,
}

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownEngine {
                name: name.to_owned(),
            })
    }
}

/// An ordered map of byte strings, as it is or as it was at one moment.
pub(crate) trait Reader: Send + Sync {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// The values under `keys`, in the order of `keys`. An engine that is far away answers in one
    /// round trip.
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, EngineError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// The keys that begin with `prefix` and come after `after`, with their values, in ascending
    /// order of bytes: the first `limit` of them, all there are if there are fewer.
    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError>;
}

/// An ordered map of byte strings on disk, with one writer at a time.
///
/// What it reads is as of the last [`apply`](Self::apply) that returned.
pub(crate) trait Engine: Reader {
    /// Does all of the changes or, after a crash or an error, all or none of them.
    ///
    /// When it returns without an error they are on disk. No key comes twice.
    fn apply(&self, changes: &[Change]) -> Result<(), EngineError>;

    /// What is there now, for as long as the answer is kept, whatever is applied meanwhile; `None`
    /// from an engine that cannot do this: then the caller sees to it that nothing is.
    fn snapshot(&self) -> Result<Option<Box<dyn Reader + '_>>, EngineError>;

    /// Whether it is still ours, for an engine that may pass to somebody else.
    fn leadership(&self) -> Option<Leadership> {
        None
    }

    /// Makes the header known to the others with whom this engine is shared.
    fn publish_header(&self, _text: &[u8]) -> Result<(), EngineError> {
        Ok(())
    }
}

/// Where a page begins.
fn first<'k>(prefix: &'k [u8], after: Option<&'k [u8]>) -> (Bound<&'k [u8]>, Bound<&'k [u8]>) {
    let from = match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    (from, Bound::Unbounded)
}

/// Refuses a key that does not come after the one before it. Whoever goes on from the last key of a
/// page would go round in circles in a tree whose damaged key says something else.
fn ascends(before: Option<&[u8]>, key: &[u8]) -> Result<(), EngineError> {
    if before.is_some_and(|before| before >= key) {
        return Err(EngineError::OutOfOrder);
    }
    Ok(())
}

/// A key and its value, as found in an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Stored {
    fn key(&self) -> &[u8] {
        &self.key
    }
}

/// A change to one key: its new value, or none.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// What an engine itself said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// What was durable is not all there any more.
    #[error(
        "what is in {dir} ends with change {recovered}, and {noted} had been made durable: restore it from a backup, or remove {file} to go on without what is lost"
    )]
    EndsEarly {
        /// The engine's directory.
        dir: PathBuf,
        /// The last change that is there.
        recovered: u64,
        /// The last one that was.
        noted: u64,
        /// The file that remembers.
        file: PathBuf,
    },
    /// The engine's files could not be handled.
    #[error(transparent)]
    Files(#[from] crate::Error),
    /// This program was built without it.
    #[error(
        "this program was built without the engine {engine}: build it with the feature of that name"
    )]
    NotBuilt {
        /// Which engine.
        engine: EngineKind,
    },
    /// The database refused or failed, or somebody else leads.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] postgres::PostgresError),
    /// A key was found where it cannot be.
    #[error("its keys are not in order, it is damaged: restore it from a backup")]
    OutOfOrder,
    /// The engine gave up on what it found.
    #[error("{file} is damaged, the engine gave up on it with {said:?}: restore it from a backup")]
    Panicked {
        /// The file, or the directory of its files.
        file: PathBuf,
        /// The engine's own words.
        said: String,
    },
    /// redb refused or failed.
    #[error(transparent)]
    Redb(::redb::Error),
    /// sled refused or failed.
    #[error(transparent)]
    Sled(::sled::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_does_not_ascend_ends_the_reading() {
        assert!(ascends(None, b"a").is_ok());
        assert!(ascends(Some(b"a"), b"b").is_ok());
        for key in [b"a", b"b"] {
            let refused = ascends(Some(b"b"), key);
            assert!(matches!(refused, Err(EngineError::OutOfOrder)));
        }
    }
}
