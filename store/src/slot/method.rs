//! How a secret becomes the key that opens a slot.

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::{SALT, SlotKind};
use crate::crypto::{self, SecretKey, framed};
use crate::error::Result;
use crate::kdf::KdfCost;
use crate::secret::{KeyFile, Unlock};
use crate::token::TokenKey;

/// What sort of secret a slot has, with what is needed to make a key of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Method {
    Passphrase { argon2id: KdfCost },
    Credential { argon2id: KdfCost },
    KeyFile,
    Token { key: Box<TokenKey> },
}

impl Method {
    /// The method for a new slot with this secret and salt, and the key that opens it.
    pub(crate) fn for_new(
        unlock: &Unlock,
        cost: KdfCost,
        salt: &[u8; SALT],
    ) -> Result<(Self, SecretKey)> {
        Ok(match unlock {
            Unlock::Passphrase(text) => (
                Self::Passphrase { argon2id: cost },
                cost.stretch(text.as_bytes(), salt)?,
            ),
            Unlock::Credential(text) => (
                Self::Credential { argon2id: cost },
                cost.stretch(text.as_bytes(), salt)?,
            ),
            Unlock::KeyFile(file) => (Self::KeyFile, of_key_file(file, salt)),
            Unlock::Token(token) => {
                let (key, answer) = token.enroll(salt)?;
                let key = Box::new(key);
                (Self::Token { key }, of_token(&answer, salt))
            }
        })
    }

    pub(crate) fn kind(&self) -> SlotKind {
        match self {
            Self::Passphrase { .. } => SlotKind::Passphrase,
            Self::Credential { .. } => SlotKind::Credential,
            Self::KeyFile => SlotKind::KeyFile,
            Self::Token { .. } => SlotKind::Token,
        }
    }

    /// What a guess costs, if the secret can be guessed.
    pub(crate) fn cost(&self) -> Option<KdfCost> {
        match self {
            Self::Passphrase { argon2id } | Self::Credential { argon2id } => Some(*argon2id),
            Self::KeyFile | Self::Token { .. } => None,
        }
    }

    /// The key on a token, if it is a token that opens the slot.
    pub(crate) fn token_key(&self) -> Option<&TokenKey> {
        match self {
            Self::Token { key } => Some(key),
            Self::Passphrase { .. } | Self::Credential { .. } | Self::KeyFile => None,
        }
    }

    /// The key that opens the slot, if the secret is of its kind. A text opens slots for passphrases and
    /// for credentials: where it was read from says nothing of what it is.
    pub(crate) fn key(
        &self,
        attempt: &Attempt<'_>,
        slot: u32,
        salt: &[u8; SALT],
    ) -> Result<Option<SecretKey>> {
        Ok(match (self, attempt.unlock) {
            (
                Self::Passphrase { argon2id } | Self::Credential { argon2id },
                Unlock::Passphrase(text) | Unlock::Credential(text),
            ) => Some(argon2id.stretch(text.as_bytes(), salt)?),
            (Self::KeyFile, Unlock::KeyFile(file)) => Some(of_key_file(file, salt)),
            (Self::Token { .. }, Unlock::Token(_)) => {
                attempt.answer(slot).map(|answer| of_token(answer, salt))
            }
            (
                Self::Passphrase { .. }
                | Self::Credential { .. }
                | Self::KeyFile
                | Self::Token { .. },
                _,
            ) => None,
        })
    }

    /// This method as bytes, to be bound to what it guards.
    pub(crate) fn context(&self) -> Vec<u8> {
        match self {
            Self::Passphrase { argon2id } => framed(&[b"passphrase", &argon2id.to_bytes()]),
            Self::Credential { argon2id } => framed(&[b"credential", &argon2id.to_bytes()]),
            Self::KeyFile => framed(&[b"key file"]),
            Self::Token { key } => framed(&[b"token", &key.context()]),
        }
    }
}

fn of_key_file(file: &KeyFile, salt: &[u8]) -> SecretKey {
    crypto::derive(file.as_bytes(), salt, "countersign store slot key file")
}

fn of_token(answer: &[u8], salt: &[u8]) -> SecretKey {
    crypto::derive(answer, salt, "countersign store slot token")
}
