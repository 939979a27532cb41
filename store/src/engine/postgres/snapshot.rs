//! What was there at one moment: a transaction of its own, over a connection of its own.
//!
//! Every reading of the store is one. So a connection is used again when its transaction has ended: making one
//! takes several round trips, and a password is slow to prove on purpose.
//!
//! When the connection breaks, the transaction is gone with it. Another one shows the same if nothing was written in
//! between, which the number of the last write tells. That is always so for a view that the writer himself reads.

use std::sync::{Arc, PoisonError};

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::PostgresError;
use super::question::{Question, in_order, superseded};
use super::tenure::Warrant;
use super::{Inner, PAGE, PAUSE, PostgresEngine};
use crate::EngineError;
use crate::engine::{Reader, Stored};

/// How many connections are kept for the next snapshots.
const SPARES: usize = 4;

/// Ends its transaction when it is dropped.
pub(super) struct Snapshot<'e> {
    engine: &'e PostgresEngine,
    sight: Arc<Mutex<Sight>>,
}

/// A transaction that sees one state of the store.
struct Sight {
    client: Arc<Client>,
    /// The number of the last write that it sees, within our term.
    writes: String,
}

impl<'e> Snapshot<'e> {
    pub(super) fn take(engine: &'e PostgresEngine) -> Result<Self, EngineError> {
        let (inner, warrant) = (engine.inner.clone(), engine.tenure.warrant.clone());
        let limit = engine.patience();
        let sight = engine.link.wait(limit, async move {
            let until = Instant::now() + limit / 2;
            loop {
                match inner.look(&warrant).await {
                    Err(EngineError::Postgres(error))
                        if error.is_passing() && Instant::now() < until =>
                    {
                        sleep(PAUSE).await;
                    }
                    begun => return begun,
                }
            }
        })?;
        Ok(Self {
            engine,
            sight: Arc::new(Mutex::new(sight)),
        })
    }

    fn ask(&self, question: Question) -> Result<Vec<Stored>, EngineError> {
        let (sight, inner) = (self.sight.clone(), self.engine.inner.clone());
        let warrant = self.engine.tenure.warrant.clone();
        let patience = self.engine.patience() / 2;
        let answer = self.engine.link.wait(PAGE, async move {
            let until = Instant::now() + patience;
            let mut sight = sight.lock().await;
            loop {
                let asked = question.ask(&sight.client, &inner.statements, &warrant);
                let broken = match asked.await {
                    Err(EngineError::Postgres(error))
                        if error.is_passing() && Instant::now() < until =>
                    {
                        error
                    }
                    answer => return answer,
                };
                match inner.look(&warrant).await {
                    Ok(fresh) if fresh.writes == sight.writes => *sight = fresh,
                    Ok(_) => {
                        let source = Box::new(broken);
                        return Err(PostgresError::Overtaken { source }.into());
                    }
                    Err(EngineError::Postgres(error)) if error.is_passing() => sleep(PAUSE).await,
                    Err(error) => return Err(error),
                }
            }
        });
        self.engine.heed(answer)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let (sight, inner) = (self.sight.clone(), self.engine.inner.clone());
        self.engine.link.spawn(async move {
            let client = sight.lock().await.client.clone();
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
    /// Begins a transaction under our term. Its first statement settles what all of them see.
    async fn look(&self, warrant: &Warrant) -> Result<Sight, EngineError> {
        let spare = {
            let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
            spares.retain(|client| !client.is_closed());
            spares.pop()
        };
        let client = match spare {
            Some(client) => client,
            None => Arc::new(self.wire.connect().await?),
        };
        let said = client
            .simple_query(&self.statements.snapshot)
            .await
            .map_err(|source| PostgresError::of("begin a snapshot", source))?;
        let lease = said.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0)?, row.get(1)?, row.get(2)?)),
            _ => None,
        });
        match lease {
            Some((epoch, instance, writes))
                if epoch == warrant.epoch.to_string() && instance == warrant.instance =>
            {
                Ok(Sight {
                    writes: writes.to_owned(),
                    client,
                })
            }
            _ => Err(superseded()),
        }
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
