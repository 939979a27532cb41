//! What to do next, and why: a pure function of what is known, the policy and the time.
//!
//! Level-triggered: nothing here remembers having been asked before. `rotation show` prints exactly this
//! value. Every state has an exit: something to run, an instant to wait for, or a person to wait for.

mod destination;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        Destination,
        rotation::{Decision as Decided, FailureKind, Outcome, Rotation, Scope, Step, Trouble},
    },
    policy::Policy,
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
        if let Some((since, why)) = &rotation.held {
            return (self.held(*since, why), none);
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
                answers: std::iter::once(
                    "name it in an environment of countersign.toml".to_owned(),
                )
                .chain(self.giving_up())
                .collect(),
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

    fn held(&self, since: Timestamp, why: &str) -> Next {
        let identity = self.rotation.identity();
        Next::AwaitOperator {
            question: why.to_owned(),
            answers: std::iter::once(format!("countersign rotation retry {identity}"))
                .chain(self.giving_up())
                .collect(),
            since,
            again: None,
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
            .find(|(_, c)| back && !c.left && c.switched.is_some() && c.restored.is_none());
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
                answers: std::iter::once(format!(
                    "countersign rotation retry {}",
                    self.rotation.identity()
                ))
                .chain(self.giving_up())
                .collect(),
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
                "could not {step} (tried {count} times): {}; {}",
                failure.message, failure.remedy
            ),
        }
    }

    /// The way to give the rotation up, while there is one.
    fn giving_up(&self) -> Option<String> {
        let words = [
            (Decided::Abandon, "abandon"),
            (Decided::RollBack, "roll-back"),
        ];
        let (_, word) = words
            .iter()
            .find(|(decision, _)| self.rotation.obstacle_to(decision).is_none())?;
        Some(format!(
            "countersign rotation {word} {} --reason WHY",
            self.rotation.identity()
        ))
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

#[cfg(test)]
mod tests;
