//! What happens to one key: the same three things name it, whatever it is that happens.

use serde::{Deserialize, Serialize};

use super::Action;
use crate::model::{GenerationNumber, IdentityName, KeyId, KeyState};

/// The key of a generation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct OneKey {
    /// Whose.
    pub identity: IdentityName,
    /// Which generation.
    pub generation: GenerationNumber,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: KeyId,
}

impl OneKey {
    /// What is to be told when this key has come into a state; nothing of one that is new: that it was made
    /// was told when it was made.
    pub fn moved_to(self, state: KeyState) -> Option<Action> {
        Some(match state {
            KeyState::PreActivation => return None,
            KeyState::Active => Action::KeyActivated(self),
            KeyState::Suspended => Action::KeySuspended(self),
            KeyState::Deactivated => Action::KeyDeactivated(self),
            KeyState::Compromised => Action::KeyCompromised(self),
            KeyState::Destroyed => Action::KeyDestroyed(self),
        })
    }
}
