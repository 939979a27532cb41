//! What is known about one destination, and about one connector, of a rotation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fact::{Basis, Gate, RetireBasis};
use crate::model::{
    Acknowledgement, Activation, Destination, EmailAddress, ProbeReport, SentLetter,
};

/// A recorded decision to go on without evidence.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Waiver {
    /// Which gate.
    pub gate: Gate,
    /// Who decided.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A contact's refusal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Declined {
    /// Who.
    pub contact: EmailAddress,
    /// Why, in their words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What a probe saw.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// What it saw, and when it began.
    pub report: Box<ProbeReport>,
    /// When that was noted. The next one is due so long after this, however long this one took.
    pub noted: Timestamp,
}

/// A destination's part of a rotation.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Since when somebody says that the certificate is trusted there; nobody was asked.
    pub claimed: Option<Timestamp>,
    /// The accepted offer.
    pub offer: Option<SentLetter>,
    /// The rotation was given up while the offer was being sent: it may or may not have arrived.
    pub offer_in_doubt: bool,
    /// Reminders, in order.
    pub reminders: Vec<SentLetter>,
    /// The first acknowledgement.
    pub acknowledgement: Option<Acknowledgement>,
    /// The last refusal, unless an acknowledgement followed.
    pub declined: Option<Declined>,
    /// Decisions to go on without evidence.
    pub waivers: Vec<Waiver>,
    /// When and why the gate of acknowledgement opened.
    pub confirmed: Option<(Timestamp, Basis)>,
    /// The last probe with the new generation.
    pub probe: Option<Probed>,
    /// When and why the gate of the probe opened.
    pub proven: Option<(Timestamp, Basis)>,
    /// When the last connector there had been seen presenting the new generation.
    pub activated: Option<Timestamp>,
    /// The accepted notice that the old certificate may go.
    pub notice: Option<SentLetter>,
    /// The last probe with the old generation.
    pub refusal: Option<Probed>,
    /// When and why the old generation counted as gone.
    pub retired: Option<(Timestamp, RetireBasis)>,
    /// The accepted withdrawal of the offer.
    pub withdrawn: Option<SentLetter>,
    /// No longer in the configuration: nothing more is done there, and nothing waits for it.
    pub left: bool,
}

impl Leg {
    /// The waiver of a gate, if there is one.
    pub fn waiver(&self, gate: Gate) -> Option<&Waiver> {
        self.waivers.iter().find(|waiver| waiver.gate == gate)
    }

    /// The partner has, or may have, an offer that no longer stands and was not told so.
    pub fn must_withdraw(&self) -> bool {
        (self.offer.is_some() || self.offer_in_doubt) && self.withdrawn.is_none()
    }

    /// Both gates are open.
    pub fn may_activate(&self) -> bool {
        self.confirmed.is_some() && self.proven.is_some()
    }
}

/// A connector's part of a rotation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ConnectorLeg {
    /// Where it calls.
    pub destination: Destination,
    /// From here on it is served the new generation.
    pub switched: Option<Timestamp>,
    /// It was seen presenting it.
    pub activation: Option<Box<Activation>>,
    /// From here on it is served the old generation again.
    pub rolled_back: Option<Timestamp>,
    /// It was seen presenting the old generation again.
    pub restored: Option<Timestamp>,
    /// No longer in the configuration.
    pub left: bool,
}
