//! Drives one identity's rotation as far as it goes now.

use jiff::Timestamp;
use tracing::{info, warn};

use super::{
    decide::{Decision, Facts, Next, decide},
    error::{DriveError, StepError},
    setting::Setting,
};
use crate::{
    delivery::Publisher,
    exchange::Mailer,
    model::{
        Clock, IdentityName,
        audit::Author,
        rotation::{Fact, Rotation, RotationId, Step},
    },
    probe::Prober,
    records::{Batch, Records, RecordsError},
};

/// How many steps one activation takes at most: a bound on loops that a wrong peer might cause.
const STEPS: usize = 1_000;

/// Is told of every fact, as it is noted.
pub trait Observer: Send + Sync {
    /// A fact was noted.
    fn noted(&self, rotation: &Rotation, at: Timestamp, fact: &Fact);
}

/// Listens to nothing.
pub struct Silent;

impl Observer for Silent {
    fn noted(&self, _: &Rotation, _: Timestamp, _: &Fact) {}
}

/// Everything that a rotation acts with.
pub struct Driver<'a, M, P, B> {
    /// On whose behalf.
    pub author: &'a Author,
    /// What we remember.
    pub records: &'a Records,
    /// What the configuration says.
    pub setting: &'a Setting,
    /// How letters go out; `None` when no mail is configured.
    pub mailer: Option<&'a M>,
    /// How the wire is asked.
    pub prober: &'a P,
    /// How connectors are reached.
    pub publisher: &'a B,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Who is told.
    pub observer: &'a dyn Observer,
}

impl<M: Mailer, P: Prober, B: Publisher> Driver<'_, M, P, B> {
    /// Goes on until there is nothing to do at once. What the rotation waits for then; `None` when the
    /// identity has none in progress.
    pub async fn advance(&self, identity: &IdentityName) -> Result<Option<Decision>, DriveError> {
        self.advance_inner(identity)
            .await
            .map_err(|source| DriveError::Records {
                identity: identity.clone(),
                source,
            })
    }

    async fn advance_inner(
        &self,
        identity: &IdentityName,
    ) -> Result<Option<Decision>, RecordsError> {
        let mut decision = None;
        for _ in 0..STEPS {
            let Some(found) = self.records.identity(identity)? else {
                return Ok(decision);
            };
            let Some(generation) = found.value.rotation else {
                return Ok(decision);
            };
            let id = RotationId {
                identity: identity.clone(),
                generation,
            };
            let decided = self.decision(&id)?;
            match &decided.next {
                Next::Run { step } => self.run(&id, step).await?,
                Next::Rescope => {
                    let scope = self.setting.scope.clone();
                    self.note(&id, Batch::new(), |_| Some(Fact::ScopeChanged { scope }))?;
                }
                _ => return Ok(Some(decided)),
            }
            decision = Some(decided);
        }
        warn!(%identity, "stopped after {STEPS} steps in one activation");
        Ok(decision)
    }

    /// What the rotation does next, and why.
    pub fn decision(&self, id: &RotationId) -> Result<Decision, RecordsError> {
        let replayed = self
            .records
            .rotation(id)?
            .ok_or_else(|| RecordsError::NoSuchRotation {
                rotation: id.clone(),
            })?;
        let rotation = replayed.rotation;
        let old = match rotation.from {
            Some(from) => self.records.generation(&id.identity, from)?,
            None => None,
        };
        let old_not_after =
            old.and_then(|generation| Some(generation.value.leaf?.validity.not_after()));
        let facts = Facts {
            scope: self.setting.scope.clone(),
            old_not_after,
        };
        Ok(decide(
            &rotation,
            &facts,
            &self.setting.policy,
            self.clock.now(),
        ))
    }

    /// Runs what is to be done next, if anything is, and nothing after it.
    pub async fn run_once(&self, id: &RotationId) -> Result<(), RecordsError> {
        match self.decision(id)?.next {
            Next::Run { step } => self.run(id, &step).await,
            _ => Ok(()),
        }
    }

    /// Intent, act, outcome.
    async fn run(&self, id: &RotationId, step: &Step) -> Result<(), RecordsError> {
        let started = |rotation: &Rotation| {
            // A step in doubt was started already: it runs again under the same name.
            (rotation.in_doubt.as_ref() != Some(step)).then(|| Fact::Started { step: step.clone() })
        };
        self.note(id, Batch::new(), started)?;
        let Some(replayed) = self.records.rotation(id)? else {
            return Ok(());
        };
        // It was ours when its beginning was noted; what comes now is seen by others.
        self.records.still_ours()?;
        let (batch, outcome) = match self.perform(&replayed.rotation, step).await {
            Ok((output, batch)) => (
                batch,
                Fact::Succeeded {
                    step: step.clone(),
                    output,
                },
            ),
            Err(StepError::Failed(failure)) => (
                Batch::new(),
                Fact::Failed {
                    step: step.clone(),
                    failure,
                },
            ),
            Err(StepError::Records(error)) => return Err(error),
        };
        // Somebody may have ended the rotation meanwhile: then the outcome is not awaited any more.
        self.note(id, batch, |rotation| {
            (rotation.in_doubt.as_ref() == Some(step)).then_some(outcome)
        })?;
        Ok(())
    }

    fn note(
        &self,
        id: &RotationId,
        batch: Batch,
        fact: impl FnOnce(&Rotation) -> Option<Fact>,
    ) -> Result<(), RecordsError> {
        let at = self.clock.now();
        let mut noted = None;
        let after = self.records.note(id, self.author, at, batch, |rotation| {
            noted = fact(rotation);
            noted.clone()
        })?;
        if let (Some(rotation), Some(fact)) = (after, noted) {
            info!(rotation = %id, phase = %rotation.phase(), "{fact}");
            self.observer.noted(&rotation, at, &fact);
        }
        Ok(())
    }
}
