//! What was there at one moment: a transaction of its own, over a connection of its own.
//!
//! Every reading of the store is one. So a connection is used again when its transaction has ended: making one
//! takes several round trips, and a password is slow to prove on purpose.

use std::sync::{Arc, PoisonError};

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::error::PostgresError;
use super::question::{Question, in_order};
use super::{Inner, PAGE, PAUSE, PostgresEngine};
use crate::EngineError;
use crate::engine::{Reader, Stored};

/// How many connections are kept for the next snapshots.
const SPARES: usize = 4;

/// Ends its transaction when it is dropped.
pub(super) struct Snapshot<'e> {
    engine: &'e PostgresEngine,
    client: Arc<Client>,
}

impl<'e> Snapshot<'e> {
    pub(super) fn take(engine: &'e PostgresEngine) -> Result<Self, EngineError> {
        let inner = engine.inner.clone();
        let limit = engine.patience();
        let client = engine.link.wait(limit, async move {
            let until = Instant::now() + limit / 2;
            loop {
                match inner.begin_snapshot().await {
                    Err(EngineError::Postgres(error))
                        if error.is_passing() && Instant::now() < until =>
                    {
                        sleep(PAUSE).await;
                    }
                    begun => return begun,
                }
            }
        })?;
        Ok(Self { engine, client })
    }

    fn ask(&self, question: Question) -> Result<Vec<Stored>, EngineError> {
        let (client, inner) = (self.client.clone(), self.engine.inner.clone());
        let warrant = self.engine.tenure.warrant.clone();
        self.engine.link.wait(PAGE, async move {
            question.ask(&client, &inner.statements, &warrant).await
        })
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let (client, inner) = (self.client.clone(), self.engine.inner.clone());
        self.engine.link.spawn(async move {
            if client.batch_execute("ROLLBACK").await.is_ok() {
                let mut spares = inner.spares.lock().unwrap_or_else(PoisonError::into_inner);
                if spares.len() < SPARES {
                    spares.push(client);
                }
            }
        });
    }
}

impl Inner {
    /// A connection on which a transaction has begun. Its first statement settles what all of them see.
    async fn begin_snapshot(&self) -> Result<Arc<Client>, EngineError> {
        let spare = {
            let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
            spares.retain(|client| !client.is_closed());
            spares.pop()
        };
        let client = match spare {
            Some(client) => client,
            None => Arc::new(self.wire.connect().await?),
        };
        client
            .batch_execute(&self.statements.snapshot)
            .await
            .map_err(|source| PostgresError::of("begin a snapshot", source))?;
        Ok(client)
    }
}

impl Reader for Snapshot<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let mut found = self.ask(Question::One(key.to_vec()))?;
        Ok(found.pop().map(|stored| stored.value))
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, EngineError> {
        Ok(in_order(keys, self.ask(Question::Many(keys.to_vec()))?))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, EngineError> {
        self.ask(Question::page(prefix, after, limit))
    }
}
