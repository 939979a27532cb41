//! The header: which engine holds the records, and the slots that hold the master key.
//!
//! It is a small JSON file beside the engine, replaced as a whole. Three things guard it. A
//! checksum finds accidents before any time is spent on a passphrase. Each slot is sealed with its
//! own parameters. And an authentication code under a key derived from the master key covers
//! everything, so that nobody without the secret can change the engine or a cost unnoticed.
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
use crate::slot::{Slot, SlotInfo};

/// The name of the header file in a store's directory.
pub(crate) const HEADER_FILE: &str = "store.json";

/// The format that this version writes, and opens; older ones are read by modules of their own.
pub const FORMAT: u32 = 2;

/// The largest header that is read.
const LIMIT: usize = 256 * 1024;

/// The most slots that are tried; each may cost a key derivation.
const MOST_SLOTS: usize = 32;

/// What the header says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) engine: EngineKind,
    /// Random, and different for each store: the salt of every key derived from the master key.
    #[serde(with = "hex")]
    pub(crate) store_id: [u8; 16],
    pub(crate) slots: Vec<Slot>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: u32,
    header: Header,
    #[serde(with = "hex")]
    sha256: [u8; 32],
    #[serde(with = "hex")]
    authentication: [u8; 32],
}

/// Enough of any header, of whatever format, to say which format it is.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

/// A header as read: not to be trusted before [`open`](Self::open).
#[derive(Debug)]
pub(crate) struct Unverified {
    path: PathBuf,
    header: Header,
    authentication: [u8; 32],
}

impl Header {
    /// Whether there is a header in this directory.
    pub(crate) fn exists(dir: &Path) -> bool {
        dir.join(HEADER_FILE).symlink_metadata().is_ok()
    }

    /// Puts this header in place, as a whole, durably.
    pub(crate) fn write(&self, dir: &Path, master: &SecretKey) -> Result<()> {
        files::replace(&dir.join(HEADER_FILE), &self.encode(dir, master)?)
    }

    /// The text of the header file.
    pub(crate) fn encode(&self, dir: &Path, master: &SecretKey) -> Result<Vec<u8>> {
        let path = dir.join(HEADER_FILE);
        let covered = self.covered(&path)?;
        let envelope = Envelope {
            format: FORMAT,
            header: self.clone(),
            sha256: Sha256::digest(&covered).into(),
            authentication: self.authentication_key(master).hash(&[&covered]),
        };
        let mut text = serde_json::to_vec_pretty(&envelope)
            .map_err(std::io::Error::from)
            .while_trying("encode", &path)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The bytes that the checksum and the authentication code cover.
    fn covered(&self, path: &Path) -> Result<Vec<u8>> {
        serde_json::to_vec(&(FORMAT, self))
            .map_err(std::io::Error::from)
            .while_trying("encode", path)
    }

    fn authentication_key(&self, master: &SecretKey) -> SecretKey {
        master.derive(&self.store_id, "countersign store header authentication")
    }
}

impl Unverified {
    /// Reads the header of the store in `dir`; nothing is spent on a header that is broken.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(HEADER_FILE);
        let damaged = |fault| Error::HeaderDamaged {
            path: path.clone(),
            fault,
        };
        let text = match files::read_bounded(&path, LIMIT) {
            Ok(text) => text.ok_or_else(|| damaged(HeaderFault::TooLarge))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::NotFound {
                    path: dir.to_owned(),
                });
            }
            Err(error) => return Err(error).while_trying("read", &path),
        };
        let malformed = |_| damaged(HeaderFault::Malformed);
        let AnyFormat { format } = serde_json::from_slice(&text).map_err(malformed)?;
        if format > FORMAT {
            return Err(Error::NewerFormat {
                path: dir.to_owned(),
                found: format,
                supported: FORMAT,
            });
        }
        if (1..FORMAT).contains(&format) {
            return Err(Error::OlderFormat {
                path: dir.to_owned(),
                found: format,
                current: FORMAT,
            });
        }
        let Envelope {
            format,
            header,
            sha256,
            authentication,
        } = serde_json::from_slice(&text).map_err(malformed)?;
        if format != FORMAT || header.slots.len() > MOST_SLOTS {
            return Err(damaged(HeaderFault::Malformed));
        }
        if Sha256::digest(header.covered(&path)?).as_slice() != sha256 {
            return Err(damaged(HeaderFault::Checksum));
        }
        Ok(Self {
            path,
            header,
            authentication,
        })
    }

    /// What the slots say of themselves.
    pub(crate) fn slots(&self) -> Vec<SlotInfo> {
        self.header.slots.iter().map(Slot::info).collect()
    }

    /// Finds the slot that `unlock` opens, and with its master key verifies the whole header.
    pub(crate) fn open(self, dir: &Path, unlock: &Unlock) -> Result<(Header, SecretKey)> {
        let Self {
            path,
            header,
            authentication,
        } = self;
        for slot in &header.slots {
            let Some(master) = slot.open(unlock, &header.store_id)? else {
                continue;
            };
            let covered = header.covered(&path)?;
            return if header
                .authentication_key(&master)
                .confirms(&[&covered], &authentication)
            {
                Ok((header, master))
            } else {
                Err(Error::HeaderDamaged {
                    path,
                    fault: HeaderFault::Altered,
                })
            };
        }
        Err(Error::WrongSecret {
            path: dir.to_owned(),
            kind: unlock.noun(),
        })
    }
}
