//! What to do next, and why: a pure function of what is known, the policy and the time.
//!
//! Level-triggered: nothing here remembers having been asked before. `rotation show` prints exactly this
//! value. Every state has an exit: something to run, an instant to wait for, or a person to wait for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        Destination, Lapse,
        rotation::{
            Basis, ConnectorLeg, Decision as Decided, FailureKind, Gate, Leg, Outcome, Rotation,
            Scope, Step, Trouble,
        },
    },
    policy::{GateRule, Policy, RetireRule},
};

/// What is known besides the journal.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the configuration wants reached now.
    pub scope: Scope,
    /// When the old generation's certificate expires; `None` when there is no old generation.
    pub old_not_after: Option<Timestamp>,
}

/// What a rotation does next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "next")]
pub enum Next {
    /// Do this now.
    Run {
        /// What.
        #[serde(flatten)]
        step: Step,
    },
    /// Note that the configuration has changed what has to be reached.
    Rescope,
    /// Nothing can be done before this instant.
    WaitUntil {
        /// When.
        until: Timestamp,
        /// Why, in a sentence.
        why: String,
    },
    /// The partner has to do something.
    AwaitPartner {
        /// Who.
        destination: Destination,
        /// What, in a sentence.
        what: String,
        /// Since when we wait.
        since: Timestamp,
        /// When we look or write again.
        again: Option<Timestamp>,
    },
    /// One of us has to do something.
    AwaitOperator {
        /// What, in a sentence.
        question: String,
        /// The commands that move it.
        answers: Vec<String>,
        /// Since when we wait.
        since: Timestamp,
        /// When we look again by ourselves.
        again: Option<Timestamp>,
    },
    /// The story has ended.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

impl Next {
    /// When to decide again if nothing happens before.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self {
            Self::WaitUntil { until, .. } => Some(*until),
            Self::AwaitPartner { again, .. } | Self::AwaitOperator { again, .. } => *again,
            Self::Run { .. } | Self::Rescope | Self::Finished { .. } => None,
        }
    }
}

/// The decision, with what each destination waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What the rotation does next.
    #[serde(flatten)]
    pub next: Next,
    /// The same, seen from each destination.
    pub destinations: BTreeMap<Destination, Next>,
}

/// Decides what to do next.
pub fn decide(rotation: &Rotation, facts: &Facts, policy: &Policy, now: Timestamp) -> Decision {
    let deciding = Deciding {
        rotation,
        facts,
        policy,
        now,
    };
    let (next, destinations) = deciding.next();
    Decision { next, destinations }
}

struct Deciding<'a> {
    rotation: &'a Rotation,
    facts: &'a Facts,
    policy: &'a Policy,
    now: Timestamp,
}

