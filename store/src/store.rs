//! The store: made once, opened by one process at a time, read and written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::crypto::{self, Nonce};
use crate::engine::database::{DATABASE_FILE, Database};
use crate::engine::{Change, ENGINE_DIR, Engine, EngineError, EngineKind};
use crate::error::{Error, Result};
use crate::fault::{Passage, When};
use crate::files::{self, IoContext};
use crate::header::{HEADER_FILE, Header, Unverified};
use crate::index::Cache;
use crate::kdf::KdfCost;
use crate::keyring::Keyring;
use crate::load::LOADING_FILE;
use crate::lock::{LOCK_FILE, Lock};
use crate::obstacle::Obstacle;
use crate::plan::{Plan, Planned};
use crate::secret::Unlock;
use crate::shared;
use crate::slot::{SlotInfo, SlotOptions};
use crate::snapshot::{Access, Snapshot};
use crate::transaction::Transaction;
use crate::vault::{CANARY_KEY, ROOT_KEY, Resealing, Root, Vault};

/// There while a store is being made: what is found beside it was never in use.
pub(crate) const UNFINISHED_FILE: &str = "unfinished";

/// How a new store is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct InitOptions {
    /// Where the records are kept.
    pub engine: EngineKind,
    /// What a guess at the passphrase costs; of no effect for a key file.
    pub kdf: KdfCost,
    /// Now, in seconds since 1970, if it is to be recorded when the first slot was made.
    pub since: Option<i64>,
}

impl InitOptions {
    /// The options for the first slot.
    pub(crate) fn slot(&self) -> SlotOptions {
        SlotOptions {
            label: String::new(),
            since: self.since,
            kdf: self.kdf,
        }
    }
}

/// An open store. Clones share it; it is closed, and may be opened by others, when the last is
/// dropped.
///
/// Readers run side by side. One transaction runs at a time, and readers do not wait for it, unless
/// the engine cannot show them what was before (sled) and is writing: each reading call sees all of a
/// transaction or nothing of it. [`snapshot`](Self::snapshot) makes one view of several calls.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    // The order matters: the engine must be closed before the lock is given up.
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) keyring: Keyring,
    /// Changes when the master key is replaced, under the writer's lock.
    pub(crate) vault: RwLock<Arc<Vault>>,
    pub(crate) cache: Cache,
    pub(crate) store_id: [u8; 16],
    /// How many values and nodes the engine was asked for.
    pub(crate) reads: AtomicU64,
    known: Mutex<Known>,
    kind: EngineKind,
    dir: PathBuf,
    /// Held from the first condition checked to the last byte written.
    pub(crate) writer: Mutex<()>,
    /// Held exclusively while the engine writes, so that readers of an engine without snapshots
    /// never see half a transaction.
    pub(crate) gate: RwLock<()>,
    _lock: Lock,
}

