//! The store: made once, opened by one process at a time, read and written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::crypto::{self, SecretKey};
use crate::engine::database::{DATABASE_FILE, Database};
use crate::engine::{Change, ENGINE_DIR, Engine, EngineError, EngineKind, Stored};
use crate::error::{Error, Result};
use crate::fault::{Passage, When};
use crate::files::{self, IoContext};
use crate::header::{Header, Unverified};
use crate::kdf::KdfCost;
use crate::load::LOADING_FILE;
use crate::lock::{LOCK_FILE, Lock};
use crate::obstacle::Obstacle;
use crate::plan::Plan;
use crate::secret::Unlock;
use crate::shared;
use crate::slot::{Slot, SlotInfo};
use crate::survey::Survey;
use crate::transaction::Transaction;
use crate::vault::{CANARY_KEY, Entry, Group, ROOT_KEY, Record, Root, Tally, Vault};

/// There while a store is being made: what is found beside it was never in use.
const UNFINISHED_FILE: &str = "unfinished";

/// How a new store is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct InitOptions {
    /// Where the records are kept.
    pub engine: EngineKind,
    /// What a guess at the passphrase costs; of no effect for a key file.
    pub kdf: KdfCost,
}

/// An open store. Clones share it; it is closed, and may be opened by others, when the last is
/// dropped.
///
/// Readers run side by side. One transaction runs at a time, and readers wait for it only while
/// the engine writes: each reading call sees all of a transaction or nothing of it.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    // The order matters: the engine must be closed before the lock is given up.
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) vault: Vault,
    kind: EngineKind,
    dir: PathBuf,
    /// Held from the first condition checked to the last byte written.
    pub(crate) writer: Mutex<()>,
    /// Held exclusively while the engine writes, so that readers never see half a transaction.
    pub(crate) gate: RwLock<()>,
    _lock: Lock,
}

