//! A rotation among people, machines and clocks that do anything, checked at every move.

use std::{collections::BTreeSet, rc::Rc};

use super::super::*;
use crate::model::{
    Acknowledgement, Activation, AddressEvidence, AppliedBy, Channel, ConnectorName, Fingerprint,
    GenerationNumber, Lapse, LetterKind, MessageId, ProbeReport, Role, SentLetter, Tier, Verdict,
    rotation::{Basis, Event, Fact, Failure, Gate, Output, RetireBasis, RotationReason},
};

pub(super) const POLICY: &str = r#"
name = "test"
description = "For tests"
[key]
algorithm = "ecdsa-p256"
[certificate]
validity = "100d"
[lead-time]
issuance = "1d"
delivery = "1d"
partner-answer = "5d"
change-window = "1d"
soak = "1d"
margin = "1d"
[exchange]
remind-every = "5d"
reminders = 2
[probe]
every = "1d"
[activation]
canary = "1h"
[retire]
proof = "refused-or-expired"
every = "1d"
[retry]
first = "1h"
most = "4h"
"#;

pub(super) fn policy() -> Policy {
    Policy::from_toml("test", POLICY).unwrap()
}

pub(super) fn fingerprint() -> Fingerprint {
    Fingerprint::from_digest([7; 32])
}

/// `a/test a/production:one,two` names two destinations and two connectors.
pub(super) fn scope(text: &str) -> Scope {
    let mut scope = Scope::default();
    for word in text.split_whitespace() {
        let (destination, connectors) = word.split_once(':').unwrap_or((word, ""));
        let destination: Destination = destination.parse().unwrap();
        for connector in connectors.split(',').filter(|name| !name.is_empty()) {
            scope
                .connectors
                .insert(connector.parse().unwrap(), destination.clone());
        }
        scope.destinations.push(destination);
    }
    scope.destinations.sort();
    scope
}

pub(super) fn start() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// The facts so far, newest first; shared between the many futures of one past.
struct Past {
    event: Event,
    before: Option<Rc<Self>>,
}

#[derive(Clone)]
pub(super) struct State {
    pub(super) rotation: Rotation,
    pub(super) now: Timestamp,
    /// What the configuration wants.
    pub(super) scope: Scope,
    past: Rc<Past>,
    /// Connectors that did get the old generation back.
    restored: BTreeSet<ConnectorName>,
    /// How much has gone otherwise than in the story.
    pub(super) mishaps: usize,
}

/// What may come of a step, apart from a crash.
pub(super) const OUTCOMES: usize = 6;

impl State {
    pub(super) fn planned(from: Option<u32>, scope: Scope) -> Self {
        let number = |n: u32| n.to_string().parse::<GenerationNumber>().unwrap();
        let event = Event {
            at: start(),
            fact: Fact::Planned {
                identity: "jira".parse().unwrap(),
                from: from.map(number),
                to: number(from.map_or(1, |n| n + 1)),
                reason: RotationReason::Scheduled,
                scope: scope.clone(),
            },
        };
        Self {
            rotation: Rotation::begin(&event).unwrap(),
            now: start(),
            scope,
            past: Rc::new(Past {
                event,
                before: None,
            }),
            restored: BTreeSet::new(),
            mishaps: 0,
        }
    }

    pub(super) fn old_not_after(&self) -> Option<Timestamp> {
        self.rotation.from.map(|_| Lapse::days(30).after(start()))
    }

    pub(super) fn decision(&self, policy: &Policy) -> Decision {
        let facts = Facts {
            scope: self.scope.clone(),
            old_not_after: self.old_not_after(),
        };
        decide(&self.rotation, &facts, policy, self.now)
    }

    pub(super) fn history(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut past = Some(&self.past);
        while let Some(one) = past {
            events.push(one.event.clone());
            past = one.before.as_ref();
        }
        events.reverse();
        events
    }

    pub(super) fn has_expired(&self) -> bool {
        self.old_not_after().is_some_and(|end| end < self.now)
    }

    /// One more thing went otherwise.
    pub(super) fn mishap(self) -> Self {
        Self {
            mishaps: self.mishaps + 1,
            ..self
        }
    }

    /// The same at another time.
    pub(super) fn at(&self, now: Timestamp) -> Self {
        Self {
            now,
            ..self.clone()
        }
    }

