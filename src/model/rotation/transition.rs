//! The one transition function. What it refuses cannot have happened: such a history is corruption.

use super::{
    RotationId,
    fact::{Basis, Decision, Event, Fact, Gate, Output, RetireBasis, Scope, Step},
    leg::{ConnectorLeg, Declined, Leg, Probed, Waiver},
    state::{Ending, Outcome, Phase, PreparedCertificate, Rotation, Trouble},
};
use crate::model::Destination;

/// A fact that cannot follow on what was known.
#[derive(Clone, Debug, thiserror::Error)]
#[error("in phase `{phase}` it cannot be that: {fact}")]
pub struct IllegalTransition {
    /// Where the rotation stood; `planned` also stands for one that does not exist yet.
    pub phase: Phase,
    /// The fact, and what is wrong with it.
    pub fact: String,
}

impl Rotation {
    /// The first fact of every rotation.
    pub fn begin(event: &Event) -> Result<Self, IllegalTransition> {
        let Fact::Planned {
            identity,
            from,
            to,
            reason,
            scope,
        } = &event.fact
        else {
            return Err(IllegalTransition {
                phase: Phase::Planned,
                fact: format!("{} before the rotation was planned", event.fact),
            });
        };
        let mut rotation = Self {
            id: RotationId {
                identity: identity.clone(),
                generation: *to,
            },
            from: *from,
            reason: *reason,
            planned_at: event.at,
            requested: None,
            certificate: None,
            legs: Default::default(),
            connectors: Default::default(),
            in_doubt: None,
            troubles: Default::default(),
            held: None,
            ending: None,
            outcome: None,
            last_event: event.at,
        };
        rotation.reach(scope);
        Ok(rotation)
    }

    /// The rotation that a journal amounts to; `None` for an empty one.
    pub fn replay<'a>(
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Option<Self>, IllegalTransition> {
        let mut rotation: Option<Self> = None;
        for event in events {
            rotation = Some(match rotation {
                None => Self::begin(event)?,
                Some(rotation) => rotation.after(event)?,
            });
        }
        Ok(rotation)
    }

    /// What is known once `event` is known too.
    pub fn after(mut self, event: &Event) -> Result<Self, IllegalTransition> {
        if let Fact::ClaimProbed {
            destination,
            report,
        } = &event.fact
        {
            return self.claim_probed(destination, report, event);
        }
        if self.outcome.is_some() {
            return Err(self.illegal(&event.fact, "the rotation has ended"));
        }
        match &event.fact {
            Fact::Planned { .. } => return Err(self.illegal(&event.fact, "it was planned already")),
            Fact::ScopeChanged { scope } => self.reach(scope),
            Fact::Started { step } => self.started(step, event)?,
            Fact::Succeeded { step, output } => {
                self.ended(step, event)?;
                self.troubles.remove(step);
                self.succeeded(step, output, event)?;
            }
            Fact::Failed { step, failure } => {
                self.ended(step, event)?;
                let trouble = self
                    .troubles
                    .entry(step.clone())
                    .or_insert_with(|| Trouble {
                        count: 0,
                        since: event.at,
                        last: event.at,
                        failure: failure.clone(),
                    });
                trouble.count = trouble.count.saturating_add(1);
                trouble.last = event.at;
                trouble.failure = failure.clone();
            }
            Fact::Imported {
                fingerprint,
                not_after,
            } => {
                if self.requested.is_none() || self.certificate.is_some() {
                    return Err(self.illegal(&event.fact, "no request waits for a certificate"));
                }
                self.certificate = Some(PreparedCertificate {
                    fingerprint: *fingerprint,
                    not_after: *not_after,
                    at: event.at,
                });
            }
            Fact::Adopted {
                fingerprint,
                not_after,
                ..
            } => self.adopted(*fingerprint, *not_after, event)?,
            // Judged above, since it is the one fact that may follow the end.
            Fact::ClaimProbed { .. } => {}
            Fact::Acknowledged { acknowledgement } => {
                let ours = self.certificate.map(|c| c.fingerprint);
                if ours != Some(acknowledgement.fingerprint) {
                    return Err(self.illegal(&event.fact, "it acknowledges another certificate"));
                }
                let leg = self.leg(&acknowledgement.destination, event)?;
                leg.declined = None;
                leg.acknowledgement
                    .get_or_insert_with(|| acknowledgement.clone());
            }
            Fact::Declined {
                destination,
                contact,
                reason,
            } => {
                self.leg(destination, event)?.declined = Some(Declined {
                    contact: contact.clone(),
                    reason: reason.clone(),
                    at: event.at,
                });
            }
            Fact::Waived {
                destination,
                gate,
                by,
                reason,
            } => {
                let waiver = Waiver {
                    gate: *gate,
                    by: by.clone(),
                    reason: reason.clone(),
                    at: event.at,
                };
                self.leg(destination, event)?.waivers.push(waiver);
            }
            Fact::Held { why } => self.held = Some((event.at, why.clone())),
            Fact::Decided {
                decision,
                by,
                reason,
            } => self.decided(decision, by, reason, event)?,
        }
        self.last_event = event.at;
        Ok(self)
    }