impl Store {
    /// Makes a new store in `dir`, which is created, or exists and is empty, and opens it.
    ///
    /// Everything is durable when this returns. If it is interrupted, what is left is recognised
    /// by `init` and `open` as [`Error::Incomplete`].
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::NotEmpty`], [`Error::Incomplete`] and
    /// [`Error::HeaderMissing`] for what is there already, [`Error::EmptyPassphrase`],
    /// [`Error::InUse`], [`Error::Io`], [`Error::Engine`], [`Error::Random`].
    pub fn init(dir: &Path, unlock: &Unlock, options: &InitOptions) -> Result<Self> {
        Self::init_marked(dir, unlock, options, None)
    }

    /// The same, with a file beside the header that says what is to be known of it.
    pub(crate) fn init_marked(
        dir: &Path,
        unlock: &Unlock,
        options: &InitOptions,
        mark: Option<&str>,
    ) -> Result<Self> {
        if options.engine == EngineKind::Postgres {
            return shared::init(dir, unlock, options, mark);
        }
        if Header::exists(dir) {
            return Err(Error::AlreadyExists {
                path: dir.to_owned(),
            });
        }
        // Before anything is written, since this is what may be refused.
        let master = SecretKey::random()?;
        let mut store_id = [0; 16];
        crypto::fill(&mut store_id)?;
        let slot = Slot::seal(1, &master, unlock, options.kdf, &store_id)?;

        make_room(dir)?;
        let lock = Lock::take(dir)?;
        if Header::exists(dir) {
            return Err(Error::AlreadyExists {
                path: dir.to_owned(),
            });
        }
        let unfinished = dir.join(UNFINISHED_FILE);
        files::write_private(&unfinished, b"")?;
        if let Some(mark) = mark {
            files::write_private(&dir.join(mark), b"")?;
        }
        let kind = options.engine;
        let engine_dir = dir.join(ENGINE_DIR);
        files::create_private_dir(&engine_dir)?;
        let engine = kind
            .create(&engine_dir)
            .map_err(|source| engine_error(kind, dir, "be created", source))?;
        let vault = Vault::new(&master, &store_id);
        let inner = Inner::new(engine, vault, kind, dir, lock);
        let root = inner.vault.seal_root(&Root::default())?;
        inner.apply(&[Change {
            key: ROOT_KEY.to_vec(),
            value: Some(root),
        }])?;
        inner.sing()?;
        files::sync_dir(&engine_dir)?;

        // Last: with the header in place the store exists.
        Header {
            engine: kind,
            store_id,
            slots: vec![slot],
        }
        .write(dir, &master)?;
        fs::remove_file(&unfinished).while_trying("remove", &unfinished)?;
        files::sync_dir(dir)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Opens the store in `dir`, and proves that it can be written and read.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Incomplete`] or [`Error::HeaderMissing`] when there is no
    /// whole store; [`Error::InUse`] when it is open already, here or in another process;
    /// [`Error::Loading`]; [`Error::WrongSecret`]; [`Error::NewerFormat`] and [`Error::HeaderDamaged`], with nothing
    /// written; [`Error::Canary`]; [`Error::Io`], [`Error::Engine`].
    pub fn open(dir: &Path, unlock: &Unlock) -> Result<Self> {
        if Database::is_named_in(dir) {
            return shared::open(dir, unlock);
        }
        if !Header::exists(dir) {
            return Err(headless(dir).unwrap_or(Error::NotFound {
                path: dir.to_owned(),
            }));
        }
        if dir.join(LOADING_FILE).symlink_metadata().is_ok() {
            return Err(Error::Loading {
                path: dir.to_owned(),
            });
        }
        // Once before the lock, so that nothing at all is written beside a header that cannot be
        // used, and once under it, since it may have been replaced in between.
        Unverified::read(dir)?;
        let lock = Lock::take(dir)?;
        let (header, master) = Unverified::read(dir)?.open(dir, unlock)?;
        let unfinished = dir.join(UNFINISHED_FILE);
        if unfinished.symlink_metadata().is_ok() {
            fs::remove_file(&unfinished).while_trying("remove", &unfinished)?;
        }
        let kind = header.engine;
        let engine = kind
            .open(&dir.join(ENGINE_DIR))
            .map_err(|source| engine_error(kind, dir, "open", source))?;
        let vault = Vault::new(&master, &header.store_id);
        let inner = Inner::new(engine, vault, kind, dir, lock);
        inner.sing()?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Whether there is a whole store in `dir`. Says nothing of whether it can be opened.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        Header::exists(dir)
    }

    /// The slots of the store in `dir`, as its header states them. Nobody has verified them: only
    /// who opens the store knows that they are as they were written.
    ///
    /// # Errors
    /// As [`open`](Self::open), for what can be told without a secret.
    pub fn slots_in(dir: &Path) -> Result<Vec<SlotInfo>> {
        if Database::is_named_in(dir) {
            shared::refresh(dir)?;
        }
        if !Header::exists(dir) {
            return Err(headless(dir).unwrap_or(Error::NotFound {
                path: dir.to_owned(),
            }));
        }
        Ok(Unverified::read(dir)?.slots())
    }

    /// The engine that keeps this store's records.
    #[must_use]
    pub fn engine(&self) -> EngineKind {
        self.inner.kind
    }

    /// The directory of this store.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The record of this id, if there is one.
    ///
    /// That one record is authentic; whether it is the latest is told by
    /// [`list`](Self::list) and [`verify`](Self::verify), which see the whole.
    ///
    /// # Errors
    /// [`Error::Damaged`], naming the record; [`Error::Engine`].
    pub fn read(&self, collection: &str, id: &str) -> Result<Option<Record>> {
        let inner = &*self.inner;
        let key = inner.vault.record_key(collection, id);
        let _reading = inner.gate.read().unwrap_or_else(PoisonError::into_inner);
        Ok(inner
            .get(&key)?
            .map(|value| inner.vault.open_record(collection, &key, &value))
            .transpose()
            .map_err(|damage| damage.of(collection, id))?)
    }

    /// Every record of a collection, by ascending id. A collection that was never written is empty.
    ///
    /// # Errors
    /// [`Error::Damaged`] when any record is damaged, or any was removed, brought back or replaced
    /// by an older self: use [`survey`](Self::survey) to get at the others. [`Error::Engine`].
    pub fn list(&self, collection: &str) -> Result<Vec<Record>> {
        self.list_prefix(collection, "")
    }

    /// As [`list`](Self::list), but only the records whose id begins with `id_prefix`; damage to
    /// the content of others is not looked for.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_prefix(&self, collection: &str, id_prefix: &str) -> Result<Vec<Record>> {
        let Survey { records, damage } = self.inner.survey(collection, id_prefix)?;
        match damage.into_iter().next() {
            None => Ok(records),
            Some(damage) => Err(damage.into()),
        }
    }

    /// Every record of a collection that can be read, by ascending id, and all damage in it.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn survey(&self, collection: &str) -> Result<Survey> {
        self.inner.survey(collection, "")
    }

    /// Every event of a journal in order. A journal that was never written is empty.
    ///
    /// # Errors
    /// [`Error::Damaged`] when any event is damaged, missing at either end or between, or
    /// replaced: a history with holes is not a history. [`Error::Engine`].
    pub fn journal(&self, stream: &str) -> Result<Vec<Entry>> {
        let (entries, damage) = self.inner.history(stream)?;
        match damage.into_iter().next() {
            None => Ok(entries),
            Some(damage) => Err(damage.into()),
        }
    }

    /// Does all of a transaction, durably, or nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] or [`Error::JournalConflict`] when a condition does not hold,
    /// [`Error::Damaged`] when it would build on damaged bytes, [`Error::NameLength`] and
    /// [`Error::TooLarge`]: in all of these nothing has changed. [`Error::Engine`] when the engine
    /// failed: whether it took place is then known only after opening the store again.
    #[allow(clippy::needless_pass_by_value)]
    pub fn transact(&self, transaction: Transaction) -> Result<()> {
        let inner = &*self.inner;
        let _writing = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plan = Plan::new(inner);
        for operation in &transaction.operations {
            plan.add(operation)?;
        }
        let passage = Passage::enter(plan.appends());
        let changes = plan.finish(transaction.after)?;
        if changes.is_empty() {
            return Ok(());
        }
        passage.reach(When::Before);
        inner.apply(&changes)?;
        passage.reach(When::After);
        Ok(())
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.inner.dir)
            .field("engine", &self.inner.kind)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn new(
        engine: Box<dyn Engine>,
        vault: Vault,
        kind: EngineKind,
        dir: &Path,
        lock: Lock,
    ) -> Self {
        Self {
            engine,
            vault,
            kind,
            dir: dir.to_owned(),
            writer: Mutex::new(()),
            gate: RwLock::new(()),
            _lock: lock,
        }
    }

    pub(crate) fn kind(&self) -> EngineKind {
        self.kind
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.engine
            .get(key)
            .map_err(|source| self.failed_to("read", source))
    }

    pub(crate) fn scan(&self, prefix: &[u8]) -> Result<Vec<Stored>> {
        self.engine
            .page(prefix, None, usize::MAX)
            .map_err(|source| self.failed_to("read", source))
    }

    pub(crate) fn apply(&self, changes: &[Change]) -> Result<()> {
        let _writing = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.engine
            .apply(changes)
            .map_err(|source| self.failed_to("write", source))
    }

    /// What a group contains by its own account; nothing, if it was never written.
    pub(crate) fn tally(&self, group: &Group) -> Result<Tally> {
        let key = self.vault.summary_key(group);
        let Some(value) = self.get(&key)? else {
            return Ok(Tally::default());
        };
        match self.vault.open_summary(&key, &value) {
            Ok((_, tally)) => Ok(tally),
            Err(damage) => Err(crate::Damage {
                place: group.place(),
                ..damage
            }
            .into()),
        }
    }

    /// Writes a canary and looks whether it comes back.
    pub(crate) fn sing(&self) -> Result<()> {
        let mut song = [0; 32];
        crypto::fill(&mut song)?;
        let value = Some(self.vault.seal_canary(&song)?);
        self.apply(&[Change {
            key: CANARY_KEY.to_vec(),
            value,
        }])?;
        let heard = self
            .get(CANARY_KEY)?
            .and_then(|value| self.vault.open_canary(&value).ok());
        if heard.is_some_and(|heard| *heard == song) {
            Ok(())
        } else {
            Err(Error::Canary {
                path: self.dir.clone(),
            })
        }
    }

    fn failed_to(&self, operation: &'static str, source: EngineError) -> Error {
        engine_error(self.kind, &self.dir, operation, source)
    }
}

