//! sled as an engine: one tree, and an fsync of its own after each batch.
//!
//! sled's `flush` writes everything out but never calls `fsync` (on Linux it uses
//! `sync_file_range`, which leaves the disk's cache and the file's metadata alone). So each batch
//! ends with a sync of sled's files from here. That makes the bytes durable; it does not mend
//! sled's recovery, which [`EngineKind::caveat`](super::EngineKind::caveat) tells of.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;
use sled::{Batch, Config, Db};

use super::{Change, Engine, EngineError, Reader, Stored, first};
use crate::files::{IoContext, make_private};

const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// The file that sled locks for as long as it has the directory open.
const LOCKED_FILE: &str = "db";

pub(super) struct SledEngine {
    // The order matters: closed first, then seen to be closed.
    database: Db,
    dir: PathBuf,
    _closing: Closing,
}

impl SledEngine {
    pub(super) fn open(dir: &Path) -> Result<Self, EngineError> {
        let database = Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            // Every batch is flushed when it is applied: there is nothing left for a thread to do.
            .flush_every_ms(None)
            .open()
            .map_err(EngineError::Sled)?;
        let engine = Self {
            database,
            dir: dir.to_owned(),
            _closing: Closing(dir.join(LOCKED_FILE)),
        };
        engine.for_each_file(|path| make_private(path).while_trying("make private", path))?;
        Ok(engine)
    }

    /// sled's files, and the directories that name them: files first.
    fn for_each_file(&self, visit: impl Fn(&Path) -> crate::Result<()>) -> Result<(), EngineError> {
        fn walk(dir: &Path, visit: &impl Fn(&Path) -> crate::Result<()>) -> crate::Result<()> {
            for entry in fs::read_dir(dir).while_trying("list", dir)? {
                let entry = entry.while_trying("list", dir)?;
                let path = entry.path();
                if entry.file_type().while_trying("inspect", &path)?.is_dir() {
                    walk(&path, visit)?;
                } else {
                    visit(&path)?;
                }
            }
            visit(dir)
        }
        Ok(walk(&self.dir, &visit)?)
    }
}

impl Reader for SledEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self
            .database
            .get(key)
            .map_err(EngineError::Sled)?
            .map(|value| value.to_vec()))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        let mut found = Vec::new();
        for entry in self.database.range::<&[u8], _>(first(prefix, after)) {
            let (key, value) = entry.map_err(EngineError::Sled)?;
            if found.len() == limit || !key.starts_with(prefix) {
                break;
            }
            found.push(Stored {
                key: key.to_vec(),
                value: value.to_vec(),
            });
        }
        Ok(found)
    }
}

impl Engine for SledEngine {
    fn apply(&self, changes: &[Change]) -> Result<(), EngineError> {
        let mut batch = Batch::default();
        for Change { key, value } in changes {
            match value {
                Some(value) => batch.insert(&**key, &**value),
                None => batch.remove(&**key),
            }
        }
        self.database
            .apply_batch(batch)
            .map_err(EngineError::Sled)?;
        self.database.flush().map_err(EngineError::Sled)?;
        self.for_each_file(|path| {
            File::open(path)
                .and_then(|file| file.sync_all())
                .while_trying("make durable", path)
        })
    }

    fn snapshot(&self) -> Result<Option<Box<dyn Reader + '_>>, EngineError> {
        Ok(None)
    }
}

/// Waits, when dropped, until sled has let go of its file.
///
/// Dropping the database is not enough. sled writes its log from a pool of threads, and a thread
/// that has just written still holds the file, and the lock on it, for a moment longer: whoever
/// opened the store in that moment would be told that it is in use.
struct Closing(PathBuf);

impl Drop for Closing {
    fn drop(&mut self) {
        // Nobody else can have it: the store's own lock is still held. Should the file not open,
        // there is nothing to wait for.
        if let Ok(file) = File::open(&self.0) {
            let _ = retry_on_intr(|| flock(&file, FlockOperation::LockExclusive));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;

    #[test]
    fn closing_waits_for_who_still_holds_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCKED_FILE);
        let held = File::create(&path).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        let (closed, told) = channel();
        let closing = std::thread::spawn(move || {
            drop(Closing(path));
            closed.send(()).unwrap();
        });
        let early = told.recv_timeout(Duration::from_millis(200));
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        drop(held);
        told.recv().unwrap();
        closing.join().unwrap();
    }
}
