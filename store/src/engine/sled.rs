//! sled as an engine: one tree, and an fsync of its own after each batch.
//!
//! sled's `flush` writes everything out but never calls `fsync` (on Linux it uses
//! `sync_file_range`, which leaves the disk's cache and the file's metadata alone). So each batch
//! ends with a sync of sled's files from here. That makes the bytes durable; it does not mend
//! sled's recovery, which [`EngineKind::caveat`](super::EngineKind::caveat) tells of.
//!
//! Where its log is damaged, sled takes what comes before for the whole and says nothing. So each
//! batch has a number, and the last durable one is kept beside the log (`applied`): a log that
//! ends earlier is refused.
//!
//! After a failed write sled's memory has what its files may not have. It goes on serving readers,
//! who are shown what was there before, and the next write opens the files again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;
use sled::{Batch, Config, Db};

use super::applied::{APPLIED_KEY, Applied};
use super::contain::{contain, discard};
use super::{Change, Engine, EngineError, Reader, Stored, ascends, first};
use crate::files::{IoContext, make_private};

const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Opening, sled writes a snapshot and begins a segment, of half this size.
const ROOM: usize = 1024 * 1024;

/// The file that sled locks for as long as it has the directory open.
const LOCKED_FILE: &str = "db";

pub(super) struct SledEngine {
    dir: PathBuf,
    /// None after the files could not be opened again.
    open: RwLock<Option<Open>>,
}

/// What a failed batch may have left in sled's memory: what was under its keys before.
type Hidden = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

struct Open {
    // The order matters: closed first, then seen to be closed.
    database: Db,
    applied: Applied,
    failed: Option<Hidden>,
    _closing: Closing,
}

impl SledEngine {
    pub(super) fn open(dir: &Path) -> Result<Self, EngineError> {
        let open = Open::new(dir)?;
        for_each_file(dir, |path| {
            make_private(path).while_trying("make private", path)
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            open: RwLock::new(Some(open)),
        })
    }

    fn read<T>(&self, work: impl Fn(&Open) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let read = |open: &Open| contain(&self.dir, || work(open));
        if let Some(open) = &*self.open.read().unwrap_or_else(PoisonError::into_inner) {
            return read(open);
        }
        let mut state = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if state.is_none() {
            *state = Some(Open::new(&self.dir)?);
        }
        state
            .as_ref()
            .map_or_else(|| unreachable!("it was opened just now"), read)
    }
}

impl Open {
    fn new(dir: &Path) -> Result<Self, EngineError> {
        // A disk that fills up while sled opens its files leaves them so that they never open again.
        look_for_room(dir)?;
        remove_drafts(dir)?;
        let closing = Closing(dir.join(LOCKED_FILE));
        let database = contain(dir, || {
            Config::new()
                .path(dir)
                .cache_capacity(CACHE_BYTES)
                // Every batch is flushed when it is applied: there is nothing left for a thread
                // to do.
                .flush_every_ms(None)
                .open()
                .map_err(EngineError::Sled)
        })?;
        let recovered = contain(dir, || database.get(APPLIED_KEY).map_err(EngineError::Sled))?;
        let applied = Applied::open(dir, recovered.as_deref())?;
        Ok(Self {
            database,
            applied,
            failed: None,
            _closing: closing,
        })
    }

    /// What is under the keys of these changes.
    fn before(&self, changes: &[Change]) -> Result<Hidden, EngineError> {
        let mut before = Hidden::new();
        for Change { key, .. } in changes {
            let value = self.database.get(key).map_err(EngineError::Sled)?;
            before.insert(key.clone(), value.map(|value| value.to_vec()));
        }
        Ok(before)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        if let Some(value) = self.failed.as_ref().and_then(|hidden| hidden.get(key)) {
            return Ok(value.clone());
        }
        let value = self.database.get(key).map_err(EngineError::Sled)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        let bounds = first(prefix, after);
        let hidden = self.failed.as_ref();
        let mut found = Vec::new();
        for entry in self.database.range::<&[u8], _>(bounds) {
            let (key, value) = entry.map_err(EngineError::Sled)?;
            if found.len() == limit || !key.starts_with(prefix) {
                break;
            }
            ascends(found.last().map(Stored::key).or(after), &key)?;
            // This one is ours, and not the caller's.
            if *key != *APPLIED_KEY && hidden.is_none_or(|hidden| !hidden.contains_key(&*key)) {
                found.push(Stored {
                    key: key.to_vec(),
                    value: value.to_vec(),
                });
            }
        }
        let instead = hidden
            .into_iter()
            .flat_map(|hidden| hidden.range::<[u8], _>(bounds));
        found.extend(
            instead
                .take_while(|(key, _)| key.starts_with(prefix))
                .filter_map(|(key, value)| {
                    let (key, value) = (key.clone(), value.clone()?);
                    Some(Stored { key, value })
                }),
        );
        if hidden.is_some() {
            found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            found.truncate(limit);
        }
        Ok(found)
    }

