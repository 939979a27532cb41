//! Rotations: begun, shown, decided about, advanced.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use super::{
    DestinationView, EventView, RenewView, RotationView, Service, ServiceError, status::Advanced,
};
use crate::{
    model::{
        Destination, Identity, IdentityName,
        audit::Author,
        rotation::{Decision, Fact, Gate, Probed, Rotation, RotationId, RotationReason, Step},
    },
    records::Batch,
    rotation::Next,
};

impl Service {
    pub(super) fn start_rotation(
        &self,
        by: &Author,
        identity: &IdentityName,
    ) -> Result<RotationView, ServiceError> {
        let found = self.existing(identity)?;
        if let Some(generation) = found.value.rotation {
            return Err(ServiceError::refused(format!(
                "a rotation of {identity} to generation {generation} is in progress"
            ))
            .hint(format!("countersign rotation show {identity}")));
        }
        self.plan(by, &found, RotationReason::Requested)?;
        self.show_rotation(identity)
    }

    pub(super) fn show_rotation(
        &self,
        identity: &IdentityName,
    ) -> Result<RotationView, ServiceError> {
        let found = self.existing(identity)?.value;
        let rotation = match found.rotation.or(found.newest) {
            Some(generation) => self.records.rotation(&RotationId {
                identity: identity.clone(),
                generation,
            })?,
            None => None,
        };
        let rotation = rotation
            .ok_or_else(|| ServiceError::refused(format!("{identity} has never been rotated")))?;
        self.rotation_view(&rotation.rotation)
    }

    pub(super) fn rotation_in_progress(
        &self,
        identity: &Identity,
    ) -> Result<Option<Rotation>, ServiceError> {
        let Some(generation) = identity.rotation else {
            return Ok(None);
        };
        let id = RotationId {
            identity: identity.name.clone(),
            generation,
        };
        Ok(self
            .records
            .rotation(&id)?
            .map(|replayed| replayed.rotation))
    }

    /// The rotation in progress; a refusal when there is none.
    pub(super) fn current_rotation(
        &self,
        identity: &IdentityName,
    ) -> Result<Rotation, ServiceError> {
        let found = self.existing(identity)?.value;
        self.rotation_in_progress(&found)?.ok_or_else(|| {
            ServiceError::refused(format!("no rotation of {identity} is in progress"))
                .hint(format!("countersign rotation start {identity}"))
        })
    }

    pub(super) fn waive(
        &self,
        by: &Author,
        identity: &IdentityName,
        destination: &Destination,
        gate: Gate,
        name: &str,
        reason: &str,
    ) -> Result<RotationView, ServiceError> {
        let fact = Fact::Waived {
            destination: destination.clone(),
            gate,
            by: signed_name(name)?,
            reason: stated_reason(reason)?,
        };
        self.note(by, identity, &fact)
    }

    pub(super) fn decide(
        &self,
        by: &Author,
        identity: &IdentityName,
        decision: Decision,
        name: &str,
        reason: &str,
    ) -> Result<RotationView, ServiceError> {
        let reason = if decision == Decision::Retry {
            reason.to_owned()
        } else {
            stated_reason(reason)?
        };
        self.note(
            by,
            identity,
            &Fact::Decided {
                decision,
                by: signed_name(name)?,
                reason,
            },
        )
    }

    pub(super) fn note(
        &self,
        by: &Author,
        identity: &IdentityName,
        fact: &Fact,
    ) -> Result<RotationView, ServiceError> {
        self.note_with(by, identity, Batch::new(), fact)
    }

    pub(super) fn note_with(
        &self,
        by: &Author,
        identity: &IdentityName,
        batch: Batch,
        fact: &Fact,
    ) -> Result<RotationView, ServiceError> {
        let rotation = self.current_rotation(identity)?;
        let at = self.clock.now();
        let noted = self
            .records
            .note(&rotation.id, by, at, batch, |_| Some(fact.clone()))?;
        let rotation = noted.unwrap_or(rotation);
        self.observer.noted(&rotation, at, fact);
        self.rotation_view(&rotation)
    }

    /// Begins what is due, and drives every rotation as far as it goes now.
    pub(super) async fn renew(&self, by: &Author) -> Result<RenewView, ServiceError> {
        self.deliver_missing(by).await;
        let began = self.clock.now();
        let mut view = RenewView {
            schema: 1,
            started: self.begin_due(by)?,
            in_progress: Vec::new(),
            finished: Vec::new(),
            failed: Vec::new(),
            wake_at: None,
        };
        for identity in self.rotating()? {
            let advanced = match self.advance(by, &identity).await {
                Ok(advanced) => advanced,
                Err(error) => {
                    view.failed.push((identity, error.message));
                    continue;
                }
            };
            view.wake_at = [view.wake_at, advanced.wake_at()]
                .into_iter()
                .flatten()
                .min();
            match advanced.rotation {
                Some(rotation) if rotation.outcome.is_none() => {
                    // What failed before, and was not tried again, is told by what the rotation waits for.
                    let failing: BTreeSet<String> = rotation
                        .troubles
                        .values()
                        .filter(|trouble| trouble.last >= began)
                        .map(|trouble| trouble.failure.message.clone())
                        .collect();
                    view.failed.extend(
                        failing
                            .into_iter()
                            .map(|message| (identity.clone(), message)),
                    );
                    view.in_progress
                        .push((identity, rotation.phase(), advanced.decision));
                }
                _ => view.finished.push(identity),
            }
        }
        Ok(view)
    }

