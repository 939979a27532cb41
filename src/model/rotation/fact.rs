//! What is journalled: facts, never instructions. A step is an imperative, a fact is in the past.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    Acknowledgement, Activation, ConnectorName, Destination, EmailAddress, Fingerprint,
    GenerationNumber, IdentityName, ProbeReport, Role, SentLetter,
};

/// Something to do. Every step may be run twice under the same name without harm.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// Make the key pair and have it certified, or write the request for the partner's authority.
    Prepare,
    /// Send the certificate to the partner's security people.
    Offer {
        /// Where it is to be trusted.
        destination: Destination,
    },
    /// Ask again.
    Remind {
        /// Who has not answered.
        destination: Destination,
        /// Which reminder, from 1.
        number: u32,
    },
    /// Weigh the evidence and open the gate.
    Confirm {
        /// Whose evidence.
        destination: Destination,
    },
    /// Present the new generation on the wire.
    Probe {
        /// Where.
        destination: Destination,
    },
    /// Hand the new generation to a running connector and see it in use.
    Publish {
        /// Which.
        connector: ConnectorName,
    },
    /// Cut over: every connector there has been seen presenting the new generation.
    Activate {
        /// Where.
        destination: Destination,
    },
    /// Tell the partner that the old certificate may be removed.
    Notify {
        /// Whom.
        destination: Destination,
    },
    /// Present the old generation and see it refused.
    ProveRefusal {
        /// Where.
        destination: Destination,
    },
    /// Destroy the old private key.
    Destroy,
    /// Give a connector the old generation back.
    RollBack {
        /// Which.
        connector: ConnectorName,
    },
    /// Tell the partner that the offer no longer stands.
    Withdraw {
        /// Whom.
        destination: Destination,
    },
    /// Destroy the new private key, which will not be used.
    Discard,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepare => f.write_str("prepare key and certificate"),
            Self::Offer { destination } => write!(f, "offer the certificate to {destination}"),
            Self::Remind {
                destination,
                number,
            } => write!(f, "send reminder {number} to {destination}"),
            Self::Confirm { destination } => {
                write!(f, "confirm the acknowledgement of {destination}")
            }
            Self::Probe { destination } => {
                write!(f, "probe {destination} with the new certificate")
            }
            Self::Publish { connector } => write!(f, "publish to connector {connector}"),
            Self::Activate { destination } => write!(f, "activate at {destination}"),
            Self::Notify { destination } => {
                write!(f, "tell {destination} that the old certificate may go")
            }
            Self::ProveRefusal { destination } => {
                write!(f, "probe {destination} with the old certificate")
            }
            Self::Destroy => f.write_str("destroy the old key"),
            Self::RollBack { connector } => write!(f, "roll connector {connector} back"),
            Self::Withdraw { destination } => write!(f, "withdraw the offer to {destination}"),
            Self::Discard => f.write_str("destroy the new key"),
        }
    }
}

/// Why a rotation was planned.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RotationReason {
    /// The first generation of an identity.
    Initial,
    /// The lead times say that it is time.
    Scheduled,
    /// An operator asked for it.
    Requested,
    /// Key and certificate were in use already, and were taken in.
    Adopted,
}

impl fmt::Display for RotationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Initial => "first generation",
            Self::Scheduled => "scheduled",
            Self::Requested => "requested by an operator",
            Self::Adopted => "adopted from outside",
        })
    }
}

/// What a rotation has to reach.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// Where the identity is trusted.
    pub destinations: Vec<Destination>,
    /// Which connectors present it, and where they call.
    pub connectors: BTreeMap<ConnectorName, Destination>,
}

/// A condition of cutting over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// A named contact accepted the fingerprint.
    Acknowledgement,
    /// The wire accepted the certificate.
    Probe,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Acknowledgement => "acknowledgement",
            Self::Probe => "probe",
        })
    }
}