    fn apply(&mut self, dir: &Path, changes: &[Change]) -> Result<(), EngineError> {
        let number = self.applied.next();
        let mut batch = Batch::default();
        for Change { key, value } in changes {
            match value {
                Some(value) => batch.insert(&**key, &**value),
                None => batch.remove(&**key),
            }
        }
        batch.insert(APPLIED_KEY, &number.to_be_bytes());
        self.database
            .apply_batch(batch)
            .map_err(EngineError::Sled)?;
        self.database.flush().map_err(EngineError::Sled)?;
        for_each_file(dir, |path| {
            File::open(path)
                .and_then(|file| file.sync_all())
                .while_trying("make durable", path)
        })?;
        Ok(self.applied.note(number)?)
    }
}

impl Drop for SledEngine {
    fn drop(&mut self) {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
        discard(open.take());
    }
}

/// Removes snapshots that were being written when the process or the power went.
///
/// sled 0.34.7 means to pass them over but looks for another ending of their name, takes one for
/// its newest snapshot, and refuses to open. The log has all that they would have had.
fn remove_drafts(dir: &Path) -> Result<(), EngineError> {
    for entry in fs::read_dir(dir).while_trying("list", dir)? {
        let path = entry.while_trying("list", dir)?.path();
        if path
            .extension()
            .is_some_and(|ending| ending == "generating")
        {
            fs::remove_file(&path).while_trying("remove", &path)?;
        }
    }
    Ok(())
}

/// Whether a file of the size that sled needs can be written.
fn look_for_room(dir: &Path) -> Result<(), EngineError> {
    let path = dir.join("room");
    let wrote = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.sync_all()
    });
    let removed = fs::remove_file(&path);
    wrote.and(removed).while_trying("write", &path)?;
    Ok(())
}

/// sled's files, and the directories that name them: files first.
fn for_each_file(
    dir: &Path,
    visit: impl Fn(&Path) -> crate::Result<()>,
) -> Result<(), EngineError> {
    fn walk(dir: &Path, visit: &impl Fn(&Path) -> crate::Result<()>) -> crate::Result<()> {
        for entry in fs::read_dir(dir).while_trying("list", dir)? {
            let entry = entry.while_trying("list", dir)?;
            let path = entry.path();
            if entry.file_type().while_trying("inspect", &path)?.is_dir() {
                walk(&path, visit)?;
                continue;
            }
            match visit(&path) {
                // sled replaces its snapshots when it likes to.
                Err(crate::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                visited => visited?,
            }
        }
        visit(dir)
    }
    Ok(walk(dir, &visit)?)
}

impl Reader for SledEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.read(|open| open.get(key))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        self.read(|open| open.page(prefix, after, limit))
    }
}

impl Engine for SledEngine {
    fn apply(&self, changes: &[Change]) -> Result<(), EngineError> {
        let mut state = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if state.as_ref().is_some_and(|open| open.failed.is_some()) {
            // It has to be closed before it can be opened, so better see first whether it can.
            look_for_room(&self.dir)?;
            discard(state.take());
        }
        let open = match state.as_mut() {
            Some(open) => open,
            None => state.insert(Open::new(&self.dir)?),
        };
        let before = contain(&self.dir, || open.before(changes))?;
        let done = contain(&self.dir, || open.apply(&self.dir, changes));
        if done.is_err() {
            open.failed = Some(before);
        }
        done
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
    fn a_snapshot_that_was_never_finished_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let change = Change {
            key: b"key".to_vec(),
            value: Some(b"value".to_vec()),
        };
        SledEngine::open(dir.path())
            .unwrap()
            .apply(&[change])
            .unwrap();
        File::create(dir.path().join("snap.FFFFFFFFFFFFFFFF.generating")).unwrap();
        let engine = SledEngine::open(dir.path()).unwrap();
        assert_eq!(engine.get(b"key").unwrap().unwrap(), b"value");
    }

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
