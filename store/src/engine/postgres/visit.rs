//! A connection without a term: for whoever would lead, and for whoever looks on.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio_postgres::types::Type;

use super::error::PostgresError;
use super::link::Link;
use super::schema::{LAYOUT, META_HEADER, META_UNFINISHED, Statements};
use super::tenure::Tenure;
use super::wire::Wire;
use super::{Inner, PostgresEngine};
use crate::EngineError;
use crate::engine::database::Database;
use crate::engine::lease::Leader;

/// What there is in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// No tables of ours.
    Bare,
    /// Tables, and values without a header: somebody took it away.
    Headless,
    /// Tables, and no store in them yet; or one that was never finished.
    Prepared,
    /// A store.
    Store,
}

/// A connection to the database of a store.
pub(crate) struct Visit {
    inner: Arc<Inner>,
    link: Arc<Link>,
}

impl Visit {
    /// Connects to the database that is named in a store's directory.
    pub(crate) fn pay(dir: &Path) -> Result<Self, EngineError> {
        let database = Arc::new(Database::read(dir)?);
        Ok(Self {
            inner: Arc::new(Inner {
                wire: Wire::new(database.clone())?,
                statements: Statements::new(&database.schema),
                database,
                spares: Mutex::default(),
            }),
            link: Arc::new(Link::new()?),
        })
    }

    fn ask<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        let limit = self.inner.database.lease.length();
        self.link.wait(limit, work(self.inner.clone()))
    }

    /// What is there.
    pub(crate) fn site(&self) -> Result<Site, EngineError> {
        self.ask(|inner| async move { inner.site().await })
    }

    /// There has to be a store.
    pub(crate) fn expect_store(&self) -> Result<(), EngineError> {
        match self.site()? {
            Site::Store | Site::Headless => Ok(()),
            Site::Bare | Site::Prepared => Err(PostgresError::NoStore {
                database: self.inner.database.to_string(),
            }
            .into()),
        }
    }

    /// Makes the tables, as far as they are not there.
    pub(crate) fn build(&self) -> Result<(), EngineError> {
        self.ask(|inner| async move {
            let client = inner.wire.client().await?;
            let made = client.batch_execute(&inner.statements.create).await;
            Ok(made.map_err(|source| PostgresError::of("make the tables", source))?)
        })
    }

    /// Who leads, if anybody does.
    pub(crate) fn leader(&self) -> Result<Option<Leader>, EngineError> {
        self.ask(|inner| async move {
            let row = inner.lease().await?;
            Ok((row.expires > row.now).then(|| row.leader()))
        })
    }

    /// The header, as the last leader left it.
    pub(crate) fn header(&self) -> Result<Option<Vec<u8>>, EngineError> {
        self.ask(|inner| async move { inner.meta(META_HEADER).await })
    }

    /// Begins a term, unless somebody leads. `instance` names a lock that the caller holds.
    pub(crate) fn lead(&self, instance: String) -> Result<PostgresEngine, EngineError> {
        let mut tenure = self.ask(|inner| Tenure::take(inner, instance))?;
        tenure.keep(&self.link);
        Ok(PostgresEngine {
            tenure,
            inner: self.inner.clone(),
            writes: Mutex::new(0),
            link: self.link.clone(),
        })
    }
}

impl Inner {
    async fn site(&self) -> Result<Site, EngineError> {
        let row = self
            .row("look for tables", &self.statements.exists, &[])
            .await?;
        if !row.get::<_, bool>(0) {
            return Ok(Site::Bare);
        }
        let layout = self.meta("layout").await?.unwrap_or_default();
        if layout != LAYOUT.as_bytes() {
            return Err(PostgresError::Layout {
                found: String::from_utf8_lossy(&layout).into_owned(),
                supported: LAYOUT,
            }
            .into());
        }
        if self.meta(META_HEADER).await?.is_some() {
            return Ok(Site::Store);
        }
        let empty = self
            .row("look whether it is empty", &self.statements.is_empty, &[])
            .await?;
        let unfinished = self.meta(META_UNFINISHED).await?.is_some();
        if unfinished || empty.get(0) {
            Ok(Site::Prepared)
        } else {
            Ok(Site::Headless)
        }
    }

    async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, EngineError> {
        let client = self.wire.client().await?;
        let found = client
            .query_typed_opt(&self.statements.meta, &[(&name, Type::TEXT)])
            .await
            .map_err(|source| PostgresError::of("read the header", source))?;
        Ok(found.map(|row| row.get(0)))
    }
}
