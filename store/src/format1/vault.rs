//! What each kind of stored value looked like in format 1, sealed, and under which key it is found.
//!
//! Engine keys are keyed hashes of the names, so that they can be computed by who has the master
//! key and tell nothing to who has not:
//!
//! | key | value |
//! |---|---|
//! | `R` H(collection) H(collection, id) | a record: label (version, id) and content, sealed apart |
//! | `J` H(stream) sequence (64-bit big-endian) | one event |
//! | `S` H(collection or stream) | its summary: name, count, tally |
//! | `T` | the root: transactions so far, count and tally of the summaries |
//! | `C` | the canary |
//!
//! A value is a version byte, a nonce, and one or two sealed parts. Each part is padded and has as
//! associated data everything that its place says about it. A record's label is sealed apart from
//! its content (under another key, so that one nonce serves both) so that damage to the content
//! leaves a name to report, and a listing by prefix need not decrypt what it will not return.
//!
//! The *tally* of a collection is the exclusive or of one keyed hash for each value in it, taken
//! over the value's key, nonce and tag. It costs the same to keep for ten records as for a million,
//! and changes whenever a value is removed, added or replaced, by an older self too. Nobody without
//! the key knows any of the hashes, and the tally is itself sealed, so it cannot be steered.

use zeroize::Zeroizing;

use crate::crypto::{NONCE, SecretKey, TAG, framed, unpad};
use crate::error::{Damage, Fault, Place, Result};
use crate::vault::{Entry, Record};

const LAYOUT: u8 = 1;
const HASH: usize = 32;

/// How many bytes the keys of one group's values have in common.
pub(super) const GROUP_PREFIX: usize = 1 + HASH;

pub(super) const ROOT_KEY: &[u8] = b"T";
pub(super) const CANARY_KEY: &[u8] = b"C";
pub(super) const SUMMARY_PREFIX: &[u8] = b"S";

/// What a record says of itself: enough to list it.
pub(super) struct Label {
    pub(super) id: String,
    pub(super) version: u64,
}

/// What has a summary: a collection of records, or a journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Collection(String),
    Stream(String),
}

impl Group {
    fn tag_and_name(&self) -> (&'static [u8], &str) {
        match self {
            Self::Collection(name) => (b"R", name),
            Self::Stream(name) => (b"J", name),
        }
    }

    /// The group as a whole, as a place of damage.
    pub(super) fn place(&self) -> Place {
        match self.clone() {
            Self::Collection(collection) => Place::Collection { collection },
            Self::Stream(stream) => Place::Journal { stream },
        }
    }
}

/// How many values a group has, and which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    sum: [u8; HASH],
}

impl Tally {
    pub(super) fn add(&mut self, fingerprint: &[u8; HASH]) {
        self.count = self.count.wrapping_add(1);
        self.toggle(fingerprint);
    }

    fn toggle(&mut self, fingerprint: &[u8; HASH]) {
        for (sum, byte) in self.sum.iter_mut().zip(fingerprint) {
            *sum ^= byte;
        }
    }
}

/// What the store as a whole contains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Root {
    /// How many transactions there have been.
    pub(super) transactions: u64,
    /// The tally of all summaries.
    pub(super) summaries: Tally,
}

/// The keys derived from the master key, and what they seal.
pub(super) struct Vault {
    names: SecretKey,
    labels: SecretKey,
    contents: SecretKey,
    tallies: SecretKey,
}

impl Vault {
    pub(super) fn new(master: &SecretKey, store: &[u8]) -> Self {
        Self {
            names: master.derive(store, "countersign store names"),
            labels: master.derive(store, "countersign store labels"),
            contents: master.derive(store, "countersign store contents"),
            tallies: master.derive(store, "countersign store tallies"),
        }
    }

    // === Keys ===

    /// What the keys of a group's values begin with.
    pub(super) fn prefix(&self, group: &Group) -> Vec<u8> {
        let (tag, name) = group.tag_and_name();
        let hash = self.names.hash(&[tag, name.as_bytes()]);
        [tag, &hash].concat()
    }

    /// What stands for this value in a tally.
    pub(super) fn fingerprint(&self, key: &[u8], value: &[u8]) -> [u8; HASH] {
        let nonce = value.get(..1 + NONCE).unwrap_or(value);
        let tag = value.last_chunk::<TAG>().map_or(value, |tag| tag);
        self.tallies.hash(&[key, nonce, tag])
    }

    // === Records ===