    fn told(&self) -> String {
        let lines: Vec<_> = self
            .history()
            .iter()
            .map(|event| format!("{} {}", event.at, event.fact))
            .collect();
        lines.join("\n")
    }

    #[track_caller]
    pub(super) fn fail(&self, why: &str) -> ! {
        panic!(
            "{why}\nnow {}: {:#?}\n{}",
            self.now,
            self.decision(&policy()),
            self.told()
        )
    }

    /// What is known afterwards, when that can happen at all.
    pub(super) fn noted(&self, fact: Fact) -> Option<Self> {
        let event = Event { at: self.now, fact };
        let rotation = self.rotation.clone().after(&event).ok()?;
        let mut after = Self {
            rotation,
            past: Rc::new(Past {
                event,
                before: Some(self.past.clone()),
            }),
            ..self.clone()
        };
        if let Fact::Succeeded {
            step: Step::RollBack { connector },
            ..
        } = &after.past.event.fact
        {
            after.restored.insert(connector.clone());
        }
        after.check();
        Some(after)
    }

    #[track_caller]
    pub(super) fn must(&self, fact: Fact) -> Self {
        let words = fact.to_string();
        self.noted(fact)
            .unwrap_or_else(|| self.fail(&format!("this cannot be noted: {words}")))
    }

    /// Noted by the driver before it acts; a step in doubt is not noted again.
    #[track_caller]
    pub(super) fn started(&self, step: &Step) -> Self {
        if self.rotation.in_doubt.as_ref() == Some(step) {
            return self.clone();
        }
        self.must(Fact::Started { step: step.clone() })
    }

    /// The step ends in one of its ways: 0 is the best.
    pub(super) fn ended(&self, step: &Step, outcome: usize) -> Option<Self> {
        let failed = |kind| Fact::Failed {
            step: step.clone(),
            failure: Failure {
                kind,
                message: "it did not work".to_owned(),
                remedy: "mend it".to_owned(),
                owner: Role::Ops,
            },
        };
        let fact = match outcome {
            0..=3 => Fact::Succeeded {
                step: step.clone(),
                output: self.output(step, outcome)?,
            },
            4 => failed(FailureKind::Transient),
            _ => failed(FailureKind::Permanent),
        };
        Some(self.must(fact))
    }

    /// The step ends in its best way, but takes a while: what it saw is that old when it is noted.
    #[track_caller]
    pub(super) fn ended_after(&self, step: &Step, took: Lapse) -> Self {
        let fact = Fact::Succeeded {
            step: step.clone(),
            output: self.output(step, 0).unwrap(),
        };
        self.at(took.after(self.now)).must(fact)
    }

    fn output(&self, step: &Step, way: usize) -> Option<Output> {
        let report = |verdict| Output::Probed {
            report: Box::new(self.report(verdict)),
        };
        Some(match (step, way) {
            (Step::Prepare, 0) => Output::Prepared {
                fingerprint: fingerprint(),
                not_after: Lapse::days(400).after(start()),
            },
            (Step::Prepare, 1) => Output::Requested,
            (Step::Probe { .. }, 0) => report(Verdict::Accepted),
            (Step::Probe { .. }, 1) => report(Verdict::Rejected),
            (Step::Probe { .. }, 2) => report(Verdict::Unreachable),
            (Step::Probe { destination }, 3) => {
                self.rotation.legs.get(destination)?.waiver(Gate::Probe)?;
                Output::ProbeSpared {
                    basis: Basis::NotRequired,
                }
            }
            (Step::ProveRefusal { .. }, 0) => report(Verdict::Rejected),
            (Step::ProveRefusal { .. }, 1) => report(Verdict::Accepted),
            (Step::ProveRefusal { .. }, 2) => report(Verdict::Inconclusive),
            (Step::ProveRefusal { .. }, 3) => self.has_expired().then_some(Output::Expired)?,
            (Step::Confirm { destination }, 0) => {
                let evidence = self
                    .rotation
                    .legs
                    .get(destination)?
                    .acknowledgement
                    .is_some();
                let basis = match evidence {
                    true => Basis::Evidence,
                    false => Basis::Waived {
                        by: "Ann".to_owned(),
                        reason: "known".to_owned(),
                    },
                };
                Output::Confirmed { basis }
            }
            (Step::Publish { connector } | Step::RollBack { connector }, 0) => Output::Published {
                activation: Box::new(Activation {
                    connector: connector.clone(),
                    generation: self.rotation.to(),
                    fingerprint: fingerprint(),
                    applied: AppliedBy::Reloaded {
                        outcome: "status 0".to_owned(),
                    },
                    at: self.now,
                }),
            },
            (Step::Activate { .. } | Step::Destroy | Step::Discard, 0) => Output::Done,
            (
                Step::Offer { .. }
                | Step::Remind { .. }
                | Step::Notify { .. }
                | Step::Withdraw { .. },
                0,
            ) => Output::Sent {
                letter: SentLetter {
                    message_id: MessageId::from_header("<a@b>"),
                    kind: LetterKind::Offer,
                    to: vec!["sec@acme.example".parse().unwrap()],
                    encrypted: false,
                    server_reply: "250 OK".to_owned(),
                    at: self.now,
                },
            },
            _ => return None,
        })
    }

