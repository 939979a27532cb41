//! What the log tells of a rotation's facts. Intents are the journal's business; the log tells what came about.

use super::{Action, Line, ProbeEvidence};
use crate::model::{
    AppliedBy, Destination, ProbeReport,
    rotation::{Basis, Fact, Gate, Output, Rotation, Step},
};

/// What is to be told of a fact that led from `before` to `after`.
///
/// Keys are told of where their records are written; here is what was said, seen and decided.
pub fn told(before: Option<&Rotation>, after: &Rotation, fact: &Fact) -> Vec<Action> {
    let rotation = after.id.clone();
    let mut actions: Vec<Action> = Vec::new();
    match fact {
        Fact::Planned { from, reason, .. } => actions.push(Action::RotationBegun {
            rotation: rotation.clone(),
            from: *from,
            reason: *reason,
        }),
        Fact::ScopeChanged { scope } => actions.push(Action::RotationRescoped {
            rotation: rotation.clone(),
            destinations: scope.destinations.clone(),
            connectors: scope.connectors.keys().cloned().collect(),
        }),
        Fact::Started { .. } | Fact::Failed { .. } | Fact::Held { .. } => {}
        Fact::Succeeded { step, output } => {
            actions.extend(succeeded(before, after, step, output));
        }
        Fact::Imported {
            fingerprint,
            not_after,
        } => actions.push(Action::CertificateImported {
            rotation: rotation.clone(),
            certificate: *fingerprint,
            not_after: *not_after,
        }),
        Fact::Adopted {
            fingerprint,
            not_after,
            by,
            leniencies,
        } => actions.push(Action::CertificateAdopted {
            rotation: rotation.clone(),
            certificate: *fingerprint,
            not_after: *not_after,
            claimed_by: by.as_str().into(),
            leniencies: leniencies.iter().map(|rule| rule.as_str().into()).collect(),
        }),
        Fact::ClaimProbed {
            destination,
            report,
        } => actions.push(Action::ClaimProbed {
            rotation: rotation.clone(),
            destination: destination.clone(),
            probe: in_short(report),
        }),
        Fact::Acknowledged { acknowledgement } => actions.push(Action::Acknowledged {
            rotation: rotation.clone(),
            acknowledgement: acknowledgement.clone(),
        }),
        Fact::Declined {
            destination,
            contact,
            reason,
        } => actions.push(Action::Declined {
            rotation: rotation.clone(),
            destination: destination.clone(),
            contact: contact.clone(),
            reason: reason.as_str().into(),
        }),
        Fact::Waived {
            destination,
            gate,
            by,
            reason,
        } => actions.push(Action::Waived {
            rotation: rotation.clone(),
            destination: destination.clone(),
            gate: *gate,
            decided_by: by.as_str().into(),
            reason: reason.as_str().into(),
        }),
        Fact::Decided {
            decision,
            by,
            reason,
        } => actions.push(Action::Decided {
            rotation: rotation.clone(),
            decision: decision.clone(),
            decided_by: by.as_str().into(),
            reason: reason.as_str().into(),
        }),
    }
    if let (None, Some((_, outcome))) = (before.and_then(|r| r.outcome), after.outcome) {
        actions.push(Action::RotationEnded { rotation, outcome });
    }
    actions
}

fn succeeded(
    before: Option<&Rotation>,
    after: &Rotation,
    step: &Step,
    output: &Output,
) -> Option<Action> {
    let rotation = after.id.clone();
    match (step, output) {
        (_, Output::Sent { letter }) => Some(Action::LetterSent {
            rotation,
            kind: letter.kind,
            message_id: letter.message_id.clone(),
            to: letter.to.clone(),
            encrypted: letter.encrypted,
            reply: letter.server_reply.as_str().into(),
        }),
        (Step::Confirm { destination }, Output::Confirmed { basis }) => Some(Action::GateOpened {
            rotation,
            destination: destination.clone(),
            gate: Gate::Acknowledgement,
            basis: basis.clone(),
            probe: None,
        }),
        (Step::Probe { destination }, output) => probed(before, after, destination, output),
        (
            Step::Publish { connector } | Step::RollBack { connector },
            Output::Published { activation },
        ) => Some(Action::ConnectorSwitched {
            rotation,
            connector: connector.clone(),
            generation: activation.generation,
            certificate: activation.fingerprint,
            evidence: match &activation.applied {
                AppliedBy::Reported { report } => format!(
                    "it reported {} handshakes with it, and no connection with an earlier one",
                    report.handshakes
                )
                .into(),
                AppliedBy::Reloaded { outcome } => outcome.as_str().into(),
            },
        }),
        (Step::Activate { destination }, Output::Done) => Some(Action::CutOver {
            rotation,
            destination: destination.clone(),
        }),
        (Step::ProveRefusal { destination }, output) => {
            let retired = |rotation: &Rotation| rotation.legs.get(destination)?.retired;
            let (_, basis) = retired(after).filter(|_| before.and_then(retired).is_none())?;
            Some(Action::Retired {
                rotation,
                destination: destination.clone(),
                basis,
                probe: evidence(output),
            })
        }
        _ => None,
    }
}

/// A probe is told of when it moves the gate; one that only finds what was found before is the journal's business.
fn probed(
    before: Option<&Rotation>,
    after: &Rotation,
    destination: &Destination,
    output: &Output,
) -> Option<Action> {
    let proven = |rotation: &Rotation| -> Option<Basis> {
        Some(rotation.legs.get(destination)?.proven.clone()?.1)
    };
    let (rotation, destination) = (after.id.clone(), destination.clone());
    let (gate, probe) = (Gate::Probe, evidence(output));
    match (before.and_then(proven), proven(after)) {
        (None, Some(basis)) => Some(Action::GateOpened {
            rotation,
            destination,
            gate,
            basis,
            probe,
        }),
        (Some(_), None) => Some(Action::GateShut {
            rotation,
            destination,
            gate,
            probe,
        }),
        _ => None,
    }
}

fn in_short(report: &ProbeReport) -> ProbeEvidence {
    ProbeEvidence {
        id: report.probe_id.as_str().into(),
        verdict: report.verdict,
        summary: Line::from(report.summary.as_str()),
    }
}

fn evidence(output: &Output) -> Option<ProbeEvidence> {
    match output {
        Output::Probed { report } => Some(in_short(report)),
        _ => None,
    }
}