    /// Drives one rotation as far as it goes now.
    pub async fn advance(
        &self,
        by: &Author,
        identity: &IdentityName,
    ) -> Result<Advanced, ServiceError> {
        let turn = {
            let mut driving = self.driving.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(driving.entry(identity.clone()).or_default())
        };
        let _turn = turn.lock().await;
        let found = self.existing(identity)?.value;
        let Some(generation) = found.rotation else {
            return Ok(Advanced {
                rotation: None,
                decision: None,
            });
        };
        let ports = self.ports(by, &found)?;
        let decision = self.driver(by, &ports).advance(identity).await?;
        let id = RotationId {
            identity: identity.clone(),
            generation,
        };
        let rotation = self
            .records
            .rotation(&id)?
            .map(|replayed| replayed.rotation);
        Ok(Advanced { rotation, decision })
    }

    /// Runs the step of preparing, and nothing else: nobody is written to by adding an identity.
    pub(super) async fn prepare(
        &self,
        by: &Author,
        identity: &IdentityName,
    ) -> Result<(), ServiceError> {
        let found = self.existing(identity)?.value;
        let Some(generation) = found.rotation else {
            return Ok(());
        };
        let id = RotationId {
            identity: identity.clone(),
            generation,
        };
        let ports = self.ports(by, &found)?;
        let driver = self.driver(by, &ports);
        if matches!(
            driver.decision(&id)?.next,
            Next::Run {
                step: Step::Prepare
            }
        ) {
            driver.run_once(&id).await?;
        }
        let rotation = self
            .records
            .rotation(&id)?
            .map(|replayed| replayed.rotation);
        match rotation.and_then(|rotation| rotation.troubles.get(&Step::Prepare).cloned()) {
            Some(trouble) => {
                Err(ServiceError::refused(trouble.failure.message).hint(trouble.failure.remedy))
            }
            None => Ok(()),
        }
    }

    pub(super) fn rotation_view(&self, rotation: &Rotation) -> Result<RotationView, ServiceError> {
        let identity = self.existing(rotation.identity())?.value;
        let next = match rotation.outcome {
            Some(_) => None,
            None => {
                let ports = self.ports(&self.itself, &identity)?;
                Some(self.driver(&self.itself, &ports).decision(&rotation.id)?)
            }
        };
        let history = self.records.history(&rotation.id)?;
        Ok(RotationView {
            schema: 1,
            rotation: rotation.id.clone(),
            phase: rotation.phase(),
            reason: rotation.reason,
            planned_at: rotation.planned_at,
            from: rotation.from,
            to: rotation.to(),
            fingerprint: rotation.certificate.map(|c| c.fingerprint),
            not_after: rotation.certificate.map(|c| c.not_after),
            next,
            destinations: rotation
                .active_legs()
                .map(|(destination, leg)| DestinationView {
                    destination: destination.clone(),
                    claimed: leg.claimed,
                    offered: leg.offer.as_ref().map(|letter| letter.at),
                    acknowledged: leg
                        .acknowledgement
                        .as_ref()
                        .map(|a| (a.contact.clone(), a.at)),
                    confirmed: leg.confirmed.as_ref().map(|(at, _)| *at),
                    probe: leg.probe.as_ref().map(verdict),
                    proven: leg.proven.as_ref().map(|(at, _)| *at),
                    activated: leg.activated,
                    refusal: leg.refusal.as_ref().map(verdict),
                    retired: leg.retired.map(|(at, _)| at),
                })
                .collect(),
            connectors: rotation
                .connectors
                .iter()
                .map(|(name, c)| {
                    (
                        name.clone(),
                        c.destination.clone(),
                        c.activation.as_ref().map(|a| a.at),
                    )
                })
                .collect(),
            history: history
                .iter()
                .map(|event| EventView {
                    at: event.at,
                    fact: event.fact.to_string(),
                })
                .collect(),
        })
    }
}

fn verdict(Probed { report, .. }: &Probed) -> (crate::model::Verdict, String, jiff::Timestamp) {
    (report.verdict, report.summary.clone(), report.at)
}

/// The name of a person who answers for a decision.
pub(super) fn signed_name(by: &str) -> Result<String, ServiceError> {
    let name = crate::model::one_line(by);
    if name.is_empty() {
        return Err(
            ServiceError::refused("a decision needs the name of the person who makes it")
                .hint("--by NAME"),
        );
    }
    Ok(name)
}

/// Why a decision was made.
pub(super) fn stated_reason(reason: &str) -> Result<String, ServiceError> {
    let reason = crate::model::one_line(reason);
    if reason.is_empty() {
        return Err(ServiceError::refused("a decision needs a reason").hint("--reason TEXT"));
    }
    Ok(reason)
}
