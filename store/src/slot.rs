//! Slots: the master key, sealed once for each secret that may open the store.
//!
//! A slot is sealed with its own parameters as associated data, so that a slot whose cost or salt
//! was altered does not open. `init` makes one slot; the format holds several.

use serde::{Deserialize, Serialize};

use crate::crypto::{self, Nonce, SecretKey};
use crate::error::{Error, Result};
use crate::kdf::KdfCost;
use crate::secret::Unlock;

const SALT: usize = 16;

/// What a slot says of itself to who has no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Told apart from the others by this number.
    pub id: u32,
    /// What sort of secret opens it.
    pub kind: SlotKind,
}

/// What sort of secret opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// A passphrase.
    Passphrase,
    /// A key file.
    KeyFile,
}

impl std::fmt::Display for SlotKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase => "passphrase",
            Self::KeyFile => "key file",
        })
    }
}

/// One way to the master key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    /// Told apart from the others by this number; never used again after its slot is gone.
    pub(crate) id: u32,
    #[serde(with = "hex")]
    salt: [u8; SALT],
    method: Method,
    #[serde(with = "hex")]
    nonce: Nonce,
    #[serde(with = "hex")]
    sealed_key: Vec<u8>,
}

/// How the secret becomes the key that opens the slot.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Method {
    Passphrase { argon2id: KdfCost },
    KeyFile,
}

impl Slot {
    /// Seals `master` so that `unlock` opens it.
    pub(crate) fn seal(
        id: u32,
        master: &SecretKey,
        unlock: &Unlock,
        cost: KdfCost,
        store: &[u8],
    ) -> Result<Self> {
        let method = match unlock {
            Unlock::Passphrase(passphrase) if passphrase.is_empty() => {
                return Err(Error::EmptyPassphrase);
            }
            Unlock::Passphrase(_) => Method::Passphrase { argon2id: cost },
            Unlock::KeyFile(_) => Method::KeyFile,
        };
        let mut salt = [0; SALT];
        crypto::fill(&mut salt)?;
        let nonce = crypto::nonce()?;
        let mut slot = Self {
            id,
            salt,
            method,
            nonce,
            sealed_key: Vec::new(),
        };
        if let Some(key) = slot.key(unlock)? {
            let mut text = Vec::with_capacity(SecretKey::BYTES + crypto::TAG);
            text.extend(master.as_bytes());
            key.seal(&slot.nonce, &slot.context(store), &mut text)?;
            slot.sealed_key = text;
        }
        Ok(slot)
    }

    /// What it says of itself.
    pub(crate) fn info(&self) -> SlotInfo {
        SlotInfo {
            id: self.id,
            kind: match self.method {
                Method::Passphrase { .. } => SlotKind::Passphrase,
                Method::KeyFile => SlotKind::KeyFile,
            },
        }
    }

    /// The master key, if `unlock` is this slot's secret.
    pub(crate) fn open(&self, unlock: &Unlock, store: &[u8]) -> Result<Option<SecretKey>> {
        Ok(self.key(unlock)?.and_then(|key| {
            let master = key
                .open(&self.nonce, &self.context(store), &self.sealed_key)
                .ok()?;
            SecretKey::from_slice(&master)
        }))
    }

    /// The key that opens this slot, if the secret is of its kind.
    fn key(&self, unlock: &Unlock) -> Result<Option<SecretKey>> {
        Ok(match (self.method, unlock) {
            (Method::Passphrase { argon2id }, Unlock::Passphrase(passphrase)) => {
                Some(argon2id.stretch(passphrase.as_bytes(), &self.salt)?)
            }
            (Method::KeyFile, Unlock::KeyFile(file)) => Some(crypto::derive(
                file.as_bytes(),
                &self.salt,
                "countersign store slot key file",
            )),
            (Method::Passphrase { .. }, _) | (Method::KeyFile, _) => None,
        })
    }

    fn context(&self, store: &[u8]) -> Vec<u8> {
        let id = self.id.to_be_bytes();
        let method = match self.method {
            Method::Passphrase { argon2id } => crypto::framed(&[b"argon2id", &argon2id.to_bytes()]),
            Method::KeyFile => crypto::framed(&[b"key file"]),
        };
        crypto::framed(&[b"countersign store slot", store, &id, &self.salt, &method])
    }
}