    /// Adds what is new in the scope and lets go of what is no longer in it.
    fn reach(&mut self, scope: &Scope) {
        for destination in &scope.destinations {
            self.legs.entry(destination.clone()).or_default().left = false;
        }
        for (destination, leg) in &mut self.legs {
            leg.left = !scope.destinations.contains(destination);
        }
        for (connector, destination) in &scope.connectors {
            let leg = self
                .connectors
                .entry(connector.clone())
                .or_insert_with(|| ConnectorLeg {
                    destination: destination.clone(),
                    switched: None,
                    activation: None,
                    rolled_back: None,
                    restored: None,
                    left: false,
                });
            // A connector that now calls elsewhere has proven nothing there.
            if leg.destination != *destination {
                leg.destination = destination.clone();
                (leg.switched, leg.activation) = (None, None);
            }
        }
        for (connector, leg) in &mut self.connectors {
            leg.left = !scope.connectors.contains_key(connector);
        }
        // A destination is active only while every connector there is.
        for (destination, leg) in &mut self.legs {
            let lagging = self
                .connectors
                .values()
                .any(|c| !c.left && c.destination == *destination && c.activation.is_none());
            if lagging && leg.retired.is_none() {
                leg.activated = None;
            }
        }
    }

    fn started(&mut self, step: &Step, event: &Event) -> Result<(), IllegalTransition> {
        if let Some(other) = self.in_doubt.as_ref().filter(|other| *other != step) {
            let what = format!("`{other}` has not ended");
            return Err(self.illegal(&event.fact, &what));
        }
        if let Some(obstacle) = self.obstacle(step) {
            return Err(self.illegal(&event.fact, obstacle));
        }
        if let Step::Publish { connector } = step
            && let Some(leg) = self.connectors.get_mut(connector)
        {
            leg.switched.get_or_insert(event.at);
        }
        if let Step::RollBack { connector } = step
            && let Some(leg) = self.connectors.get_mut(connector)
        {
            leg.rolled_back.get_or_insert(event.at);
        }
        self.in_doubt = Some(step.clone());
        Ok(())
    }

    fn ended(&mut self, step: &Step, event: &Event) -> Result<(), IllegalTransition> {
        match self.in_doubt.take() {
            Some(started) if started == *step => Ok(()),
            _ => Err(self.illegal(&event.fact, "the step was not started")),
        }
    }

