//! Slots: each lets one secret open the store.
//!
//! ```text
//! secret ─(Argon2id, HKDF, a token)→ key ─opens→ private key and admission ─open→ master key of each epoch
//! ```
//!
//! The step in between is what lets the master key be replaced while the secrets are elsewhere:
//! who has the store open seals the new master key to the public half. The admission, which goes
//! into that, is also sealed under each master key, for the next time. Whoever knows an old master
//! key only can neither open the new one nor (without writing to the store's files) do anything else.
//!
//! A slot is sealed with its own parameters as associated data, so that a slot whose cost, salt or
//! public key was altered does not open.

mod attempt;
mod lockbox;
mod method;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{self, Nonce, SecretKey};
use crate::error::{Error, Result};
use crate::kdf::KdfCost;
use crate::secret::Unlock;
use crate::token::{Question, TokenKey};
use crate::vault::Epoch;
pub(crate) use attempt::Attempt;
use lockbox::{Lockbox, Opener};
use method::Method;

const SALT: usize = 16;

/// The longest label, in bytes.
const LONGEST_LABEL: usize = 100;

/// The master keys of a store, each with its epoch, ascending: one, or two while the master key is
/// being replaced.
pub(crate) type Masters = Vec<(Epoch, SecretKey)>;

/// What a slot says of itself to who has no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Told apart from the others by this number.
    pub id: u32,
    /// What people call it; empty when nobody gave it a name.
    pub label: String,
    /// When it was made, or its secret was last changed: seconds since 1970, if that was told.
    pub since: Option<i64>,
    /// What sort of secret opens it; `None` when the slot is damaged, and opens no more.
    pub kind: Option<SlotKind>,
    /// What a guess at its secret costs, if it can be guessed.
    pub cost: Option<KdfCost>,
    /// The key on a token that opens it, if one does.
    pub token: Option<TokenKey>,
}

/// What sort of secret opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// A passphrase that a person remembers.
    Passphrase,
    /// A passphrase that a service manager hands over.
    Credential,
    /// A key file.
    KeyFile,
    /// A private key on a PKCS#11 token.
    Token,
}

impl std::fmt::Display for SlotKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase => "passphrase",
            Self::Credential => "credential",
            Self::KeyFile => "key file",
            Self::Token => "token",
        })
    }
}

/// How a slot is made.
#[derive(Debug, Clone, Default)]
pub struct SlotOptions {
    /// What to call it, on one line; may be empty.
    pub label: String,
    /// Now, in seconds since 1970, if that is to be recorded.
    pub since: Option<i64>,
    /// What a guess at a passphrase costs; of no effect for a key file or a token.
    pub kdf: KdfCost,
}

/// One way to the master key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    /// Told apart from the others by this number; never used again after its slot is gone.
    pub(crate) id: u32,
    label: String,
    since: Option<i64>,
    method: Method,
    #[serde(with = "hex")]
    salt: [u8; SALT],
    /// The half of the key pair that master keys are sealed to.
    #[serde(with = "hex")]
    public: [u8; SecretKey::BYTES],
    /// The private key and the admission, under the key that is made of the secret.
    opener: Sealed,
    masters: Vec<Entrance>,
}

/// Something sealed under a key of 256 bits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    #[serde(with = "hex")]
    nonce: Nonce,
    #[serde(with = "hex")]
    text: Vec<u8>,
}

/// The way to one master key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entrance {
    epoch: Epoch,
    /// The master key, for who opens the slot.
    lockbox: Lockbox,
    /// The admission, for who has the master key.
    admission: Sealed,
}

impl Slot {
    /// Makes a slot that `unlock` opens.
    pub(crate) fn seal(
        id: u32,
        masters: &[(Epoch, SecretKey)],
        unlock: &Unlock,
        options: &SlotOptions,
        store: &[u8],
    ) -> Result<Self> {
        if unlock.is_empty() {
            return Err(Error::EmptyPassphrase);
        }
        let label = options.label.clone();
        if label.len() > LONGEST_LABEL || label.chars().any(char::is_control) {
            return Err(Error::SlotLabel {
                limit: LONGEST_LABEL,
            });
        }
        let mut salt = [0; SALT];
        crypto::fill(&mut salt)?;
        let (method, key) = Method::for_new(unlock, options.kdf, &salt)?;
        let (opener, public) = Opener::random()?;
        let mut slot = Self {
            id,
            label,
            since: options.since,
            method,
            salt,
            public,
            opener: Sealed {
                nonce: crypto::nonce()?,
                text: Vec::new(),
            },
            masters: Vec::new(),
        };
        let mut text = Vec::with_capacity(2 * SecretKey::BYTES + crypto::TAG);
        text.extend(opener.private.as_bytes());
        text.extend(opener.admission.as_bytes());
        key.seal(&slot.opener.nonce, &slot.context(store), &mut text)?;
        slot.opener.text = text;
        for (epoch, master) in masters {
            slot.let_in(*epoch, master, &opener.admission, store)?;
        }
        Ok(slot)
    }

