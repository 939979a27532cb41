//! What one destination waits for.

use jiff::Timestamp;

use super::{Deciding, Next, with_wake};
use crate::{
    model::{
        Destination, Lapse,
        rotation::{Basis, ConnectorLeg, Gate, Leg, Outcome, Probed, Step},
    },
    policy::{GateRule, RetireRule},
};

impl Deciding<'_> {
    pub(super) fn leg(&self, destination: &Destination, leg: &Leg) -> Next {
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
        let next_probe = leg.proven.is_none().then(|| self.next_probe(leg));
        let probe = next_probe
            .filter(|due| *due <= self.now)
            .map(|_| self.attempt(Step::Probe { destination: d() }));
        if let Some(run @ Next::Run { .. }) = probe {
            return run;
        }
        if leg.confirmed.is_none() {
            let next_probe = probe.as_ref().map_or(next_probe, Next::wake_at);
            let waiting = self.awaiting_acknowledgement(destination, leg, offer.at, next_probe);
            return match (waiting, probe) {
                // A probe that one of us has to mend is not hidden behind waiting for others.
                (Next::AwaitPartner { again, .. }, Some(mend @ Next::AwaitOperator { .. })) => {
                    with_wake(mend, again)
                }
                (waiting, _) => waiting,
            };
        }
        if leg.proven.is_none() {
            return probe.unwrap_or_else(|| self.awaiting_acceptance(destination, leg));
        }
        match leg.activated {
            None => self.activating(destination, leg),
            Some(activated) => self.retiring(destination, leg, activated),
        }
    }

    /// When the wire is asked next: at the interval, and at once after an acknowledgement.
    fn next_probe(&self, leg: &Leg) -> Timestamp {
        let Some(probe) = &leg.probe else {
            return self.now;
        };
        match &leg.acknowledgement {
            // Not one from the future, of a clock that was set back: the wire would be asked for ever.
            Some(ack) if ack.at > probe.report.at && ack.at <= self.now => self.now,
            _ => self.policy.probe.every.after(probe.noted),
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
        next_probe: Option<Timestamp>,
    ) -> Next {
        let rules = &self.policy.exchange;
        if let Some(declined) = &leg.declined {
            return Next::AwaitOperator {
                question: format!(
                    "{} at {destination} declined the certificate: {}",
                    declined.contact, declined.reason
                ),
                answers: std::iter::once(self.acknowledge(destination))
                    .chain(self.giving_up())
                    .collect(),
                since: declined.at,
                again: next_probe,
            };
        }
        let sent = u32::try_from(leg.reminders.len()).unwrap_or(u32::MAX);
        let last = leg.reminders.last().map_or(offered, |letter| letter.at);
        let due = rules.remind_every.after(last);
        let silent = match &leg.probe {
            Some(probe) if probe.report.proves_acceptance() => " (the wire accepts it already)",
            _ => "",
        };
        if sent >= rules.reminders && due <= self.now {
            return Next::AwaitOperator {
                question: format!(
                    "{destination} has not acknowledged after {sent} reminders{silent}"
                ),
                answers: [
                    self.acknowledge(destination),
                    self.waive(destination, Gate::Acknowledgement),
                ]
                .into_iter()
                .chain(self.giving_up())
                .collect(),
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
        let Some(Probed { report, noted }) = &leg.probe else {
            return self.attempt(Step::Probe {
                destination: destination.clone(),
            });
        };
        Next::AwaitPartner {
            destination: destination.clone(),
            what: format!("accept the new certificate on the wire: {}", report.summary),
            since: leg.confirmed.as_ref().map_or(report.at, |(at, _)| *at),
            again: Some(self.policy.probe.every.after(*noted)),
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
        if self.rotation.from.is_none() || leg.retired.is_some() {
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
        let end = self
            .facts
            .old_not_after
            .filter(|_| self.policy.retire.proof == RetireRule::RefusedOrExpired);
        let Some(Probed { report, noted }) = &leg.refusal else {
            return self.attempt(prove);
        };
        let due = self.policy.retire.every.after(*noted);
        if due <= self.now || end.is_some_and(|end| end < self.now) {
            return self.attempt(prove);
        }
        Next::AwaitPartner {
            destination: destination.clone(),
            what: format!("remove the old certificate: {}", report.summary),
            since: notice.at,
            again: Some(end.map_or(due, |end| due.min(Lapse::seconds(1).after(end)))),
        }
    }

    fn acknowledge(&self, destination: &Destination) -> String {
        format!(
            "countersign exchange acknowledge {} --destination {destination} --fingerprint SHA256 --contact ADDRESS --verified HOW",
            self.rotation.identity()
        )
    }

    fn waive(&self, destination: &Destination, gate: Gate) -> String {
        format!(
            "countersign rotation waive {} --destination {destination} --gate {gate} --reason WHY",
            self.rotation.identity()
        )
    }
}
