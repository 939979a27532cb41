//! redb as an engine: one file, one table, each commit synced before it returns.
//!
//! After one failed write or read redb refuses everything until it is opened again. That is done
//! here, before the next write; until it succeeds, reads go on from what is on the disk
//! (`rescue`).

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};

use super::contain::{contain, discard};
use super::inventory::{self, Inventory};
use super::rescue::{Rescue, forget_cached};
use super::{Change, Engine, EngineError, Reader, Stored, ascends, first};
use crate::files::{IoContext, create_private};

const FILE: &str = "store.redb";
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("sealed");

/// redb would take up to a gibibyte; a store of keys is read rarely and is small.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

pub(super) struct RedbEngine {
    path: PathBuf,
    state: RwLock<State>,
}

enum State {
    Sound(Database),
    /// Something failed. What can be read is read from a copy-on-write view of the file, if that
    /// could be had.
    Failed(Option<Database>),
}

impl State {
    fn database(&self) -> Option<&Database> {
        match self {
            Self::Sound(database) => Some(database),
            Self::Failed(view) => view.as_ref(),
        }
    }
}

impl RedbEngine {
    pub(super) fn create(dir: &Path) -> Result<Self, EngineError> {
        let path = dir.join(FILE);
        // Made here and not by redb, so that it is private from the beginning.
        drop(create_private(&path)?);
        let database = contain(&path, || builder().create(&path).map_err(fault))?;
        let engine = Self::new(path, database);
        engine.apply(&[])?;
        Ok(engine)
    }

    pub(super) fn open(dir: &Path) -> Result<Self, EngineError> {
        let path = dir.join(FILE);
        let database = open(&path)?;
        Ok(Self::new(path, database))
    }

    fn new(path: PathBuf, database: Database) -> Self {
        Self {
            path,
            state: RwLock::new(State::Sound(database)),
        }
    }

    /// Reads, and once more if what was read with has failed: before, or just now.
    fn read<T>(&self, work: impl Fn(View) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let attempt = || {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state
                .database()
                .map(|database| contain(&self.path, || work(view(database)?)))
        };
        match attempt() {
            Some(Err(error)) if is_final(&error) => {}
            Some(result) => return result,
            None => {}
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.fail(&mut state);
        let State::Failed(Some(database)) = &*state else {
            // Nothing can be read. Why, is said by whoever tries to open it.
            *state = State::Sound(open(&self.path)?);
            drop(state);
            return attempt().unwrap_or_else(|| unreachable!("it was opened just now"));
        };
        contain(&self.path, || work(view(database)?))
    }

    /// Lets go of what has failed, and looks at the file itself.
    fn fail(&self, state: &mut State) {
        discard(std::mem::replace(state, State::Failed(None)));
        // Best effort: a file that cannot be opened is reported by the one who needs it.
        let _ = forget_cached(&self.path);
        let view = contain(&self.path, || {
            let file = Rescue::open(&self.path).while_trying("open", &self.path)?;
            builder().create_with_backend(file).map_err(fault)
        });
        *state = State::Failed(view.ok());
    }
}

impl Drop for RedbEngine {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        discard(std::mem::replace(state, State::Failed(None)));
    }
}

/// One read transaction.
struct View(ReadOnlyTable<&'static [u8], &'static [u8]>);

fn view(database: &Database) -> Result<View, EngineError> {
    let transaction = database.begin_read().map_err(fault)?;
    Ok(View(transaction.open_table(TABLE).map_err(fault)?))
}

impl Reader for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let value = self.0.get(key).map_err(fault)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        let mut found = Vec::new();
        for entry in self.0.range::<&[u8]>(first(prefix, after)).map_err(fault)? {
            let (key, value) = entry.map_err(fault)?;
            if found.len() == limit || !key.value().starts_with(prefix) {
                break;
            }
            ascends(found.last().map(Stored::key).or(after), key.value())?;
            found.push(Stored {
                key: key.value().to_vec(),
                value: value.value().to_vec(),
            });
        }
        Ok(found)
    }
}

/// A read transaction that is kept: its panics are contained too.
struct Kept<'e> {
    engine: &'e RedbEngine,
    view: View,
}

impl Kept<'_> {
    /// What fails here is told, and is the last to fail: whoever looks next looks at the file itself.
    fn read<T>(&self, work: impl Fn(&View) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let read = contain(&self.engine.path, || work(&self.view));
        if read.as_ref().is_err_and(is_final) {
            let state = self.engine.state.write();
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            if let State::Sound(_) = &*state {
                self.engine.fail(&mut state);
            }
        }
        read
    }
}

impl Reader for Kept<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.read(|view| view.get(key))
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, EngineError> {
        self.read(|view| view.get_many(keys))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        self.read(|view| view.page(prefix, after, limit))
    }
}

impl Reader for RedbEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.read(|view| view.get(key))
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, EngineError> {
        self.read(|view| view.get_many(keys))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        self.read(|view| view.page(prefix, after, limit))
    }
}

impl Engine for RedbEngine {
    fn apply(&self, changes: &[Change]) -> Result<(), EngineError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        // Shared: readers look at what was before, and do not wait for the disk.
        if let State::Sound(database) = &*state {
            let done = contain(&self.path, || commit(database, changes));
            drop(state);
            if done.as_ref().is_err_and(is_final) {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                self.fail(&mut state);
            }
            return done;
        }
        drop(state);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Failed(_) = &*state {
            // What serves the readers stays until there is better.
            let reopened = open(&self.path)?;
            discard(std::mem::replace(&mut *state, State::Sound(reopened)));
        }
        drop(state);
        self.apply(changes)
    }

    fn snapshot(&self) -> Result<Option<Box<dyn Reader + '_>>, EngineError> {
        let view = self.read(Ok)?;
        Ok(Some(Box::new(Kept { engine: self, view })))
    }
}

fn commit(database: &Database, changes: &[Change]) -> Result<(), EngineError> {
    let mut transaction = database.begin_write().map_err(fault)?;
    transaction
        .set_durability(Durability::Immediate)
        .map_err(fault)?;
    // Without it, opening after an unclean end reads the whole file. It costs a second sync.
    transaction.set_quick_repair(true);
    {
        let mut table = transaction.open_table(TABLE).map_err(fault)?;
        // Neighbours go to the same pages, which are then found once.
        let mut changes: Vec<&Change> = changes.iter().collect();
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        for Change { key, value } in changes {
            match value {
                Some(value) => drop(table.insert(&**key, &**value).map_err(fault)?),
                None => drop(table.remove(&**key).map_err(fault)?),
            }
        }
    }
    transaction.commit().map_err(fault)
}

fn open(path: &Path) -> Result<Database, EngineError> {
    let inventory = inventory::look(path)?;
    contain(path, || {
        let mut builder = builder();
        builder.set_check_integrity_on_open(inventory == Inventory::Unknown);
        builder.open(path).map_err(fault)
    })
}

pub(super) fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// redb has an error type for each kind of call; all of them convert into one.
pub(super) fn fault(error: impl Into<redb::Error>) -> EngineError {
    EngineError::Redb(error.into())
}

/// Whether nothing can be done with this database any more after this error.
fn is_final(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Panicked { .. }
            | EngineError::Redb(
                redb::Error::Io(_)
                    | redb::Error::PreviousIo
                    | redb::Error::LockPoisoned(_)
                    | redb::Error::DatabaseClosed
            )
    )
}
