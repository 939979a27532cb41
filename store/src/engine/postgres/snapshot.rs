//! What was there at one moment: a transaction of its own, over a connection of its own.

use std::sync::Arc;

use tokio_postgres::Client;

use super::error::PostgresError;
use super::question::{Question, in_order};
use super::{PAGE, PostgresEngine};
use crate::EngineError;
use crate::engine::{Reader, Stored};

/// Ends its transaction with its connection, when it is dropped.
pub(super) struct Snapshot<'e> {
    engine: &'e PostgresEngine,
    client: Arc<Client>,
}

impl<'e> Snapshot<'e> {
    pub(super) fn take(engine: &'e PostgresEngine) -> Result<Self, EngineError> {
        let inner = engine.inner.clone();
        let client = engine.link.wait(engine.patience(), async move {
            let client = inner.wire.connect().await?;
            let begun = client
                .batch_execute(
                    "SET idle_in_transaction_session_timeout = 0;
                     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                )
                .await;
            begun.map_err(|source| PostgresError::of("begin a snapshot", source))?;
            Ok(client)
        })?;
        let snapshot = Self {
            engine,
            client: Arc::new(client),
        };
        // The first question settles what all of them see, the term included.
        snapshot.get(b"")?;
        Ok(snapshot)
    }

    fn ask(&self, question: Question) -> Result<Vec<Stored>, EngineError> {
        let (client, inner) = (self.client.clone(), self.engine.inner.clone());
        let warrant = self.engine.tenure.warrant.clone();
        self.engine.link.wait(PAGE, async move {
            question.ask(&client, &inner.statements, &warrant).await
        })
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
