//! Writing: all of a batch under the term that wrote it, or nothing, and never in doubt.
//!
//! Each write of a term has a number, which the database keeps in the same transaction. When the
//! connection breaks off before the answer, the number is taken in the place of the write: either the
//! database has it already, then the write took place; or it is taken now, then the write can never
//! take place any more, even if it still lies in some buffer on its way.

use std::sync::{Arc, PoisonError};

use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::error::PostgresError;
use super::question::superseded;
use super::tenure::Warrant;
use super::{Inner, PAUSE, Param, PostgresEngine};
use crate::EngineError;
use crate::engine::Change;

/// Changes as parameters.
struct Batch {
    gone: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
}

impl Batch {
    fn new(changes: &[Change]) -> Self {
        let mut batch = Self {
            gone: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
        };
        for Change { key, value } in changes {
            match value {
                Some(value) => {
                    batch.keys.push(key.clone());
                    batch.values.push(value.clone());
                }
                None => batch.gone.push(key.clone()),
            }
        }
        batch
    }
}

impl PostgresEngine {
    /// Writes, over as many connections as it takes, for as long as we lead.
    pub(super) fn write(&self, changes: &[Change]) -> Result<(), EngineError> {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = Arc::new(Batch::new(changes));
        loop {
            self.standing()?;
            let number = *writes + 1;
            let (inner, batch) = (self.inner.clone(), batch.clone());
            let warrant = self.tenure.warrant.clone();
            let outcome = self.link.wait(self.patience(), async move {
                inner.apply(&warrant, number, &batch).await
            });
            match self.heed(outcome) {
                Err(EngineError::Postgres(error)) if error.is_passing() => {
                    let took_place = self.settle(number)?;
                    *writes = number;
                    if took_place {
                        return Ok(());
                    }
                }
                Ok(()) => {
                    *writes = number;
                    return Ok(());
                }
                // In so many words: nothing happened, and the number is free.
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the write of this number took place. If it did not, it never will.
    fn settle(&self, number: i64) -> Result<bool, EngineError> {
        loop {
            self.standing()?;
            let (inner, warrant) = (self.inner.clone(), self.tenure.warrant.clone());
            let outcome = self.link.wait(self.patience(), async move {
                inner.wire.drop_client().await;
                let settled = inner.settle(&warrant, number).await;
                if settled.is_err() {
                    sleep(PAUSE).await;
                }
                settled
            });
            match self.heed(outcome) {
                Err(EngineError::Postgres(error)) if error.is_passing() => {}
                outcome => return outcome,
            }
        }
    }
}

impl Inner {
    async fn apply(
        &self,
        warrant: &Warrant,
        number: i64,
        batch: &Batch,
    ) -> Result<(), EngineError> {
        let mut params: Vec<Param<'_>> = warrant.params().to_vec();
        params.extend([
            (&number as _, Type::INT8),
            (&batch.gone as _, Type::BYTEA_ARRAY),
            (&batch.keys as _, Type::BYTEA_ARRAY),
            (&batch.values as _, Type::BYTEA_ARRAY),
        ]);
        let row = self.row("write", &self.statements.apply, &params).await?;
        match row.get::<_, i64>(0) {
            0 => Err(superseded()),
            _ => Ok(()),
        }
    }

    /// Takes the number of a write.
    async fn settle(&self, warrant: &Warrant, number: i64) -> Result<bool, EngineError> {
        let client = self.wire.client().await?;
        let mut params: Vec<Param<'_>> = warrant.params().to_vec();
        params.push((&number, Type::INT8));
        let taken = client
            .query_typed_opt(&self.statements.settle, &params)
            .await
            .map_err(|source| PostgresError::of("settle a write", source))?;
        if taken.is_some() {
            return Ok(false);
        }
        let row = self.lease().await?;
        if row.epoch == warrant.epoch && row.instance == warrant.instance {
            Ok(true)
        } else {
            Err(superseded())
        }
    }
}
