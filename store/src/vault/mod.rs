//! The keys derived from the master key, and what they seal.
//!
//! Whatever is stored is a byte for the layout, the number of the master key (its *epoch*), a nonce,
//! and one sealed part. Its associated data are the layout, the epoch, what kind of thing it is, and
//! the engine's key that it lies under; what it is called is inside, and is compared with what was
//! asked for.
//!
//! | key | value |
//! |---|---|
//! | `V` id | a record or an event, headed by its name |
//! | `N` id | a node of the index |
//! | `T` | the root: the top of the index, and how many transactions there have been |
//! | `C` | the canary |
//!
//! Ids are random: which values belong together, and in what order they were written, is not to be seen.
//!
//! A vault may hold two master keys: while the master key is being replaced, what the old one sealed
//! is still opened, and everything that is written is sealed under the new one.

mod sealed;
mod value;

use std::sync::Arc;

use zeroize::Zeroizing;

pub(crate) use sealed::{Resealing, Root, node_key};
pub use value::{Entry, Record};
pub(crate) use value::{Opened, value_key};

use crate::crypto::{self, NONCE, Nonce, SecretKey, framed, pad, unpad};
use crate::error::Fault;
use crate::error::Result;

const LAYOUT: u8 = 2;
const BLOCK: usize = 256;
const HEAD: usize = 1 + 2;

pub(crate) const ROOT_KEY: &[u8] = b"T";
pub(crate) const CANARY_KEY: &[u8] = b"C";
pub(crate) const VALUE_PREFIX: &[u8] = b"V";
pub(crate) const NODE_PREFIX: &[u8] = b"N";

/// The number of a master key: 1 for the first, one more for each that replaces it.
pub(crate) type Epoch = u16;

/// What is sealed under one master key.
struct Keys {
    epoch: Epoch,
    values: SecretKey,
    index: SecretKey,
}

#[derive(Clone)]
pub(crate) struct Vault {
    /// Ascending by epoch, never empty.
    epochs: Vec<Arc<Keys>>,
}

impl Vault {
    /// A vault with the first master key of a store.
    pub(crate) fn new(master: &SecretKey, epoch: Epoch, store: &[u8]) -> Self {
        Self {
            epochs: vec![Arc::new(Keys {
                epoch,
                values: master.derive(store, "countersign store 2 values"),
                index: master.derive(store, "countersign store 2 index"),
            })],
        }
    }

    /// This vault with one master key more.
    pub(crate) fn with(&self, master: &SecretKey, epoch: Epoch, store: &[u8]) -> Self {
        let mut epochs = self.epochs.clone();
        epochs.retain(|keys| keys.epoch != epoch);
        epochs.extend(Self::new(master, epoch, store).epochs);
        epochs.sort_unstable_by_key(|keys| keys.epoch);
        Self { epochs }
    }

    /// This vault with its newest master key alone.
    pub(crate) fn newest_alone(&self) -> Self {
        Self {
            epochs: self.epochs.last().cloned().into_iter().collect(),
        }
    }

    /// The epoch that everything is sealed under now.
    pub(crate) fn newest(&self) -> Epoch {
        self.keys().epoch
    }

    fn keys(&self) -> &Keys {
        // There is one from the beginning, and none is taken away but for a newer one.
        self.epochs.last().expect("a vault has at least one key")
    }

    fn seal(
        &self,
        use_of: fn(&Keys) -> &SecretKey,
        kind: &[u8],
        place: &[u8],
        text: &[u8],
    ) -> Result<(Nonce, Vec<u8>)> {
        let keys = self.keys();
        let head = head(keys.epoch);
        let nonce = crypto::nonce()?;
        let mut sealed = pad(text, BLOCK);
        use_of(keys).seal(&nonce, &framed(&[kind, &head, place]), &mut sealed)?;
        Ok((nonce, [&head[..], &nonce, &sealed].concat()))
    }

    fn open(
        &self,
        use_of: fn(&Keys) -> &SecretKey,
        kind: &[u8],
        place: &[u8],
        value: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (head, rest) = value.split_first_chunk::<HEAD>().ok_or(Fault::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(Fault::Malformed)?;
        let [LAYOUT, epoch @ ..] = *head else {
            return Err(Fault::Malformed);
        };
        let epoch = Epoch::from_be_bytes(epoch);
        let keys = self.epochs.iter().find(|keys| keys.epoch == epoch);
        let key = use_of(keys.ok_or(Fault::UnknownKey)?);
        let text = key.open(nonce, &framed(&[kind, head, place]), sealed)?;
        Ok(Zeroizing::new(unpad(&text)?.to_vec()))
    }
}

fn head(epoch: Epoch) -> [u8; HEAD] {
    let [high, low] = epoch.to_be_bytes();
    [LAYOUT, high, low]
}

/// The epoch under which a value says that it is sealed.
pub(crate) fn epoch_of(value: &[u8]) -> Option<Epoch> {
    let [LAYOUT, high, low] = *value.first_chunk::<HEAD>()? else {
        return None;
    };
    Some(Epoch::from_be_bytes([high, low]))
}

/// The nonce that a value was sealed with, if it is laid out as one.
pub(crate) fn nonce_of(value: &[u8]) -> Option<&[u8; NONCE]> {
    value.get(HEAD..)?.first_chunk()
}
