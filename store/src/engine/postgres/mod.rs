//! PostgreSQL as an engine, for machines that share a store and of which one leads.
//!
//! Only the leader has an engine. Each of its statements carries the number of its term: a write is
//! done only under the term that the database has, in the same transaction, and what is read under
//! another is not given out. So a leader that was paused, cut off or forgotten can neither change
//! anything nor mistake for damage what its successor writes.

mod error;
mod link;
mod question;
mod schema;
mod snapshot;
mod tenure;
mod visit;
mod wire;
mod write;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

pub use self::error::PostgresError;
use self::link::Link;
use self::question::{Question, in_order, superseded};
use self::schema::Statements;
use self::snapshot::Snapshot;
use self::tenure::Tenure;
pub(crate) use self::visit::{Site, Visit};
use self::wire::Wire;
use super::database::Database;
use super::leadership::Leadership;
use super::{Change, Engine, EngineError, Reader, Stored};

/// How long a page may take. That a connection is dead is found out sooner.
const PAGE: Duration = Duration::from_secs(120);

/// Between two attempts to reach a server that has gone.
const PAUSE: Duration = Duration::from_millis(200);

/// A parameter with its type.
type Param<'p> = (&'p (dyn ToSql + Sync), Type);

/// The engine of the machine that leads.
pub(crate) struct PostgresEngine {
    tenure: Tenure,
    inner: Arc<Inner>,
    /// How many writes this term has seen. Held while one is under way.
    writes: Mutex<i64>,
    link: Arc<Link>,
}

/// What is needed to speak to the database.
struct Inner {
    wire: Wire,
    statements: Statements,
    database: Arc<Database>,
    /// Connections of snapshots that were let go of.
    spares: Mutex<Vec<Arc<Client>>>,
}

impl PostgresEngine {
    /// How long one answer may take: as long as we may lead without a sign of life.
    fn patience(&self) -> Duration {
        self.inner.database.lease.length()
    }

    fn standing(&self) -> Result<(), EngineError> {
        let standing = self.tenure.leadership.standing();
        standing.map_err(|ended| PostgresError::Lost { ended }.into())
    }

    /// That we do not lead any more is learned from any answer.
    fn heed<T>(&self, outcome: Result<T, EngineError>) -> Result<T, EngineError> {
        if let Err(EngineError::Postgres(PostgresError::Lost { ended })) = &outcome {
            self.tenure.leadership.end(ended.clone());
        }
        outcome
    }

    fn ask(&self, limit: Duration, question: Question) -> Result<Vec<Stored>, EngineError> {
        self.standing()?;
        let (inner, warrant) = (self.inner.clone(), self.tenure.warrant.clone());
        self.heed(self.link.wait(limit, async move {
            // A server that is started anew is waited for: half of the time, so that what stood in
            // the way is what is told.
            let until = Instant::now() + limit / 2;
            loop {
                let answer = match inner.wire.client().await {
                    Ok(client) => question.ask(&client, &inner.statements, &warrant).await,
                    Err(error) => Err(error),
                };
                match answer {
                    Err(EngineError::Postgres(error))
                        if error.is_passing() && Instant::now() < until =>
                    {
                        inner.wire.drop_client().await;
                        sleep(PAUSE).await;
                    }
                    answer => return answer,
                }
            }
        }))
    }

    /// Begins to make a store.
    pub(crate) fn begin(&self) -> Result<(), EngineError> {
        self.command("begin a store", |statements| &statements.begin, None)
    }

    /// Does something about the header, under our term.
    fn command(
        &self,
        operation: &'static str,
        statement: fn(&Statements) -> &str,
        value: Option<Vec<u8>>,
    ) -> Result<(), EngineError> {
        self.standing()?;
        let (inner, warrant) = (self.inner.clone(), self.tenure.warrant.clone());
        let limit = self.patience();
        self.heed(self.link.wait(limit, async move {
            let mut params: Vec<Param<'_>> = warrant.params().to_vec();
            params.extend(value.as_ref().map(|value| (value as _, Type::BYTEA)));
            // Done twice it is the same: a connection that breaks off leaves nothing in doubt.
            let until = Instant::now() + limit / 2;
            loop {
                let done = match inner.wire.client().await {
                    Ok(client) => client
                        .query_typed_opt(statement(&inner.statements), &params)
                        .await
                        .map_err(|source| PostgresError::of(operation, source).into()),
                    Err(error) => Err(error),
                };
                match done {
                    Err(EngineError::Postgres(error))
                        if error.is_passing() && Instant::now() < until =>
                    {
                        inner.wire.drop_client().await;
                        sleep(PAUSE).await;
                    }
                    done => return done?.map(drop).ok_or_else(superseded),
                }
            }
        }))
    }
}

impl Inner {
    /// The one row of an answer.
    async fn row(
        &self,
        operation: &'static str,
        statement: &str,
        params: &[Param<'_>],
    ) -> Result<Row, EngineError> {
        let client = self.wire.client().await?;
        let row = client.query_typed_one(statement, params).await;
        Ok(row.map_err(|source| PostgresError::of(operation, source))?)
    }
}

impl Reader for PostgresEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let mut found = self.ask(self.patience(), Question::One(key.to_vec()))?;
        Ok(found.pop().map(|stored| stored.value))
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, EngineError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.ask(self.patience(), Question::Many(keys.to_vec()))?;
        Ok(in_order(keys, found))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        self.ask(PAGE, Question::page(prefix, after, limit))
    }
}

impl Engine for PostgresEngine {
    fn apply(&self, changes: &[Change]) -> Result<(), EngineError> {
        self.write(changes)
    }

    fn snapshot(&self) -> Result<Option<Box<dyn Reader + '_>>, EngineError> {
        self.standing()?;
        Ok(Some(Box::new(self.heed(Snapshot::take(self))?)))
    }

    fn leadership(&self) -> Option<Leadership> {
        Some(self.tenure.leadership.clone())
    }

    fn publish_header(&self, text: &[u8]) -> Result<(), EngineError> {
        self.command(
            "write the header",
            |statements| &statements.publish,
            Some(text.to_vec()),
        )
    }
}

impl Drop for PostgresEngine {
    fn drop(&mut self) {
        self.tenure.release(&self.link);
    }
}
