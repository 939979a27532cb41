//! What can be asked about the secrets that open the store.
//!
//! The secrets themselves are not in these values: they travel beside them, in buffers that are wiped, so
//! that nothing that is written as JSON, printed or logged can hold one.

mod rekey;
mod slots;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Service, ServiceError};
use crate::{
    model::audit::{Actor, Author},
    records::Unlock,
};

/// Something about the store's secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum KeyringRequest {
    /// Open the store of a sealed daemon. One secret comes with it: what opens the store.
    Unlock,
    /// Close the store, and wait for a secret.
    Seal,
    /// Which slots there are.
    Slots,
    /// Let one more secret open the store. It comes with the request.
    SlotAdd {
        /// What to call the slot.
        label: String,
    },
    /// Give a slot another secret, which comes with the request.
    SlotChange {
        /// Its number.
        id: u32,
        /// What to call it from now on; what it was called when nothing is said.
        label: Option<String>,
        /// The secret is the one that the slot has already: seal it at the present cost.
        same_secret: bool,
    },
    /// Let the secret of a slot open the store no more.
    SlotRemove {
        /// Its number.
        id: u32,
    },
    /// Replace the master key, or go on with that.
    Rekey,
    /// How far replacing the master key is.
    RekeyProgress,
}

/// The answer. With `--json` it is printed as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum KeyringReply {
    /// The store is open and served.
    Unlocked {
        /// 1.
        schema: u32,
        /// Whether it was open before.
        already: bool,
    },
    /// The store is closed.
    Sealed {
        /// 1.
        schema: u32,
        /// Whether it was closed before.
        already: bool,
    },
    /// The slots.
    Slots(SlotsView),
    /// A slot was added, changed or removed.
    Slot {
        /// 1.
        schema: u32,
        /// What became of it.
        change: SlotChanged,
        /// The slot as it is, or was.
        slot: SlotView,
    },
    /// How far replacing the master key is.
    Rekey(RekeyView),
}

/// What became of a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum SlotChanged {
    Added,
    Changed,
    Removed,
}

/// All slots.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SlotsView {
    /// 1.
    pub schema: u32,
    /// Whether this is known from an open store; else it is what the header states.
    pub verified: bool,
    /// In the order in which they are tried.
    pub slots: Vec<SlotView>,
}

/// A slot.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SlotView {
    /// Its number.
    pub id: u32,
    /// `passphrase`, `credential`, `key-file` or `token`; `None` when the slot is damaged.
    pub kind: Option<String>,
    /// What people call it.
    pub label: String,
    /// When it was made, or its secret was last changed.
    pub since: Option<Timestamp>,
    /// What a guess at its secret costs; `None` when it cannot be guessed.
    pub cost: Option<CostView>,
    /// The key on a token that opens it; `None` for the other kinds.
    #[serde(default)]
    pub token: Option<Box<TokenView>>,
    /// What is wrong with it, in a sentence with what to do.
    pub caution: Option<String>,
}

/// A key on a PKCS#11 token.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct TokenView {
    /// What the token is called.
    pub token: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it.
    pub maker: String,
    /// Its model.
    pub model: String,
    /// What the key is called.
    pub key: String,
    /// `CKA_ID` of the key, in hexadecimal.
    pub id: String,
}

/// What a guess at a passphrase costs: Argon2id (RFC 9106).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CostView {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Degree of parallelism.
    pub lanes: u32,
}

/// How far replacing the master key is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RekeyView {
    /// 1.
    pub schema: u32,
    /// Where it stands.
    pub state: RekeyState,
    /// The number of the master key that everything is sealed under from now on.
    pub epoch: u16,
    /// Records and events that are sealed under it already.
    pub done: u64,
    /// All of them.
    pub total: u64,
    /// What could not be sealed anew.
    pub damage: Vec<String>,
}

/// Where replacing the master key stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RekeyState {
    /// The master key is not being replaced.
    Finished,
    /// Something is still sealed under the old one.
    UnderWay,
    /// Something that is damaged is still sealed under the old one, which is therefore kept.
    Obstructed,
}

impl Service {
    /// Answers a request about the store's secrets, which come with it.
    pub fn handle_keyring(
        &self,
        actor: Actor,
        request: KeyringRequest,
        secrets: Vec<Unlock>,
    ) -> Result<KeyringReply, ServiceError> {
        let by = |request| Author::new(actor).on(request);
        match request {
            KeyringRequest::Unlock | KeyringRequest::Seal => Err(ServiceError::failed(
                "only a daemon can be unlocked and sealed",
            )),
            KeyringRequest::Slots => Ok(KeyringReply::Slots(self.slots())),
            KeyringRequest::SlotAdd { label } => {
                self.add_slot(&by("store-slot-add"), label, &only(secrets)?)
            }
            KeyringRequest::SlotChange {
                id,
                label,
                same_secret,
            } => {
                let secret = only(secrets)?;
                self.change_slot(&by("store-slot-change"), id, label, same_secret, &secret)
            }
            KeyringRequest::SlotRemove { id } => self.remove_slot(&by("store-slot-remove"), id),
            KeyringRequest::Rekey => self
                .begin_rekey(&by("store-rekey"))
                .map(KeyringReply::Rekey),
            KeyringRequest::RekeyProgress => Ok(KeyringReply::Rekey(self.rekey_progress())),
        }
    }
}

fn only(mut secrets: Vec<Unlock>) -> Result<Unlock, ServiceError> {
    secrets
        .pop()
        .ok_or_else(|| ServiceError::failed("no secret came with the request"))
}
