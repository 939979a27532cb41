//! The header: which engine holds the records, and the slots that hold the master key.
//!
//! It is a small JSON file beside the engine, replaced as a whole. A checksum finds accidents before
//! any time is spent on a passphrase. An authentication code under a key derived from the newest
//! master key covers the head and, by their digests, all slots, so that nobody without a secret can
//! change the engine or a cost, or plant a slot, unnoticed.
//!
//! Each slot is on a line of its own and has a digest of its own in the head: damage to one slot is
//! contained to that slot, and the others still open.
//!
//! What it does not tell: that it is not an older header of the same store. A thief who put one
//! back, with a slot since removed, would need that slot's secret as well.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::crypto::SecretKey;
use crate::engine::EngineKind;
use crate::error::{Error, HeaderFault, Result};
use crate::files::{self, IoContext};
use crate::secret::Unlock;
use crate::slot::{Attempt, Masters, Slot, SlotInfo};
use crate::vault::Epoch;

/// The name of the header file in a store's directory.
pub(crate) const HEADER_FILE: &str = "store.json";

/// The format that this version writes, and opens; older ones are read by modules of their own.
pub const FORMAT: u32 = 2;

/// The largest header that is read.
const LIMIT: usize = 256 * 1024;

/// The most slots that there may be; each may cost a key derivation.
pub(crate) const MOST_SLOTS: usize = 32;

/// What the header says.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) engine: EngineKind,
    /// Random, and different for each store: the salt of every key derived from a master key.
    pub(crate) store_id: [u8; 16],
    /// The newest master key. While it replaces another, slots hold that other one, too.
    pub(crate) epoch: Epoch,
    /// The master key that is being replaced.
    pub(crate) retiring: Option<Epoch>,
    /// The number of the next slot: no number is given twice.
    pub(crate) next_slot: u32,
    pub(crate) slots: Vec<Held>,
}

/// A slot as the header holds it.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    Sound(Slot),
    /// Its bytes are not those that were written. Nothing is made of them; the next change of the header
    /// leaves an empty place.
    Damaged {
        id: u32,
        sha256: [u8; 32],
    },
}

impl Held {
    pub(crate) fn id(&self) -> u32 {
        match self {
            Self::Sound(slot) => slot.id,
            Self::Damaged { id, .. } => *id,
        }
    }

    /// The slot, if it is as it was written.
    pub(crate) fn sound(&self) -> Option<&Slot> {
        match self {
            Self::Sound(slot) => Some(slot),
            Self::Damaged { .. } => None,
        }
    }

    pub(crate) fn info(&self) -> SlotInfo {
        match self {
            Self::Sound(slot) => slot.info(),
            Self::Damaged { id, .. } => SlotInfo {
                id: *id,
                label: String::new(),
                since: None,
                kind: None,
                cost: None,
                token: None,
            },
        }
    }
}

/// What is authenticated.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    engine: EngineKind,
    #[serde(with = "hex")]
    store_id: [u8; 16],
    epoch: Epoch,
    retiring: Option<Epoch>,
    next_slot: u32,
    slots: Vec<SlotDigest>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotDigest {
    id: u32,
    #[serde(with = "hex")]
    sha256: [u8; 32],
}

/// The first line, closed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: u32,
    header: Head,
    #[serde(with = "hex")]
    sha256: [u8; 32],
    #[serde(with = "hex")]
    authentication: [u8; 32],
    /// None on the first line: each has a line of its own.
    slots: [(); 0],
}

/// Enough of any header, of whatever format, to say which format it is.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

/// What closes the array of slots, and the whole.
const END: &[u8] = b"]}";

impl Header {
    /// Whether there is a header in this directory.
    pub(crate) fn exists(dir: &Path) -> bool {
        dir.join(HEADER_FILE).symlink_metadata().is_ok()
    }

    /// The text of the header file. `master` is the newest master key.
    pub(crate) fn encode(&self, dir: &Path, master: &SecretKey) -> Result<Vec<u8>> {
        let path = dir.join(HEADER_FILE);
        let failed =
            |error| Err::<Vec<u8>, _>(std::io::Error::from(error)).while_trying("encode", &path);
        let mut digests = Vec::new();
        let mut lines = Vec::new();
        for held in &self.slots {
            let (id, sha256, line) = match held {
                Held::Damaged { id, sha256 } => (*id, *sha256, b"null".to_vec()),
                Held::Sound(slot) => {
                    let line = serde_json::to_vec(slot).or_else(failed)?;
                    (slot.id, Sha256::digest(&line).into(), line)
                }
            };
            digests.push(SlotDigest { id, sha256 });
            lines.push(line);
        }
        let head = Head {
            engine: self.engine,
            store_id: self.store_id,
            epoch: self.epoch,
            retiring: self.retiring,
            next_slot: self.next_slot,
            slots: digests,
        };
        let covered = covered(&head).or_else(failed)?;
        let envelope = Envelope {
            format: FORMAT,
            sha256: Sha256::digest(&covered).into(),
            authentication: authentication_key(master, &self.store_id).hash(&[&covered]),
            header: head,
            slots: [],
        };
        let mut text = serde_json::to_vec(&envelope).or_else(failed)?;
        text.truncate(text.len() - END.len());
        text.push(b'\n');
        text.extend(lines.join(&b",\n"[..]));
        text.push(b'\n');
        text.extend(END);
        text.push(b'\n');
        Ok(text)
    }
}

/// The bytes that the checksum and the authentication code cover.
fn covered(head: &Head) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&(FORMAT, head))
}

