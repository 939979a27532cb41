//! redb as an engine: one file, one table, each commit synced before it returns.

use std::path::Path;

use redb::{Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};

use super::{Change, Engine, EngineError, Reader, Stored, first};
use crate::files::create_private;

const FILE: &str = "store.redb";
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("sealed");

/// redb would take up to a gibibyte; a store of keys is read rarely and is small.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

pub(super) struct RedbEngine {
    database: Database,
}

impl RedbEngine {
    pub(super) fn create(dir: &Path) -> Result<Self, EngineError> {
        let path = dir.join(FILE);
        // Made here and not by redb, so that it is private from the beginning.
        drop(create_private(&path)?);
        let database = builder().create(path).map_err(fault)?;
        let engine = Self { database };
        engine.apply(&[])?;
        Ok(engine)
    }

    pub(super) fn open(dir: &Path) -> Result<Self, EngineError> {
        Ok(Self {
            database: builder().open(dir.join(FILE)).map_err(fault)?,
        })
    }
}

/// One read transaction.
struct View(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl RedbEngine {
    fn view(&self) -> Result<View, EngineError> {
        let transaction = self.database.begin_read().map_err(fault)?;
        Ok(View(transaction.open_table(TABLE).map_err(fault)?))
    }
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
            found.push(Stored {
                key: key.value().to_vec(),
                value: value.value().to_vec(),
            });
        }
        Ok(found)
    }
}

impl Reader for RedbEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.view()?.get(key)
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, EngineError> {
        self.view()?.get_many(keys)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        self.view()?.page(prefix, after, limit)
    }
}

impl Engine for RedbEngine {
    fn apply(&self, changes: &[Change]) -> Result<(), EngineError> {
        let mut transaction = self.database.begin_write().map_err(fault)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(fault)?;
        {
            let mut table = transaction.open_table(TABLE).map_err(fault)?;
            for Change { key, value } in changes {
                match value {
                    Some(value) => drop(table.insert(&**key, &**value).map_err(fault)?),
                    None => drop(table.remove(&**key).map_err(fault)?),
                }
            }
        }
        transaction.commit().map_err(fault)
    }

    fn snapshot(&self) -> Result<Option<Box<dyn Reader + '_>>, EngineError> {
        Ok(Some(Box::new(self.view()?)))
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// redb has an error type for each kind of call; all of them convert into one.
fn fault(error: impl Into<redb::Error>) -> EngineError {
    EngineError::Redb(error.into())
}