impl Deciding<'_> {
    fn next(&self) -> (Next, BTreeMap<Destination, Next>) {
        let none = BTreeMap::new();
        let rotation = self.rotation;
        if let Some((_, outcome)) = rotation.outcome {
            return (Next::Finished { outcome }, none);
        }
        if let Some(step) = &rotation.in_doubt {
            return (Next::Run { step: step.clone() }, none);
        }
        if rotation.ending.is_some() {
            return (self.ending(), none);
        }
        if self.scope_changed() {
            return (Next::Rescope, none);
        }
        if rotation.certificate.is_none() {
            return (self.preparing(), none);
        }
        let destinations: BTreeMap<_, _> = rotation
            .active_legs()
            .map(|(destination, leg)| (destination.clone(), self.leg(destination, leg)))
            .collect();
        (self.most_pressing(&destinations), destinations)
    }

    fn scope_changed(&self) -> bool {
        let (rotation, scope) = (self.rotation, &self.facts.scope);
        let destinations = rotation.active_legs().map(|(d, _)| d);
        let connectors = rotation
            .connectors
            .iter()
            .filter(|(_, c)| !c.left)
            .map(|(name, c)| (name, &c.destination));
        let mut wanted = scope.destinations.clone();
        wanted.sort();
        !destinations.eq(wanted.iter()) || !connectors.eq(scope.connectors.iter())
    }

    fn preparing(&self) -> Next {
        match self.rotation.requested {
            None => self.attempt(Step::Prepare),
            Some(since) => Next::AwaitOperator {
                question: "the certification request waits for the partner's authority to sign it"
                    .to_owned(),
                answers: vec![
                    format!(
                        "countersign identity export-request {}",
                        self.rotation.identity()
                    ),
                    format!(
                        "countersign identity import {} CHAIN.pem",
                        self.rotation.identity()
                    ),
                ],
                since,
                again: None,
            },
        }
    }

    /// What is pressing over all destinations: something to run, else the earliest instant, else people.
    fn most_pressing(&self, destinations: &BTreeMap<Destination, Next>) -> Next {
        if let Some(run) = destinations
            .values()
            .find(|next| matches!(next, Next::Run { .. }))
        {
            return run.clone();
        }
        let rotation = self.rotation;
        if destinations.is_empty() {
            return Next::AwaitOperator {
                question: format!(
                    "no environment in the configuration names the identity {}",
                    rotation.identity()
                ),
                answers: vec![
                    "name it in an environment of countersign.toml".to_owned(),
                    self.abandon(),
                ],
                since: rotation.last_event,
                again: None,
            };
        }
        let waiting = || {
            destinations
                .values()
                .filter(|next| !matches!(next, Next::Finished { .. }))
        };
        let woken = waiting().filter_map(Next::wake_at).min();
        if let Some(person) = waiting().find(|next| matches!(next, Next::AwaitOperator { .. })) {
            return with_wake(person.clone(), woken);
        }
        if let Some(first) = waiting().find(|next| matches!(next, Next::AwaitPartner { .. })) {
            return with_wake(first.clone(), woken);
        }
        if let Some(first) = waiting().min_by_key(|next| next.wake_at()) {
            return first.clone();
        }
        // Every leg is through.
        self.attempt(Step::Destroy)
    }

    fn leg(&self, destination: &Destination, leg: &Leg) -> Next {
        let d = || destination.clone();
        let Some(offer) = &leg.offer else {
            return self.attempt(Step::Offer { destination: d() });
        };
        if leg.confirmed.is_none() && self.acknowledgement_gate_is_open(leg) {
            return self.attempt(Step::Confirm { destination: d() });
        }
        if leg.proven.is_none() && self.may_skip_probe(leg) {
            return self.attempt(Step::Probe { destination: d() });
        }
        // The wire is asked while people are waited for: silent but accepted is worth knowing.
        if leg.proven.is_none() && self.next_probe(leg) <= self.now {
            let probe = self.attempt(Step::Probe { destination: d() });
            if matches!(probe, Next::Run { .. }) {
                return probe;
            }
        }
        if leg.confirmed.is_none() {
            return self.awaiting_acknowledgement(destination, leg, offer.at);
        }
        if leg.proven.is_none() {
            return self.awaiting_acceptance(destination, leg);
        }
        match leg.activated {
            None => self.activating(destination, leg),
            Some(activated) => self.retiring(destination, leg, activated),
        }
    }

    /// When the wire is asked next: at the interval, and at once after an acknowledgement.
    fn next_probe(&self, leg: &Leg) -> Timestamp {
        let Some(report) = &leg.probe else {
            return self.now;
        };
        match &leg.acknowledgement {
            Some(acknowledgement) if acknowledgement.at > report.at => self.now,
            _ => self.policy.probe.every.after(report.at),
        }
    }

    fn acknowledgement_gate_is_open(&self, leg: &Leg) -> bool {
        leg.acknowledgement.is_some()
            || leg.waiver(Gate::Acknowledgement).is_some()
            || self.policy.gates.acknowledgement == GateRule::NotRequired
    }

    fn may_skip_probe(&self, leg: &Leg) -> bool {
        leg.waiver(Gate::Probe).is_some() || self.policy.gates.probe == GateRule::NotRequired
    }

    fn awaiting_acknowledgement(
        &self,
        destination: &Destination,
        leg: &Leg,
        offered: Timestamp,
    ) -> Next {
        let rules = &self.policy.exchange;
        let next_probe = leg.proven.is_none().then(|| self.next_probe(leg));
        if let Some(declined) = &leg.declined {
            return Next::AwaitOperator {
                question: format!(
                    "{} at {destination} declined the certificate: {}",
                    declined.contact, declined.reason
                ),
                answers: vec![self.acknowledge(destination), self.abandon()],
                since: declined.at,
                again: next_probe,
            };
        }
        let sent = u32::try_from(leg.reminders.len()).unwrap_or(u32::MAX);
        let last = leg.reminders.last().map_or(offered, |letter| letter.at);
        let due = rules.remind_every.after(last);
        let silent = match &leg.probe {
            Some(report) if report.proves_acceptance() => " (the wire accepts it already)",
            _ => "",
        };
        if sent >= rules.reminders && due <= self.now {
            return Next::AwaitOperator {
                question: format!(
                    "{destination} has not acknowledged after {sent} reminders{silent}"
                ),
                answers: vec![
                    self.acknowledge(destination),
                    self.waive(destination, Gate::Acknowledgement),
                    self.abandon(),
                ],
                since: offered,
                again: next_probe,
            };
        }
        if sent < rules.reminders && due <= self.now {
            return self.attempt(Step::Remind {
                destination: destination.clone(),
                number: sent + 1,
            });
        }
        Next::AwaitPartner {
            destination: destination.clone(),
            what: format!("acknowledge the new certificate{silent}"),
            since: offered,
            again: Some(next_probe.map_or(due, |probe| probe.min(due))),
        }
    }

    fn awaiting_acceptance(&self, destination: &Destination, leg: &Leg) -> Next {
        let Some(report) = &leg.probe else {
            return self.attempt(Step::Probe {
                destination: destination.clone(),
            });
        };
        Next::AwaitPartner {
            destination: destination.clone(),
            what: format!("accept the new certificate on the wire: {}", report.summary),
            since: leg.confirmed.as_ref().map_or(report.at, |(at, _)| *at),
            again: Some(self.policy.probe.every.after(report.at)),
        }
    }

    /// The first connector of the whole rotation goes alone; the rest follow when it has lived a while.
    fn activating(&self, destination: &Destination, own: &Leg) -> Next {
        let rotation = self.rotation;
        let waiting: Vec<_> = rotation
            .connectors_at(destination)
            .filter(|(_, c)| c.activation.is_none())
            .collect();
        let Some((connector, leg)) = waiting.first().copied() else {
            return self.attempt(Step::Activate {
                destination: destination.clone(),
            });
        };
        // Evidence ages: between the proof and the first connector the partner may have changed something.
        let begun_here = rotation
            .connectors_at(destination)
            .any(|(_, c)| c.switched.is_some());
        let by_evidence = matches!(own.proven, Some((_, Basis::Evidence)));
        if by_evidence && !begun_here && self.next_probe(own) <= self.now {
            return self.attempt(Step::Probe {
                destination: destination.clone(),
            });
        }
        let publish = Step::Publish {
            connector: connector.clone(),
        };
        // The first connector to have been seen presenting it is the canary.
        let canary = rotation
            .connectors
            .values()
            .filter_map(|c| c.activation.as_ref())
            .map(|a| a.at)
            .min();
        let begun = |c: &ConnectorLeg| c.switched.is_some();
        match canary {
            Some(at) if !begun(leg) && self.policy.activation.canary.after(at) > self.now => {
                Next::WaitUntil {
                    until: self.policy.activation.canary.after(at),
                    why: format!(
                        "the first connector lives with the new certificate before {connector} follows"
                    ),
                }
            }
            _ => self.attempt(publish),
        }
    }

    fn retiring(&self, destination: &Destination, leg: &Leg, activated: Timestamp) -> Next {
        let Some(old_not_after) = self.facts.old_not_after else {
            return Next::Finished {
                outcome: Outcome::Completed,
            };
        };
        if leg.retired.is_some() {
            return Next::Finished {
                outcome: Outcome::Completed,
            };
        }
        let soaked = self.policy.activation.soak.after(activated);
        if soaked > self.now {
            return Next::WaitUntil {
                until: soaked,
                why: format!(
                    "the new certificate soaks at {destination} before the old one is given up"
                ),
            };
        }
        let Some(notice) = &leg.notice else {
            return self.attempt(Step::Notify {
                destination: destination.clone(),
            });
        };
        let prove = Step::ProveRefusal {
            destination: destination.clone(),
        };
        let may_expire = self.policy.retire.proof == RetireRule::RefusedOrExpired;
        let Some(report) = &leg.refusal else {
            return self.attempt(prove);
        };
        let due = self.policy.retire.every.after(report.at);
        if due <= self.now || (may_expire && old_not_after < self.now) {
            return self.attempt(prove);
        }
        Next::AwaitPartner {
            destination: destination.clone(),
            what: format!("remove the old certificate: {}", report.summary),
            since: notice.at,
            again: Some(if may_expire {
                due.min(Lapse::seconds(1).after(old_not_after))
            } else {
                due
            }),
        }
    }

    fn ending(&self) -> Next {
        let rotation = self.rotation;
        let back = matches!(
            rotation.ending.as_ref().map(|e| &e.decision),
            Some(Decided::RollBack)
        );
        let to_restore = rotation
            .connectors
            .iter()
            .find(|(_, c)| back && !c.left && c.switched.is_some() && c.rolled_back.is_none());
        if let Some((connector, _)) = to_restore {
            return self.attempt(Step::RollBack {
                connector: connector.clone(),
            });
        }
        match rotation
            .legs
            .iter()
            .find(|(_, leg)| leg.must_withdraw() && !leg.left)
        {
            Some((destination, _)) => self.attempt(Step::Withdraw {
                destination: destination.clone(),
            }),
            None => self.attempt(Step::Discard),
        }
    }

    /// Runs a step, unless it has failed lately or cannot succeed before a person has done something.
    fn attempt(&self, step: Step) -> Next {
        let Some(Trouble {
            count,
            since,
            last,
            failure,
        }) = self.rotation.troubles.get(&step)
        else {
            return Next::Run { step };
        };
        let again = self.policy.retry.delay(*count).after(*last);
        if failure.kind == FailureKind::Permanent {
            return Next::AwaitOperator {
                question: format!("could not {step}: {}; {}", failure.message, failure.remedy),
                answers: vec![
                    format!("countersign rotation retry {}", self.rotation.identity()),
                    self.abandon(),
                ],
                since: *since,
                again: None,
            };
        }
        if again <= self.now {
            return Next::Run { step };
        }
        Next::WaitUntil {
            until: again,
            why: format!(
                "could not {step} ({count} times): {}; {}",
                failure.message, failure.remedy
            ),
        }
    }

    fn acknowledge(&self, destination: &Destination) -> String {
        format!(
            "countersign exchange acknowledge {} --destination {destination}",
            self.rotation.identity()
        )
    }

    fn waive(&self, destination: &Destination, gate: Gate) -> String {
        format!(
            "countersign rotation waive {} --destination {destination} --gate {gate}",
            self.rotation.identity()
        )
    }

    fn abandon(&self) -> String {
        format!("countersign rotation abandon {}", self.rotation.identity())
    }
}

fn with_wake(next: Next, woken: Option<Timestamp>) -> Next {
    match next {
        Next::AwaitOperator {
            question,
            answers,
            since,
            ..
        } => Next::AwaitOperator {
            question,
            answers,
            since,
            again: woken,
        },
        Next::AwaitPartner {
            destination,
            what,
            since,
            ..
        } => Next::AwaitPartner {
            destination,
            what,
            since,
            again: woken,
        },
        other => other,
    }
}