/// What this process knows of the root.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// A root with fewer transactions than these is an older one put back.
    pub(crate) floor: u64,
    /// The root as it was last written or read, and the nonce it was sealed with.
    pub(crate) root: Option<(Nonce, Root)>,
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
        let kind = options.engine;
        let keyring = Keyring::create(dir, kind, unlock, &options.slot())?;

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
        let engine_dir = dir.join(ENGINE_DIR);
        files::create_private_dir(&engine_dir)?;
        let engine = kind
            .create(&engine_dir)
            .map_err(|source| engine_error(kind, dir, "be created", source))?;
        let inner = Inner::new(engine, keyring, dir, lock);
        let (_, root) = inner.vault().seal_root(&inner.first_root())?;
        inner.apply(&[Change {
            key: ROOT_KEY.to_vec(),
            value: Some(root),
        }])?;
        inner.sing()?;
        files::sync_dir(&engine_dir)?;

        // Last: with the header in place the store exists.
        inner.put_header(&inner.keyring.encode()?)?;
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
        let keyring = Keyring::open(dir, unlock)?;
        let unfinished = dir.join(UNFINISHED_FILE);
        if unfinished.symlink_metadata().is_ok() {
            fs::remove_file(&unfinished).while_trying("remove", &unfinished)?;
        }
        let kind = keyring.engine();
        let engine = kind
            .open(&dir.join(ENGINE_DIR))
            .map_err(|source| engine_error(kind, dir, "open", source))?;
        let inner = Inner::new(engine, keyring, dir, lock);
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

    /// Random, and different for each store: one that is restored or migrated is another.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        self.inner.store_id
    }

    /// How many sealed values and parts of the index were read from the engine since it was opened:
    /// the work behind what was asked, without the time it took.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.inner.reads.load(Ordering::Relaxed)
    }

    /// The directory of this store.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The store as it is now, for as long as the answer is kept.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Snapshot::new(&self.inner, Access::Reader)
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
        let view = Snapshot::new(inner, Access::Writer)?;
        let mut plan = Plan::after(view, transaction.after)?;
        plan.expect(transaction.operations.len());
        for operation in &transaction.operations {
            plan.add(operation)?;
        }
        let passage = Passage::enter(transaction.streams());
        let Some(planned) = plan.finish()? else {
            return Ok(());
        };
        passage.reach(When::Before);
        inner.carry_out(planned)?;
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
    pub(crate) fn new(engine: Box<dyn Engine>, keyring: Keyring, dir: &Path, lock: Lock) -> Self {
        Self {
            engine,
            vault: RwLock::new(Arc::new(keyring.vault())),
            cache: Cache::default(),
            store_id: keyring.store_id(),
            reads: AtomicU64::new(0),
            known: Mutex::default(),
            kind: keyring.engine(),
            keyring,
            dir: dir.to_owned(),
            writer: Mutex::new(()),
            gate: RwLock::new(()),
            _lock: lock,
        }
    }

    /// The root of a store in which nothing has happened yet.
    pub(crate) fn first_root(&self) -> Root {
        Root {
            resealing: Resealing {
                whole: self.vault().newest(),
                ..Resealing::default()
            },
            ..Root::default()
        }
    }

    pub(crate) fn kind(&self) -> EngineKind {
        self.kind
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn known(&self) -> Known {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// Notes a root that was read, unless a newer one is known.
    pub(crate) fn learn(&self, nonce: Nonce, root: &Root) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.root.is_none() || root.transactions > known.floor {
            known.floor = known.floor.max(root.transactions);
            known.root = Some((nonce, root.clone()));
        }
    }

    /// Does what was planned; the writer's lock is held.
    pub(crate) fn carry_out(&self, planned: Planned) -> Result<()> {
        let Planned {
            changes,
            nonce,
            root,
            nodes,
        } = planned;
        let applied = self.apply(&changes);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = applied {
            // Done or not: the root that is read next will tell.
            known.root = None;
            return Err(error);
        }
        known.floor = root.transactions;
        known.root = Some((nonce, root));
        drop(known);
        for (nonce, node) in nodes {
            self.cache.keep(nonce, node);
        }
        Ok(())
    }

    pub(crate) fn apply(&self, changes: &[Change]) -> Result<()> {
        let _writing = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.engine
            .apply(changes)
            .map_err(|source| self.failed_to("write", source))
    }

    /// The keys in force.
    pub(crate) fn vault(&self) -> Arc<Vault> {
        let vault = self.vault.read().unwrap_or_else(PoisonError::into_inner);
        vault.clone()
    }

    /// Puts a header in its place, as a whole, durably.
    pub(crate) fn put_header(&self, text: &[u8]) -> Result<()> {
        self.announce(text)?;
        files::replace(&self.dir.join(HEADER_FILE), text)
    }

    /// Writes a canary and looks whether it comes back.
    pub(crate) fn sing(&self) -> Result<()> {
        let vault = self.vault();
        let mut song = [0; 32];
        crypto::fill(&mut song)?;
        let value = Some(vault.seal_canary(&song)?);
        self.apply(&[Change {
            key: CANARY_KEY.to_vec(),
            value,
        }])?;
        let heard = self
            .engine
            .get(CANARY_KEY)
            .map_err(|source| self.failed_to("read", source))?
            .and_then(|value| vault.open_canary(&value).ok());
        if heard.is_some_and(|heard| *heard == song) {
            Ok(())
        } else {
            Err(Error::Canary {
                path: self.dir.clone(),
            })
        }
    }

    pub(crate) fn failed_to(&self, operation: &'static str, source: EngineError) -> Error {
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
    // A disk that fails may be in the way of reading too; all else is in the way of writing, also
    // when an engine has to open its files again before it can read.
    let obstacle = Obstacle::of(&source)
        .filter(|obstacle| *obstacle != Obstacle::Failing || operation != "read");
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