/// On what ground a gate was opened.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "basis")]
pub enum Basis {
    /// The evidence is on file.
    Evidence,
    /// The policy does not ask for it.
    NotRequired,
    /// A named person decided.
    Waived {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// On what ground the old generation counts as gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetireBasis {
    /// The wire refused it.
    Refused,
    /// Its certificate has expired.
    Expired,
    /// Its key is gone, since the store was restored: nobody of us can present it any more.
    KeyGone,
}

/// What a step brought about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "output")]
pub enum Output {
    /// A request lies ready for the partner's authority.
    Requested,
    /// Key and certificate are durable.
    Prepared {
        /// The certificate.
        fingerprint: Fingerprint,
        /// Its end.
        not_after: Timestamp,
    },
    /// A mail server has accepted a letter.
    Sent {
        /// Which.
        letter: SentLetter,
    },
    /// The gate of acknowledgement is open.
    Confirmed {
        /// Why.
        basis: Basis,
    },
    /// The wire was asked.
    Probed {
        /// What it said.
        report: Box<ProbeReport>,
    },
    /// The gate of the probe is open without the wire being asked.
    ProbeSpared {
        /// Why.
        basis: Basis,
    },
    /// A connector presents the generation.
    Published {
        /// How we know.
        activation: Box<Activation>,
    },
    /// Done; there is nothing to add.
    Done,
    /// The old certificate has expired, so nobody need be asked.
    Expired,
    /// The old key was gone before it was refused, so nobody can be asked.
    KeyGone,
}

/// What a failure calls for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Trying again later may help.
    Transient,
    /// Somebody has to change something first.
    Permanent,
}

/// Why a step did not succeed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether waiting can help.
    pub kind: FailureKind,
    /// What happened, with its causes, on one line.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Who can.
    pub owner: Role,
}

/// What an operator may decide about a rotation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "decision")]
pub enum Decision {
    /// Stop, withdraw what was offered, destroy the new key.
    Abandon,
    /// Give the connectors the old generation back, then as with abandoning.
    RollBack,
    /// Try a failed step again now.
    Retry,
}

/// One entry of the journal. Readers accept every form that was ever written.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fact")]
pub enum Fact {
    /// The rotation exists from here on.
    Planned {
        /// Whose.
        identity: IdentityName,
        /// The generation that is replaced, if there is one.
        from: Option<GenerationNumber>,
        /// The generation that it brings.
        to: GenerationNumber,
        /// Why.
        reason: RotationReason,
        /// What has to be reached.
        scope: Scope,
    },
    /// The configuration has changed what has to be reached.
    ScopeChanged {
        /// What has to be reached now.
        scope: Scope,
    },
    /// A step is about to be run. Until its end is noted it is in doubt.
    Started {
        /// Which.
        step: Step,
    },
    /// The step that was started has succeeded.
    Succeeded {
        /// Which.
        step: Step,
        /// What it brought about.
        output: Output,
    },
    /// The step that was started has failed.
    Failed {
        /// Which.
        step: Step,
        /// Why.
        failure: Failure,
    },
    /// The certificate that the partner's authority issued was imported.
    Imported {
        /// The certificate.
        fingerprint: Fingerprint,
        /// Its end.
        not_after: Timestamp,
    },
    /// A key that was made elsewhere was taken in with its certificate, which is current from here on. That the
    /// two belong together was proven; that the destinations trust it was claimed.
    Adopted {
        /// The certificate.
        fingerprint: Fingerprint,
        /// Its end.
        not_after: Timestamp,
        /// Who says that it is in use.
        by: String,
        /// The rules that it breaks, which its successor will have to keep.
        leniencies: Vec<String>,
    },
    /// The wire was asked about a certificate whose being trusted was only claimed.
    ClaimProbed {
        /// Where.
        destination: Destination,
        /// What it said.
        report: Box<ProbeReport>,
    },
    /// A contact accepted the certificate.
    Acknowledged {
        /// The evidence.
        acknowledgement: Acknowledgement,
    },
    /// A contact refused the certificate.
    Declined {
        /// Where.
        destination: Destination,
        /// Who.
        contact: EmailAddress,
        /// Why, in their words, bounded.
        reason: String,
    },
    /// A named person opened a gate without evidence.
    Waived {
        /// Where.
        destination: Destination,
        /// Which gate.
        gate: Gate,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The rotation may have gone further than is known here: nothing is done before an operator says `retry`.
    Held {
        /// Why, in a sentence.
        why: String,
    },
    /// An operator decided.
    Decided {
        /// What.
        decision: Decision,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// A fact and when it was noted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was noted.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}
