//! A term of leadership, from taking the lease to giving it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::types::Type;

use super::error::PostgresError;
use super::link::Link;
use super::wire::Wire;
use super::{Inner, Param};
use crate::EngineError;
use crate::engine::leadership::{Leadership, now};
use crate::engine::lease::{Claim, Ended, Row, Term};

/// How often the lease is asked for when others ask at the same time.
const ATTEMPTS: usize = 5;

/// How long giving the lease back may take; without it, it lapses by itself.
const FAREWELL: Duration = Duration::from_secs(2);

/// In whose name a statement is made: it goes through only while the database has the same.
#[derive(Debug, Clone)]
pub(super) struct Warrant {
    pub(super) epoch: i64,
    pub(super) instance: String,
}

/// A term that was taken.
pub(super) struct Tenure {
    pub(super) warrant: Warrant,
    pub(super) leadership: Leadership,
    inner: Arc<Inner>,
    /// Signs of life do not wait behind long writes.
    wire: Arc<Wire>,
    heart: Option<AbortHandle>,
}

impl Tenure {
    /// Takes the lease, unless somebody else is alive.
    pub(super) async fn take(inner: Arc<Inner>, instance: String) -> Result<Self, EngineError> {
        let lease = inner.database.lease.length();
        let mut row = inner.lease().await?;
        for _ in 0..ATTEMPTS {
            let after = match row.claim(&instance) {
                Claim::Take { after } => after,
                Claim::Follow(leader) => return Err(PostgresError::Led { leader }.into()),
            };
            let sent = now();
            let client = inner.wire.client().await?;
            let millis = lease.as_secs_f64() * 1_000.0;
            let params: [Param<'_>; 4] = [
                (&after, Type::INT8),
                (&instance, Type::TEXT),
                (&inner.database.machine, Type::TEXT),
                (&millis, Type::FLOAT8),
            ];
            let taken = client
                .query_typed_opt(&inner.statements.take, &params)
                .await
                .map_err(|source| PostgresError::of("take the lease", source))?;
            if let Some(taken) = taken {
                let epoch: i64 = taken.get(0);
                let term = Term::taken(lease, sent);
                return Ok(Self {
                    warrant: Warrant { epoch, instance },
                    leadership: Leadership::new(term, epoch.unsigned_abs()),
                    wire: Arc::new(Wire::new(inner.database.clone())?),
                    inner,
                    heart: None,
                });
            }
            // Somebody was quicker.
            row = inner.lease().await?;
        }
        let leader = row.leader();
        Err(PostgresError::Led { leader }.into())
    }

    /// Gives signs of life from now on, until the term ends.
    pub(super) fn keep(&mut self, link: &Link) {
        let (inner, wire) = (self.inner.clone(), self.wire.clone());
        let (warrant, leadership) = (self.warrant.clone(), self.leadership.clone());
        let heartbeat = inner.database.lease.heartbeat();
        self.heart = link.spawn(async move {
            let mut pause = heartbeat;
            loop {
                sleep(pause).await;
                if leadership.standing().is_err() {
                    return;
                }
                let sent = now();
                match timeout(heartbeat, inner.renew(&wire, &warrant)).await {
                    Ok(Ok(None)) => {
                        leadership.renewed(sent);
                        pause = heartbeat;
                    }
                    Ok(Ok(Some(by))) => return leadership.end(Ended::Superseded { by }),
                    Ok(Err(_)) | Err(_) => {
                        wire.drop_client().await;
                        pause = heartbeat / 10;
                    }
                }
            }
        });
    }

    /// Gives the lease back, so that nobody has to wait until it lapses.
    pub(super) fn release(&mut self, link: &Link) {
        if let Some(heart) = self.heart.take() {
            heart.abort();
        }
        if self.leadership.standing().is_err() {
            return;
        }
        let (inner, warrant) = (self.inner.clone(), self.warrant.clone());
        // If it does not succeed it lapses.
        let _ = link.wait(FAREWELL, async move {
            let client = inner.wire.client().await?;
            let released = client
                .execute_typed(&inner.statements.release, &warrant.params())
                .await;
            released.map_err(|source| PostgresError::of("give back the lease", source))?;
            Ok(())
        });
    }
}

impl Warrant {
    pub(super) fn params(&self) -> [Param<'_>; 2] {
        [(&self.epoch, Type::INT8), (&self.instance, Type::TEXT)]
    }
}

impl Inner {
    /// The lease as it is now.
    pub(super) async fn lease(&self) -> Result<Row, EngineError> {
        let row = self
            .row("read the lease", &self.statements.lease, &[])
            .await?;
        Ok(Row {
            epoch: row.get(0),
            machine: row.get(1),
            instance: row.get(2),
            since: row.get(3),
            expires: row.get(4),
            now: row.get(5),
        })
    }

    /// Carries the lease on, or says who leads in our place.
    async fn renew(&self, wire: &Wire, warrant: &Warrant) -> Result<Option<String>, EngineError> {
        let client = wire.client().await?;
        let millis = self.database.lease.length().as_secs_f64() * 1_000.0;
        let mut params = warrant.params().to_vec();
        params.push((&millis, Type::FLOAT8));
        let renewed = client
            .query_typed_opt(&self.statements.renew, &params)
            .await
            .map_err(|source| PostgresError::of("renew the lease", source))?;
        if renewed.is_some() {
            return Ok(None);
        }
        Ok(Some(self.lease().await?.machine))
    }
}