fn authentication_key(master: &SecretKey, store_id: &[u8]) -> SecretKey {
    master.derive(store_id, "countersign store header authentication")
}

/// A header as read: not to be trusted before [`open`](Self::open).
#[derive(Debug)]
pub(crate) struct Unverified {
    path: PathBuf,
    header: Header,
    /// What the authentication code is to cover.
    covered: Vec<u8>,
    authentication: [u8; 32],
}

impl Unverified {
    /// Reads the header of the store in `dir`; nothing is spent on a header that is broken.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(HEADER_FILE);
        match files::read_bounded(&path, LIMIT) {
            Ok(Some(text)) => Self::decode(dir, &text),
            Ok(None) => Err(Error::HeaderDamaged {
                path,
                fault: HeaderFault::TooLarge,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NotFound {
                path: dir.to_owned(),
            }),
            Err(error) => Err(error).while_trying("read", &path),
        }
    }

    /// Reads a header from its text.
    pub(crate) fn decode(dir: &Path, text: &[u8]) -> Result<Self> {
        let path = dir.join(HEADER_FILE);
        let damaged = |fault| Error::HeaderDamaged {
            path: path.clone(),
            fault,
        };
        let mut lines = text.split(|byte| *byte == b'\n');
        let first = [lines.next().unwrap_or_default(), END].concat();
        // Another format may be laid out in another way, but it is one JSON object.
        let any: AnyFormat = serde_json::from_slice(&first)
            .or_else(|_| serde_json::from_slice(text))
            .map_err(|_| damaged(HeaderFault::Malformed))?;
        if any.format > FORMAT {
            return Err(Error::NewerFormat {
                path: dir.to_owned(),
                found: any.format,
                supported: FORMAT,
            });
        }
        if (1..FORMAT).contains(&any.format) {
            return Err(Error::OlderFormat {
                path: dir.to_owned(),
                found: any.format,
                current: FORMAT,
            });
        }
        let Envelope {
            format: _,
            header: head,
            sha256,
            authentication,
            slots: [],
        } = serde_json::from_slice(&first).map_err(|_| damaged(HeaderFault::Malformed))?;
        if head.slots.len() > MOST_SLOTS {
            return Err(damaged(HeaderFault::Malformed));
        }
        let covered = covered(&head)
            .map_err(std::io::Error::from)
            .while_trying("encode", &path)?;
        if Sha256::digest(&covered).as_slice() != sha256 {
            return Err(damaged(HeaderFault::Checksum));
        }
        let lines: Vec<&[u8]> = lines
            .map(|line| line.strip_suffix(b",").unwrap_or(line))
            .collect();
        let slots = head.slots.iter().map(|digest| held(*digest, &lines));
        let header = Header {
            engine: head.engine,
            store_id: head.store_id,
            epoch: head.epoch,
            retiring: head.retiring,
            next_slot: head.next_slot,
            slots: slots.collect(),
        };
        Ok(Self {
            path,
            header,
            covered,
            authentication,
        })
    }

    /// What the slots say of themselves.
    pub(crate) fn slots(&self) -> Vec<SlotInfo> {
        self.header.slots.iter().map(Held::info).collect()
    }

    /// Finds the slot that `unlock` opens, and with its master key verifies the whole header.
    ///
    /// A wrong secret costs one derivation for each slot of its kind, whichever it resembles; the
    /// time tells nothing but how many there are, and the header says that anyway.
    pub(crate) fn open(self, dir: &Path, unlock: &Unlock) -> Result<(Header, Masters)> {
        let Self {
            path,
            header,
            covered,
            authentication,
        } = self;
        let attempt = Attempt::at(unlock, header.slots.iter().filter_map(Held::sound))?;
        for slot in header.slots.iter().filter_map(Held::sound) {
            let Some(masters) = slot.open(&attempt, &header.store_id)? else {
                continue;
            };
            let epochs: Vec<Epoch> = masters.iter().map(|(epoch, _)| *epoch).collect();
            let wanted: Vec<Epoch> = header.retiring.into_iter().chain([header.epoch]).collect();
            let authentic = masters.last().is_some_and(|(_, newest)| {
                authentication_key(newest, &header.store_id).confirms(&[&covered], &authentication)
            });
            return if authentic && epochs == wanted {
                Ok((header, masters))
            } else {
                Err(Error::HeaderDamaged {
                    path,
                    fault: HeaderFault::Altered,
                })
            };
        }
        let broken: Vec<u32> = header
            .slots
            .iter()
            .filter(|held| matches!(held, Held::Damaged { .. }))
            .map(Held::id)
            .collect();
        if let (true, Some(fault)) = (broken.is_empty(), attempt.fault()) {
            Err(fault.into())
        } else if broken.is_empty() {
            Err(Error::WrongSecret {
                path: dir.to_owned(),
                kind: unlock.noun(),
            })
        } else {
            Err(Error::SlotsDamaged {
                path,
                slots: broken,
                kind: unlock.noun(),
            })
        }
    }
}

/// The slot with this digest, among the lines; or, if it is not there as it was written, what stands
/// in its place.
fn held(digest: SlotDigest, lines: &[&[u8]]) -> Held {
    let SlotDigest { id, sha256 } = digest;
    let found = lines
        .iter()
        .find(|line| Sha256::digest(line).as_slice() == sha256)
        .and_then(|line| serde_json::from_slice::<Slot>(line).ok())
        .filter(|slot| slot.id == id);
    match found {
        Some(slot) => Held::Sound(slot),
        None => Held::Damaged { id, sha256 },
    }
}
