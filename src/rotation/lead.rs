//! When the next rotation of an identity begins: arithmetic for people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    model::{Generation, Identity},
    policy::Policy,
};

/// Where an identity stands in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "due")]
pub enum Due {
    /// It has no generation in force, and none is being made.
    Never,
    /// A rotation is in progress.
    InProgress,
    /// The lead times say: not before.
    At {
        /// When the next rotation begins.
        begins: Timestamp,
    },
    /// The lead times say: now.
    Now {
        /// When it should have begun.
        since: Timestamp,
    },
}

/// Whether the next rotation of an identity has to begin.
pub fn due(
    identity: &Identity,
    current: Option<&Generation>,
    policy: &Policy,
    now: Timestamp,
) -> Due {
    if identity.rotation.is_some() {
        return Due::InProgress;
    }
    let Some(leaf) = current.and_then(|generation| generation.leaf.as_ref()) else {
        return Due::Never;
    };
    let begins = policy.lead_time.begin_by(leaf.validity.not_after());
    if begins <= now {
        Due::Now { since: begins }
    } else {
        Due::At { begins }
    }
}