    /// What it says of itself.
    pub(crate) fn info(&self) -> SlotInfo {
        SlotInfo {
            id: self.id,
            label: self.label.clone(),
            since: self.since,
            kind: Some(self.method.kind()),
            cost: self.method.cost(),
            token: self.method.token_key().cloned(),
        }
    }

    /// What a token is to be asked, if it is a token that opens this slot.
    pub(crate) fn question(&self) -> Option<Question<'_>> {
        self.method.token_key().map(|key| Question {
            slot: self.id,
            key,
            salt: &self.salt,
        })
    }

    /// The master keys, if it is this slot's secret that is tried.
    pub(crate) fn open(&self, attempt: &Attempt<'_>, store: &[u8]) -> Result<Option<Masters>> {
        let Some(key) = self.method.key(attempt, self.id, &self.salt)? else {
            return Ok(None);
        };
        let Ok(text) = key.open(&self.opener.nonce, &self.context(store), &self.opener.text) else {
            return Ok(None);
        };
        let Some(opener) = opener(&text) else {
            return Ok(None);
        };
        let opened = self.masters.iter().map(|entrance| {
            let context = self.master_context(entrance.epoch, store);
            let master = entrance.lockbox.open(&opener, &context)?;
            Some((entrance.epoch, master))
        });
        Ok(opened.collect())
    }

    /// Seals one more master key to this slot, whose secret is not at hand; `known` is a master key that
    /// the slot has already.
    pub(crate) fn admit(
        &mut self,
        known: (Epoch, &SecretKey),
        new: (Epoch, &SecretKey),
        store: &[u8],
    ) -> Result<()> {
        let (epoch, master) = known;
        let unusable = || Error::SlotUnusable { id: self.id };
        let entrance = self
            .masters
            .iter()
            .find(|entrance| entrance.epoch == epoch)
            .ok_or_else(unusable)?;
        let Sealed { nonce, text } = &entrance.admission;
        let context = self.master_context(epoch, store);
        let admission = admission_key(master, store)
            .open(nonce, &context, text)
            .ok()
            .and_then(|bytes| SecretKey::from_slice(&bytes))
            .ok_or_else(unusable)?;
        let (epoch, master) = new;
        self.let_in(epoch, master, &admission, store)
    }

    /// Takes away every master key but that of `epoch`.
    pub(crate) fn keep_only(&mut self, epoch: Epoch) {
        self.masters.retain(|entrance| entrance.epoch == epoch);
    }

    fn let_in(
        &mut self,
        epoch: Epoch,
        master: &SecretKey,
        admission: &SecretKey,
        store: &[u8],
    ) -> Result<()> {
        let context = self.master_context(epoch, store);
        let lockbox = Lockbox::seal(&self.public, admission, &context, master)
            .ok_or(Error::SlotUnusable { id: self.id })?;
        let nonce = crypto::nonce()?;
        let mut text = Vec::with_capacity(SecretKey::BYTES + crypto::TAG);
        text.extend(admission.as_bytes());
        admission_key(master, store).seal(&nonce, &context, &mut text)?;
        self.masters.retain(|entrance| entrance.epoch != epoch);
        self.masters.push(Entrance {
            epoch,
            lockbox,
            admission: Sealed { nonce, text },
        });
        self.masters.sort_by_key(|entrance| entrance.epoch);
        Ok(())
    }

    fn context(&self, store: &[u8]) -> Vec<u8> {
        crypto::framed(&[
            b"countersign store 2 slot",
            store,
            &self.id.to_be_bytes(),
            &self.salt,
            &self.method.context(),
            &self.public,
        ])
    }

    fn master_context(&self, epoch: Epoch, store: &[u8]) -> Vec<u8> {
        crypto::framed(&[
            b"countersign store 2 slot master",
            store,
            &self.id.to_be_bytes(),
            &self.public,
            &epoch.to_be_bytes(),
        ])
    }
}

fn opener(text: &Zeroizing<Vec<u8>>) -> Option<Opener> {
    let (private, admission) = text.split_at_checked(SecretKey::BYTES)?;
    Some(Opener {
        private: SecretKey::from_slice(private)?,
        admission: SecretKey::from_slice(admission)?,
    })
}

fn admission_key(master: &SecretKey, store: &[u8]) -> SecretKey {
    master.derive(store, "countersign store 2 slot admissions")
}