    fn report(&self, verdict: Verdict) -> ProbeReport {
        ProbeReport {
            probe_id: "p".to_owned(),
            at: self.now,
            url: "https://jira.acme.example".to_owned(),
            presented: Some(fingerprint()),
            verdict,
            tier: Tier::ClientCertificate,
            summary: format!("{verdict}"),
            owner: None,
            remedy: None,
            addresses: vec![AddressEvidence {
                address: "192.0.2.1:443".parse().unwrap(),
                verdict,
                tier: Tier::ClientCertificate,
                tls_version: None,
                cipher_suite: None,
                server_chain: Vec::new(),
                certificate_requested: Some(true),
                authority_hints: 0,
                authority_hints_name_ours: None,
                alert: None,
                http_status: None,
                headers: Default::default(),
                explanation: String::new(),
                other_chain: None,
            }],
            controls: Vec::new(),
            verbs: Vec::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn acknowledged(&self, destination: &Destination) -> Fact {
        Fact::Acknowledged {
            acknowledgement: Acknowledgement {
                destination: destination.clone(),
                fingerprint: fingerprint(),
                contact: "sec@acme.example".parse().unwrap(),
                channel: Channel::CodeReply {
                    message_id: MessageId::from_header("<r@b>"),
                },
                at: self.now,
            },
        }
    }

    /// What must hold in every state that can be reached. See DESIGN.md section 3.
    fn check(&self) {
        let rotation = &self.rotation;
        for (connector, leg) in &rotation.connectors {
            let gates = &rotation.legs[&leg.destination];
            if leg.switched.is_some() && !gates.may_activate() {
                self.fail(&format!("{connector} was switched behind shut gates"));
            }
        }
        for (destination, leg) in &rotation.legs {
            if let Some((_, Basis::Evidence)) = leg.confirmed
                && leg.acknowledgement.is_none()
            {
                self.fail(&format!("{destination} is confirmed without evidence"));
            }
            if leg.activated.is_some()
                && rotation
                    .connectors_at(destination)
                    .any(|(_, c)| c.activation.is_none())
                && leg.retired.is_none()
            {
                self.fail(&format!(
                    "{destination} is active, a connector there is not"
                ));
            }
            if leg.reminders.len() > 2 {
                self.fail(&format!(
                    "{destination} was reminded more often than the policy says"
                ));
            }
            if let Some((_, RetireBasis::Refused)) = leg.retired
                && !leg
                    .refusal
                    .as_ref()
                    .is_some_and(|r| r.report.verdict == Verdict::Rejected)
            {
                self.fail(&format!("{destination} is retired without a refusal"));
            }
        }
        let Some((_, outcome)) = rotation.outcome else {
            return;
        };
        let counted = || rotation.active_legs().map(|(_, leg)| leg);
        match outcome {
            Outcome::Completed => {
                if rotation.from.is_some() && counted().any(|leg| leg.retired.is_none()) {
                    self.fail("the old key was destroyed where it is still trusted");
                }
                if counted().any(|leg| leg.activated.is_none()) {
                    self.fail("it ended before it was active");
                }
            }
            Outcome::Abandoned | Outcome::RolledBack => {
                if counted().any(|leg| leg.must_withdraw()) {
                    self.fail("a partner holds an offer that no longer stands");
                }
                let lost = rotation.connectors.iter().find(|(name, c)| {
                    rotation.from.is_some()
                        && c.switched.is_some()
                        && !c.left
                        && !self.restored.contains(*name)
                });
                if let Some((name, _)) = lost {
                    self.fail(&format!(
                        "the new key was destroyed, and {name} still presents it"
                    ));
                }
            }
        }
    }
}