pub(crate) fn engine_error(
    engine: EngineKind,
    dir: &Path,
    operation: &'static str,
    source: EngineError,
) -> Error {
    let source = match shared::plainly(source) {
        Ok(error) => return error,
        Err(source) => source,
    };
    let path = dir.join(ENGINE_DIR);
    // Reading a disk that fails is another matter than not being able to write to it.
    let obstacle = Obstacle::of(&source).filter(|_| operation != "read");
    if let Some(obstacle) = obstacle {
        return Error::Unwritable {
            path,
            obstacle,
            source: Box::new(source),
        };
    }
    Error::Engine {
        engine,
        path,
        operation,
        source: Box::new(source),
    }
}

/// Sees to it that `dir` is a private directory with nothing in it.
pub(crate) fn make_room(dir: &Path) -> Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            files::create_private_dir(dir)?;
            return files::sync_parent(dir);
        }
        Err(error) => return Err(error).while_trying("list", dir),
    };
    if let Some(error) = headless(dir) {
        return Err(error);
    }
    for entry in entries {
        // A lock file alone is what is left of an `init` that had only just begun. Where a shared
        // store lies is told before it is made.
        let name = entry.while_trying("list", dir)?.file_name();
        if name != LOCK_FILE && name != DATABASE_FILE {
            return Err(Error::NotEmpty {
                path: dir.to_owned(),
            });
        }
    }
    files::make_private(dir).while_trying("make private", dir)
}

/// What to call a directory that has no header but parts of a store.
fn headless(dir: &Path) -> Option<Error> {
    let has = |name| dir.join(name).symlink_metadata().is_ok();
    let path = dir.to_owned();
    if has(UNFINISHED_FILE) {
        Some(Error::Incomplete { path })
    } else if has(ENGINE_DIR) {
        Some(Error::HeaderMissing { path })
    } else {
        None
    }
}
