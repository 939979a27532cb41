//! What the facts amount to.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    RotationId,
    fact::{Decision, Failure, RotationReason, Step},
    leg::{ConnectorLeg, Leg},
};
use crate::model::{
    ConnectorName, Destination, Fingerprint, GenerationNumber, IdentityName, KeyState, Slots,
};

/// How far a rotation has come, as a past participle. Derived from the legs, never stored.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Intended, nothing made.
    Planned,
    /// The request waits for the partner's authority.
    Requested,
    /// Key and certificate are durable.
    Prepared,
    /// Every partner has been written to.
    Offered,
    /// Every partner has acknowledged, or a waiver stands for it.
    Confirmed,
    /// The wire has accepted the new generation everywhere.
    Proven,
    /// Every connector has been seen presenting the new generation.
    Activated,
    /// The old generation is refused everywhere, or has expired.
    Retired,
    /// The old key is destroyed. The end.
    Completed,
    /// Given up before it was active; the new key is destroyed. The end.
    Abandoned,
    /// The connectors have the old generation back; the new key is destroyed. The end.
    RolledBack,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Planned => "planned",
            Self::Requested => "requested",
            Self::Prepared => "prepared",
            Self::Offered => "offered",
            Self::Confirmed => "confirmed",
            Self::Proven => "proven",
            Self::Activated => "activated",
            Self::Retired => "retired",
            Self::Completed => "completed",
            Self::Abandoned => "abandoned",
            Self::RolledBack => "rolled back",
        })
    }
}

/// How a rotation ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new generation is current and the old key destroyed.
    Completed,
    /// Given up before activation.
    Abandoned,
    /// Given up after activation.
    RolledBack,
}

/// The certificate that a rotation brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PreparedCertificate {
    /// SHA-256 of the leaf.
    pub fingerprint: Fingerprint,
    /// Its end.
    pub not_after: Timestamp,
    /// When it became durable.
    pub at: Timestamp,
}

/// An operator's decision to stop.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// Abandon or roll back.
    pub decision: Decision,
    /// Who decided.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A step that fails.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// How often in a row.
    pub count: u32,
    /// The first of the row.
    pub since: Timestamp,
    /// The last of the row.
    pub last: Timestamp,
    /// Why, the last time.
    pub failure: Failure,
}

/// One key pair replacing another, everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    /// Its name.
    pub id: RotationId,
    /// What is replaced; `None` for the first generation of an identity.
    pub from: Option<GenerationNumber>,
    /// Why.
    pub reason: RotationReason,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// Since when a request waits for the partner's authority.
    pub requested: Option<Timestamp>,
    /// The new certificate.
    pub certificate: Option<PreparedCertificate>,
    /// Where it has to be trusted; test before production.
    pub legs: BTreeMap<Destination, Leg>,
    /// What has to present it.
    pub connectors: BTreeMap<ConnectorName, ConnectorLeg>,
    /// A step was started and its end is not known.
    pub in_doubt: Option<Step>,
    /// Steps that fail.
    pub troubles: BTreeMap<Step, Trouble>,
    /// Since when, and why, nothing is done before an operator has spoken.
    pub held: Option<(Timestamp, String)>,
    /// An operator wants it stopped.
    pub ending: Option<Ending>,
    /// The end.
    pub outcome: Option<(Timestamp, Outcome)>,
    /// When the last fact was noted.
    pub last_event: Timestamp,
}

impl Rotation {
    /// Whose.
    pub fn identity(&self) -> &IdentityName {
        &self.id.identity
    }

    /// The generation that it brings.
    pub fn to(&self) -> GenerationNumber {
        self.id.generation
    }

    /// The legs that still count.
    pub fn active_legs(&self) -> impl Iterator<Item = (&Destination, &Leg)> {
        self.legs.iter().filter(|(_, leg)| !leg.left)
    }

    /// The connectors at a destination that still count.
    pub fn connectors_at(
        &self,
        destination: &Destination,
    ) -> impl Iterator<Item = (&ConnectorName, &ConnectorLeg)> {
        self.connectors
            .iter()
            .filter(move |(_, c)| !c.left && c.destination == *destination)
    }

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        match self.outcome {
            Some((_, Outcome::Completed)) => return Phase::Completed,
            Some((_, Outcome::Abandoned)) => return Phase::Abandoned,
            Some((_, Outcome::RolledBack)) => return Phase::RolledBack,
            None => {}
        }
        if self.certificate.is_none() {
            return if self.requested.is_some() {
                Phase::Requested
            } else {
                Phase::Planned
            };
        }
        let all = |reached: fn(&Leg) -> bool| self.active_legs().all(|(_, leg)| reached(leg));
        // Nowhere to go is not the same as having arrived everywhere.
        if self.active_legs().next().is_none() || !all(|leg| leg.offer.is_some()) {
            Phase::Prepared
        } else if !all(|leg| leg.confirmed.is_some()) {
            Phase::Offered
        } else if !all(|leg| leg.proven.is_some()) {
            Phase::Confirmed
        } else if !all(|leg| leg.activated.is_some()) {
            Phase::Proven
        } else if !all(|leg| leg.retired.is_some()) {
            Phase::Activated
        } else {
            Phase::Retired
        }
    }

    /// Which generations the identity has in use, as far as this rotation goes.
    pub fn slots(&self) -> Slots {
        let (old, new) = (self.from, Some(self.to()));
        match self.phase() {
            Phase::Completed => Slots {
                current: new,
                next: None,
                previous: None,
            },
            Phase::Activated | Phase::Retired => Slots {
                current: new,
                next: None,
                previous: old,
            },
            Phase::Abandoned | Phase::RolledBack => Slots {
                current: old,
                next: None,
                previous: None,
            },
            _ => Slots {
                current: old,
                next: new,
                previous: None,
            },
        }
    }

    /// Where the new key stands (SP 800-57 part 1 §7): active from the first connector on.
    pub fn new_key_state(&self) -> KeyState {
        let presented = self.connectors.values().any(|c| c.switched.is_some())
            || self.legs.values().any(|leg| leg.activated.is_some());
        match self.phase() {
            Phase::Abandoned | Phase::RolledBack => KeyState::Destroyed,
            Phase::Completed => KeyState::Active,
            _ if presented => KeyState::Active,
            _ => KeyState::PreActivation,
        }
    }

    /// Where the old key stands: deactivated once nothing presents it, destroyed at the end.
    pub fn old_key_state(&self) -> KeyState {
        match self.phase() {
            Phase::Completed => KeyState::Destroyed,
            Phase::Activated | Phase::Retired => KeyState::Deactivated,
            _ => KeyState::Active,
        }
    }

    /// The generation that a connector is to be served: the new one from the moment its switch began.
    pub fn generation_for(&self, connector: &ConnectorName) -> Option<GenerationNumber> {
        let leg = self.connectors.get(connector)?;
        match (leg.switched, leg.rolled_back) {
            (Some(_), None) => Some(self.to()),
            _ => self.from,
        }
    }
}