    /// Reads what the record under `key` says of itself.
    pub(super) fn open_label(
        &self,
        collection: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<Label, Damage> {
        split_record(value)
            .and_then(|Parts { nonce, label, .. }| {
                let padded = self
                    .labels
                    .open(nonce, &label_context(collection, key), label)?;
                let (version, id) = unpad(&padded)?
                    .split_first_chunk()
                    .ok_or(Fault::Malformed)?;
                let id = String::from_utf8(id.to_vec()).map_err(|_| Fault::Malformed)?;
                Ok(Label {
                    id,
                    version: u64::from_be_bytes(*version),
                })
            })
            .map_err(|fault| Damage {
                place: Place::Unnamed {
                    collection: collection.to_owned(),
                    key: hex::encode(key),
                },
                fault,
            })
    }

    /// Opens the record under `key`.
    pub(super) fn open_record(
        &self,
        collection: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<Record, Damage> {
        let Label { id, version } = self.open_label(collection, key, value)?;
        split_record(value)
            .and_then(|Parts { nonce, content, .. }| {
                let context = content_context(collection, &id, version);
                let padded = self.contents.open(nonce, &context, content)?;
                Ok(Zeroizing::new(unpad(&padded)?.to_vec()))
            })
            .map(|bytes| Record {
                id: id.clone(),
                version,
                bytes,
            })
            .map_err(|fault| Damage {
                place: Place::Record {
                    collection: collection.to_owned(),
                    id,
                },
                fault,
            })
    }

    // === Events ===

    /// Opens the event that was found under `key` in `stream`.
    pub(super) fn open_entry(
        &self,
        stream: &str,
        sequence: u64,
        value: &[u8],
    ) -> Result<Entry, Damage> {
        self.open(&entry_context(stream, sequence), value)
            .map(|bytes| Entry { sequence, bytes })
            .map_err(|fault| Damage {
                place: Place::Entry {
                    stream: stream.to_owned(),
                    sequence,
                },
                fault,
            })
    }

    // === What the whole contains ===

    pub(super) fn open_summary(&self, key: &[u8], value: &[u8]) -> Result<(Group, Tally), Damage> {
        self.open(&summary_context(key), value)
            .and_then(|text| {
                let (tag, rest) = text.split_first().ok_or(Fault::Malformed)?;
                let (tally, name) = split_tally(rest)?;
                let name = String::from_utf8(name.to_vec()).map_err(|_| Fault::Malformed)?;
                match tag {
                    b'R' => Ok((Group::Collection(name), tally)),
                    b'J' => Ok((Group::Stream(name), tally)),
                    _ => Err(Fault::Malformed),
                }
            })
            .map_err(|fault| Damage {
                place: Place::Summary {
                    key: hex::encode(key),
                },
                fault,
            })
    }

    /// Opens the root; none is damage too.
    pub(super) fn open_root(&self, value: Option<&[u8]>) -> Result<Root, Damage> {
        value
            .ok_or(Fault::Missing)
            .and_then(|value| {
                let text = self.open(&framed(&[b"root", &[LAYOUT]]), value)?;
                let (transactions, rest) = text.split_first_chunk().ok_or(Fault::Malformed)?;
                let (summaries, _) = split_tally(rest)?;
                Ok(Root {
                    transactions: u64::from_be_bytes(*transactions),
                    summaries,
                })
            })
            .map_err(|fault| Damage {
                place: Place::Root,
                fault,
            })
    }

    fn open(&self, context: &[u8], value: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (nonce, content) = split(value)?;
        let padded = self.contents.open(nonce, context, content)?;
        Ok(Zeroizing::new(unpad(&padded)?.to_vec()))
    }
}

fn split(value: &[u8]) -> Result<(&[u8; NONCE], &[u8]), Fault> {
    match value.split_first() {
        Some((&LAYOUT, rest)) => rest.split_first_chunk().ok_or(Fault::Malformed),
        _ => Err(Fault::Malformed),
    }
}

/// The parts of a record's value, label and content still sealed.
struct Parts<'v> {
    nonce: &'v [u8; NONCE],
    label: &'v [u8],
    content: &'v [u8],
}

fn split_record(value: &[u8]) -> Result<Parts<'_>, Fault> {
    let (nonce, rest) = split(value)?;
    let (length, rest) = rest.split_first_chunk().ok_or(Fault::Malformed)?;
    let (label, content) = rest
        .split_at_checked(u32::from_be_bytes(*length) as usize)
        .ok_or(Fault::Malformed)?;
    Ok(Parts {
        nonce,
        label,
        content,
    })
}

fn split_tally(bytes: &[u8]) -> Result<(Tally, &[u8]), Fault> {
    let (count, rest) = bytes.split_first_chunk().ok_or(Fault::Malformed)?;
    let (sum, rest) = rest.split_first_chunk().ok_or(Fault::Malformed)?;
    Ok((
        Tally {
            count: u64::from_be_bytes(*count),
            sum: *sum,
        },
        rest,
    ))
}

// Associated data: the layout and everything that the place of a value says about it. The first
// part tells the kinds apart.

fn label_context(collection: &str, key: &[u8]) -> Vec<u8> {
    framed(&[b"label", &[LAYOUT], collection.as_bytes(), key])
}

fn content_context(collection: &str, id: &str, version: u64) -> Vec<u8> {
    let version = version.to_be_bytes();
    framed(&[
        b"record",
        &[LAYOUT],
        collection.as_bytes(),
        id.as_bytes(),
        &version,
    ])
}

fn entry_context(stream: &str, sequence: u64) -> Vec<u8> {
    framed(&[
        b"event",
        &[LAYOUT],
        stream.as_bytes(),
        &sequence.to_be_bytes(),
    ])
}

fn summary_context(key: &[u8]) -> Vec<u8> {
    framed(&[b"summary", &[LAYOUT], key])
}