    fn succeeded(
        &mut self,
        step: &Step,
        output: &Output,
        event: &Event,
    ) -> Result<(), IllegalTransition> {
        let at = event.at;
        match (step, output) {
            (Step::Prepare, Output::Requested) => self.requested = Some(at),
            (
                Step::Prepare,
                Output::Prepared {
                    fingerprint,
                    not_after,
                },
            ) => {
                self.certificate = Some(PreparedCertificate {
                    fingerprint: *fingerprint,
                    not_after: *not_after,
                    at,
                });
            }
            (Step::Offer { destination }, Output::Sent { letter }) => {
                self.leg(destination, event)?.offer = Some(letter.clone());
            }
            (Step::Remind { destination, .. }, Output::Sent { letter }) => {
                self.leg(destination, event)?.reminders.push(letter.clone());
            }
            (Step::Confirm { destination }, Output::Confirmed { basis }) => {
                let leg = self.leg(destination, event)?;
                let founded = match basis {
                    Basis::Evidence => leg.acknowledgement.is_some(),
                    Basis::Waived { .. } => leg.waiver(Gate::Acknowledgement).is_some(),
                    Basis::NotRequired => true,
                };
                if !founded {
                    return Err(self.illegal(&event.fact, "there is no evidence and no waiver"));
                }
                leg.confirmed = Some((at, basis.clone()));
            }
            (Step::Probe { destination }, Output::Probed { report }) => {
                let switched = self
                    .connectors_at(destination)
                    .any(|(_, c)| c.switched.is_some());
                let leg = self.leg(destination, event)?;
                let by_evidence = matches!(leg.proven, Some((_, Basis::Evidence)));
                if report.proves_acceptance() {
                    leg.proven.get_or_insert((at, Basis::Evidence));
                } else if by_evidence && !switched && leg.activated.is_none() {
                    // What was accepted yesterday is not accepted now: the gate shuts again.
                    leg.proven = None;
                }
                leg.probe = Some(Probed {
                    report: report.clone(),
                    noted: at,
                });
            }
            (Step::Probe { destination }, Output::ProbeSpared { basis }) => {
                let leg = self.leg(destination, event)?;
                if *basis == Basis::Evidence {
                    return Err(self.illegal(&event.fact, "evidence comes from a probe"));
                }
                leg.proven.get_or_insert((at, basis.clone()));
            }
            (Step::Publish { connector }, Output::Published { activation }) => {
                let expected = self.certificate.map(|c| c.fingerprint);
                match self.connectors.get_mut(connector) {
                    Some(leg) if expected == Some(activation.fingerprint) => {
                        leg.activation = Some(activation.clone());
                    }
                    _ => return Err(self.illegal(&event.fact, "another certificate was seen")),
                }
            }
            (Step::Activate { destination }, Output::Done) => {
                self.leg(destination, event)?.activated = Some(at);
                // A first generation has nothing to retire.
                if self.from.is_none() && self.active_legs().all(|(_, leg)| leg.activated.is_some())
                {
                    self.outcome = Some((at, Outcome::Completed));
                }
            }
            (Step::Notify { destination }, Output::Sent { letter }) => {
                self.leg(destination, event)?.notice = Some(letter.clone());
            }
            (Step::ProveRefusal { destination }, Output::Probed { report }) => {
                let leg = self.leg(destination, event)?;
                if report.proves_refusal() {
                    leg.retired.get_or_insert((at, RetireBasis::Refused));
                }
                leg.refusal = Some(Probed {
                    report: report.clone(),
                    noted: at,
                });
            }
            (Step::ProveRefusal { destination }, Output::Expired) => {
                self.leg(destination, event)?
                    .retired
                    .get_or_insert((at, RetireBasis::Expired));
            }
            (Step::ProveRefusal { destination }, Output::KeyGone) => {
                self.leg(destination, event)?
                    .retired
                    .get_or_insert((at, RetireBasis::KeyGone));
            }
            (Step::Destroy, Output::Done) => self.outcome = Some((at, Outcome::Completed)),
            (Step::RollBack { connector }, Output::Published { .. } | Output::Done) => {
                if let Some(leg) = self.connectors.get_mut(connector) {
                    leg.restored = Some(at);
                }
            }
            (Step::Withdraw { destination }, Output::Sent { letter }) => {
                self.leg(destination, event)?.withdrawn = Some(letter.clone());
            }
            (Step::Discard, Output::Done) => {
                let outcome = match self.ending.as_ref().map(|ending| &ending.decision) {
                    Some(Decision::RollBack) => Outcome::RolledBack,
                    _ => Outcome::Abandoned,
                };
                self.outcome = Some((at, outcome));
            }
            _ => return Err(self.illegal(&event.fact, "such a step has no such output")),
        }
        Ok(())
    }

    fn decided(
        &mut self,
        decision: &Decision,
        by: &str,
        reason: &str,
        event: &Event,
    ) -> Result<(), IllegalTransition> {
        if let Some(obstacle) = self.obstacle_to(decision) {
            return Err(self.illegal(&event.fact, obstacle));
        }
        // Whatever an operator decides, somebody has looked.
        self.held = None;
        match decision {
            Decision::Retry => self.troubles.clear(),
            Decision::Abandon | Decision::RollBack => {
                // A step in doubt is overtaken: what it may have done is undone by the steps of the ending.
                if let Some(Step::Offer { destination }) = self.in_doubt.take()
                    && let Some(leg) = self.legs.get_mut(&destination)
                {
                    leg.offer_in_doubt = true;
                }
                self.ending = Some(Ending {
                    decision: decision.clone(),
                    by: by.to_owned(),
                    reason: reason.to_owned(),
                    at: event.at,
                });
            }
        }
        Ok(())
    }

    pub(super) fn leg(
        &mut self,
        destination: &Destination,
        event: &Event,
    ) -> Result<&mut Leg, IllegalTransition> {
        if !self.legs.contains_key(destination) {
            return Err(self.illegal(&event.fact, "the destination is not in its scope"));
        }
        Ok(self.legs.entry(destination.clone()).or_default())
    }

    pub(super) fn illegal(&self, fact: &Fact, why: &str) -> IllegalTransition {
        IllegalTransition {
            phase: self.phase(),
            fact: format!("{fact}: {why}"),
        }
    }
}
