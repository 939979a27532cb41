//! What holds the store together: the nodes of the index, the root, and the canary.

use zeroize::Zeroizing;

use super::{CANARY_KEY, Epoch, NODE_PREFIX, ROOT_KEY, Vault};
use crate::crypto::Nonce;
use crate::error::{Damage, Fault, Place, Result};
use crate::index::{Id, Node, Pointer, Top};

/// What the store as a whole contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Root {
    /// How many transactions there have been.
    pub(crate) transactions: u64,
    /// The index; none when nothing is stored.
    pub(crate) top: Option<Top>,
    /// How far everything is sealed anew under the newest master key.
    pub(crate) resealing: Resealing,
}

/// A pass over everything that is stored, in the order of the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resealing {
    /// Everything is sealed under this epoch or a later one.
    pub(crate) whole: Epoch,
    /// The epoch of a pass that is under way; 0 for none.
    pub(crate) towards: Epoch,
    /// The last key that the pass has come to.
    pub(crate) reached: Vec<u8>,
    /// What it could not seal anew, because it is damaged.
    pub(crate) skipped: u64,
}

pub(crate) fn node_key(id: &Id) -> Vec<u8> {
    [NODE_PREFIX, id].concat()
}

impl Vault {
    pub(crate) fn seal_node(&self, id: &Id, node: &Node) -> Result<(Nonce, Vec<u8>)> {
        self.seal(|keys| &keys.index, b"node", &node_key(id), &node.encode())
    }

    pub(crate) fn open_node(&self, key: &[u8], value: &[u8]) -> Result<Node, Fault> {
        let text = self.open(|keys| &keys.index, b"node", key, value)?;
        Node::decode(&text)
    }

    pub(crate) fn seal_root(&self, root: &Root) -> Result<(Nonce, Vec<u8>)> {
        let mut text = root.transactions.to_be_bytes().to_vec();
        match &root.top {
            None => text.push(0),
            Some(Top { to, count }) => {
                text.push(1);
                text.extend(to.id);
                text.extend(to.nonce);
                text.extend(count.to_be_bytes());
            }
        }
        let Resealing {
            whole,
            towards,
            reached,
            skipped,
        } = &root.resealing;
        text.extend(whole.to_be_bytes());
        text.extend(towards.to_be_bytes());
        text.extend(skipped.to_be_bytes());
        text.extend(reached);
        self.seal(|keys| &keys.index, b"root", ROOT_KEY, &text)
    }

    /// Opens the root; none is damage too.
    pub(crate) fn open_root(&self, value: Option<&[u8]>) -> Result<Root, Damage> {
        value
            .ok_or(Fault::Missing)
            .and_then(|value| {
                let text = self.open(|keys| &keys.index, b"root", ROOT_KEY, value)?;
                decode_root(&text).ok_or(Fault::Malformed)
            })
            .map_err(|fault| Damage {
                place: Place::Root,
                fault,
            })
    }

    pub(crate) fn seal_canary(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let (_, sealed) = self.seal(|keys| &keys.values, b"canary", CANARY_KEY, bytes)?;
        Ok(sealed)
    }

    pub(crate) fn open_canary(&self, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.open(|keys| &keys.values, b"canary", CANARY_KEY, value)
    }
}

fn decode_root(text: &[u8]) -> Option<Root> {
    let (transactions, rest) = text.split_first_chunk()?;
    let (top, rest) = match rest.split_first()? {
        (0, rest) => (None, rest),
        (1, rest) => {
            let (id, rest) = rest.split_first_chunk()?;
            let (nonce, rest) = rest.split_first_chunk()?;
            let (count, rest) = rest.split_first_chunk()?;
            let to = Pointer {
                id: *id,
                nonce: *nonce,
            };
            let count = u64::from_be_bytes(*count);
            (Some(Top { to, count }), rest)
        }
        _ => return None,
    };
    let (whole, rest) = rest.split_first_chunk()?;
    let (towards, rest) = rest.split_first_chunk()?;
    let (skipped, reached) = rest.split_first_chunk()?;
    Some(Root {
        transactions: u64::from_be_bytes(*transactions),
        top,
        resealing: Resealing {
            whole: Epoch::from_be_bytes(*whole),
            towards: Epoch::from_be_bytes(*towards),
            reached: reached.to_vec(),
            skipped: u64::from_be_bytes(*skipped),
        },
    })
}
