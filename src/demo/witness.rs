//! Hears every fact of the rotations as it is noted, and tells it.

use jiff::Timestamp;
use tokio::sync::watch;

use super::tale::Tale;
use crate::{
    model::{
        AppliedBy, Channel, LetterKind,
        rotation::{Basis, Fact, FailureKind, Output, Phase, Rotation, Step},
    },
    rotation::Observer,
};

/// How far the story has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Offers that are noted as sent; an answer to one that is not would answer nothing.
    pub(super) offers: u32,
    /// The last generation that is in service, with its predecessor destroyed.
    pub(super) completed: u32,
    /// A step that will not succeed by itself.
    pub(super) stuck: Option<Stuck>,
}

/// A step that will not succeed by itself.
#[derive(Clone, Debug)]
pub(super) struct Stuck {
    /// Of which generation.
    pub(super) generation: u32,
    /// Which.
    pub(super) step: String,
    /// Why.
    pub(super) message: String,
    /// What would help.
    pub(super) remedy: String,
}

/// Listens to the daemon.
pub(super) struct Witness {
    tale: Tale,
    progress: watch::Sender<Progress>,
}

impl Witness {
    /// One who tells it here, and whoever follows `progress`.
    pub(super) fn new(tale: Tale) -> (Self, watch::Receiver<Progress>) {
        let (progress, follower) = watch::channel(Progress::default());
        (Self { tale, progress }, follower)
    }

    fn note(&self, rotation: &Rotation, fact: &Fact) {
        let generation = rotation.to().count();
        self.progress.send_modify(|progress| match fact {
            Fact::Succeeded {
                step: Step::Offer { .. },
                ..
            } => progress.offers += 1,
            Fact::Failed { step, failure } if failure.kind == FailureKind::Permanent => {
                progress.stuck = Some(Stuck {
                    generation,
                    step: step.to_string(),
                    message: failure.message.clone(),
                    remedy: failure.remedy.clone(),
                });
            }
            _ if rotation.phase() == Phase::Completed => progress.completed = generation,
            _ => {}
        });
    }
}

impl Observer for Witness {
    fn noted(&self, rotation: &Rotation, _: Timestamp, fact: &Fact) {
        if let Some(what) = told(rotation, fact) {
            self.tale
                .say("daemon", &format!("[{}] {what}", rotation.to()));
        }
        self.note(rotation, fact);
    }
}

/// A fact in a sentence; `None` for what only the journal needs.
fn told(rotation: &Rotation, fact: &Fact) -> Option<String> {
    let line = match fact {
        Fact::Started { .. } => return None,
        Fact::Succeeded { step, output } => succeeded(rotation, step, output),
        Fact::Acknowledged { acknowledgement } => format!(
            "{} acknowledges {} for {}, {}",
            acknowledgement.contact,
            acknowledgement.fingerprint.short(),
            acknowledgement.destination,
            match acknowledgement.channel {
                Channel::SignedReply { .. } => "signed with the certificate on file",
                Channel::CodeReply { .. } => "with the code of our letter",
                Channel::Operator { .. } => "as one of us typed",
            }
        ),
        other => other.to_string(),
    };
    Some(line)
}

fn succeeded(rotation: &Rotation, step: &Step, output: &Output) -> String {
    match (step, output) {
        (
            _,
            Output::Prepared {
                fingerprint,
                not_after,
            },
        ) => format!(
            "key and certificate {} are in the store, valid until {}",
            fingerprint.short(),
            not_after.strftime("%Y-%m-%d")
        ),
        (_, Output::Sent { letter }) => format!(
            "{} sent to {}, signed{}",
            match letter.kind {
                LetterKind::Offer => "offer",
                LetterKind::Reminder => "reminder",
                LetterKind::Withdrawal => "withdrawal",
                LetterKind::RemovalNotice => "removal notice",
            },
            letter
                .to
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            if letter.encrypted {
                " and encrypted"
            } else {
                ""
            }
        ),
        (
            _,
            Output::Confirmed {
                basis: Basis::Evidence,
            },
        ) => "the acknowledgement is confirmed".to_owned(),
        (Step::ProveRefusal { .. }, Output::Probed { report }) => format!(
            "probe with the old certificate: {} ({})",
            report.verdict, report.summary
        ),
        (_, Output::Probed { report }) => format!(
            "probe with the new certificate: {} ({})",
            report.verdict, report.summary
        ),
        (_, Output::Published { activation }) => match &activation.applied {
            AppliedBy::Reported { report } => format!(
                "connector {} presents {}; full handshakes with it: {}, connections with an earlier one: {}",
                activation.connector,
                activation.fingerprint.short(),
                report.handshakes,
                report.open_previous
            ),
            AppliedBy::Reloaded { outcome } => {
                format!("connector {} was reloaded: {outcome}", activation.connector)
            }
        },
        (Step::Activate { destination }, _) => format!("active at {destination}"),
        (Step::Destroy, _) => match rotation.from {
            Some(from) => format!("the key of generation {from} is destroyed"),
            None => "in service; there is no old key to destroy".to_owned(),
        },
        (step, _) => format!("done: {step}"),
    }
}
