//! The story of a rotation: a journal of facts, and the one function that says what they amount to.
//!
//! A rotation waits days for people and must survive any crash, so nothing about it is kept but the
//! facts, in order. [`Rotation::after`] is used alike by replay and by live work; a history that it
//! refuses is corruption, and is never repaired.
//!
//! State is kept per destination (partner × environment) and per connector, so that partners who
//! have acknowledged need not wait for those who have not; the [`Phase`] is derived.

mod adoption;
mod display;
mod fact;
mod leg;
mod obstacle;
mod state;
#[cfg(test)]
mod tests;
mod transition;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use fact::{
    Basis, Decision, Event, Fact, Failure, FailureKind, Gate, Output, RetireBasis, RotationReason,
    Scope, Step,
};
pub use leg::{ConnectorLeg, Declined, Leg, Probed, Waiver};
pub use state::{Ending, Outcome, Phase, PreparedCertificate, Rotation, Trouble};
pub use transition::IllegalTransition;

use super::{GenerationNumber, IdentityName, InvalidName};

/// A rotation is named by what it brings: `identity.generation`. So there cannot be two of one generation.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RotationId {
    /// Whose.
    pub identity: IdentityName,
    /// The generation that it brings.
    pub generation: GenerationNumber,
}

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.identity, self.generation))
    }
}

impl FromStr for RotationId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (identity, generation) = text.rsplit_once('.').ok_or_else(|| InvalidName {
            what: "a rotation (`identity.generation`)",
            text: super::one_line(text),
        })?;
        Ok(Self {
            identity: identity.parse()?,
            generation: generation.parse()?,
        })
    }
}

impl TryFrom<String> for RotationId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<RotationId> for String {
    fn from(id: RotationId) -> Self {
        id.to_string()
    }
}
