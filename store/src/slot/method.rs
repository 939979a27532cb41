//! How a secret becomes the key that opens a slot.

use serde::{Deserialize, Serialize};

use super::SlotKind;
use crate::crypto::{self, SecretKey, framed};
use crate::error::Result;
use crate::kdf::KdfCost;
use crate::secret::Unlock;

/// What sort of secret a slot has, with what is needed to make a key of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Method {
    Passphrase { argon2id: KdfCost },
    Credential { argon2id: KdfCost },
    KeyFile,
}

impl Method {
    /// The method for a new slot with this secret.
    pub(crate) fn for_new(unlock: &Unlock, cost: KdfCost) -> Self {
        match unlock {
            Unlock::Passphrase(_) => Self::Passphrase { argon2id: cost },
            Unlock::Credential(_) => Self::Credential { argon2id: cost },
            Unlock::KeyFile(_) => Self::KeyFile,
        }
    }

    pub(crate) fn kind(&self) -> SlotKind {
        match self {
            Self::Passphrase { .. } => SlotKind::Passphrase,
            Self::Credential { .. } => SlotKind::Credential,
            Self::KeyFile => SlotKind::KeyFile,
        }
    }

    /// What a guess costs, if the secret can be guessed.
    pub(crate) fn cost(&self) -> Option<KdfCost> {
        match self {
            Self::Passphrase { argon2id } | Self::Credential { argon2id } => Some(*argon2id),
            Self::KeyFile => None,
        }
    }

    /// The key that opens the slot, if the secret is of its kind. A text opens slots for passphrases and
    /// for credentials: where it was read from says nothing of what it is.
    pub(crate) fn key(&self, unlock: &Unlock, salt: &[u8]) -> Result<Option<SecretKey>> {
        Ok(match (self, unlock) {
            (
                Self::Passphrase { argon2id } | Self::Credential { argon2id },
                Unlock::Passphrase(text) | Unlock::Credential(text),
            ) => Some(argon2id.stretch(text.as_bytes(), salt)?),
            (Self::KeyFile, Unlock::KeyFile(file)) => Some(crypto::derive(
                file.as_bytes(),
                salt,
                "countersign store slot key file",
            )),
            (Self::Passphrase { .. } | Self::Credential { .. } | Self::KeyFile, _) => None,
        })
    }

    /// This method as bytes, to be bound to what it guards.
    pub(crate) fn context(&self) -> Vec<u8> {
        match self {
            Self::Passphrase { argon2id } => framed(&[b"passphrase", &argon2id.to_bytes()]),
            Self::Credential { argon2id } => framed(&[b"credential", &argon2id.to_bytes()]),
            Self::KeyFile => framed(&[b"key file"]),
        }
    }
}
