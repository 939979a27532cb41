//! What can happen next: to the machine, to the people, to the clock, to the configuration.

use super::{
    super::*,
    world::{OUTCOMES, State, fingerprint, start},
};
use crate::model::{
    Lapse,
    rotation::{Decision as Decided, Fact, Gate},
};

impl State {
    /// Everything that may follow on this state by itself, having checked what was decided.
    pub(super) fn futures(&self, policy: &Policy) -> Vec<Self> {
        let decision = self.decision(policy);
        if let Some(step) = &self.rotation.in_doubt
            && decision.next != (Next::Run { step: step.clone() })
        {
            self.fail("a step in doubt is not run again");
        }
        if decision.next.wake_at().is_some_and(|wake| wake <= self.now) {
            self.fail("it wants to be woken in the past");
        }
        let mut futures = Vec::new();
        match &decision.next {
            Next::Run { step } => {
                let started = self.started(step);
                // A probe that was under way when it was waived, or when the old certificate expired, is
                // followed by one that need not ask the wire.
                let spared = match step {
                    Step::Probe { destination } => self.rotation.legs[destination]
                        .waiver(Gate::Probe)
                        .is_some(),
                    Step::ProveRefusal { .. } => self.has_expired(),
                    _ => false,
                };
                for way in 0..OUTCOMES {
                    let Some(ended) = started.ended(step, way) else {
                        continue;
                    };
                    if ended.decision(policy).next == decision.next && !spared {
                        ended.fail("the same step runs again at once, without end");
                    }
                    futures.push(if way == 0 { ended } else { ended.mishap() });
                }
                // A crash between intent and outcome.
                futures.push(started.mishap());
            }
            Next::Rescope => futures.push(self.rescoped(policy)),
            Next::WaitUntil { until, .. } => futures.push(self.at(*until)),
            Next::AwaitPartner {
                destination, again, ..
            } => {
                let Some(again) = again else {
                    self.fail("a partner who stays silent would be waited for for ever");
                };
                futures.push(self.at(*again));
                futures.push(self.must(self.acknowledged(destination)));
                let declined = self.must(Fact::Declined {
                    destination: destination.clone(),
                    contact: "sec@acme.example".parse().unwrap(),
                    reason: "no".to_owned(),
                });
                futures.push(declined.mishap());
            }
            Next::AwaitOperator { answers, again, .. } => {
                if answers.is_empty() {
                    self.fail("a question without an answer");
                }
                futures.extend(answers.iter().filter_map(|answer| self.answered(answer)));
                futures.extend(again.map(|again| self.at(again)));
            }
            Next::Finished { .. } => {}
        }
        futures
    }

    fn rescoped(&self, policy: &Policy) -> Self {
        let scope = self.scope.clone();
        let after = self.must(Fact::ScopeChanged { scope });
        if after.decision(policy).next == Next::Rescope {
            after.fail("the change of the configuration is noted again and again");
        }
        after
    }

    /// What nobody asked for: operators, partners, clocks.
    pub(super) fn interferences(&self) -> Vec<Self> {
        if self.rotation.outcome.is_some() {
            return Vec::new();
        }
        let mut futures: Vec<Self> = [Decided::Abandon, Decided::RollBack, Decided::Retry]
            .into_iter()
            .filter_map(|decision| self.decided(decision))
            .collect();
        for destination in self.rotation.legs.keys() {
            for gate in [Gate::Acknowledgement, Gate::Probe] {
                futures.extend(self.waived(destination, gate));
            }
        }
        // Suspended for weeks, and the old certificate has expired meanwhile; or the clock was set back.
        futures.push(self.at(Lapse::days(31).after(self.now.max(start()))));
        futures.push(self.at(Lapse::days(1).before(self.now)));
        futures.into_iter().map(Self::mishap).collect()
    }

    fn decided(&self, decision: Decided) -> Option<Self> {
        self.noted(Fact::Decided {
            decision,
            by: "Ann".to_owned(),
            reason: "so".to_owned(),
        })
    }

    fn waived(&self, destination: &Destination, gate: Gate) -> Option<Self> {
        let leg = &self.rotation.legs[destination];
        // Once is enough.
        if leg.waiver(gate).is_some() {
            return None;
        }
        self.noted(Fact::Waived {
            destination: destination.clone(),
            gate,
            by: "Ann".to_owned(),
            reason: "so".to_owned(),
        })
    }

    /// An operator types what was proposed. It must be possible.
    fn answered(&self, answer: &str) -> Option<Self> {
        let words: Vec<_> = answer.split(' ').collect();
        let destination = || words[words.iter().position(|w| *w == "--destination").unwrap() + 1];
        let after = match words[..] {
            ["countersign", "rotation", "retry", ..] => self.decided(Decided::Retry),
            ["countersign", "rotation", "abandon", ..] => self.decided(Decided::Abandon),
            ["countersign", "rotation", "roll-back", ..] => self.decided(Decided::RollBack),
            ["countersign", "exchange", "acknowledge", ..] => {
                self.noted(self.acknowledged(&destination().parse().unwrap()))
            }
            ["countersign", "rotation", "waive", ..] => {
                let gate = match words[words.iter().position(|w| *w == "--gate").unwrap() + 1] {
                    "acknowledgement" => Gate::Acknowledgement,
                    "probe" => Gate::Probe,
                    other => self.fail(other),
                };
                self.waived(&destination().parse().unwrap(), gate)
            }
            ["countersign", "identity", "import", ..] => self.noted(Fact::Imported {
                fingerprint: fingerprint(),
                not_after: Lapse::days(400).after(start()),
            }),
            ["countersign", "identity", "export-request", ..] => return None,
            ["name", ..] => {
                let mut after = self.clone();
                after.scope = super::world::scope("acme/test:one");
                Some(after)
            }
            _ => self.fail(&format!("who understands `{answer}`?")),
        };
        match after {
            Some(after) => Some(after),
            None => self.fail(&format!("`{answer}` is proposed, and refused")),
        }
    }
}
