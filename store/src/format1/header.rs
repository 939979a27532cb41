//! The header of format 1 and its slots.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::crypto::{self, Nonce, SecretKey};
use crate::engine::EngineKind;
use crate::error::{Error, HeaderFault, Result};
use crate::files::{self, IoContext};
use crate::kdf::KdfCost;
use crate::secret::Unlock;

const FILE: &str = "store.json";
pub(crate) const FORMAT: u32 = 1;
const LIMIT: usize = 256 * 1024;
const MOST_SLOTS: usize = 32;
const SALT: usize = 16;

// The order of fields is part of the format: the checksum is taken over them, written anew.

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) engine: EngineKind,
    #[serde(with = "hex")]
    pub(super) store_id: [u8; 16],
    slots: Vec<Slot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: u32,
    header: Fields,
    #[serde(with = "hex")]
    sha256: [u8; 32],
    #[serde(with = "hex")]
    authentication: [u8; 32],
}

#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    id: u32,
    #[serde(with = "hex")]
    salt: [u8; SALT],
    method: Method,
    #[serde(with = "hex")]
    nonce: Nonce,
    #[serde(with = "hex")]
    sealed_key: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Method {
    Passphrase { argon2id: KdfCost },
    KeyFile,
}

/// A header as read: not to be trusted before [`open`](Self::open).
pub(super) struct Header {
    path: PathBuf,
    fields: Fields,
    authentication: [u8; 32],
}

/// Which format the store in `dir` says that it has.
pub(super) fn format_of(dir: &Path) -> Result<u32> {
    let (path, text) = read(dir)?;
    let AnyFormat { format } =
        serde_json::from_slice(&text).map_err(|_| damaged(&path, HeaderFault::Malformed))?;
    Ok(format)
}

fn read(dir: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let path = dir.join(FILE);
    match files::read_bounded(&path, LIMIT) {
        Ok(Some(text)) => Ok((path, text)),
        Ok(None) => Err(damaged(&path, HeaderFault::TooLarge)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NotFound {
            path: dir.to_owned(),
        }),
        Err(error) => Err(error).while_trying("read", &path),
    }
}

fn damaged(path: &Path, fault: HeaderFault) -> Error {
    Error::HeaderDamaged {
        path: path.to_owned(),
        fault,
    }
}

impl Header {
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let (path, text) = read(dir)?;
        let Envelope {
            format,
            header: fields,
            sha256,
            authentication,
        } = serde_json::from_slice(&text).map_err(|_| damaged(&path, HeaderFault::Malformed))?;
        if format != FORMAT || fields.slots.len() > MOST_SLOTS {
            return Err(damaged(&path, HeaderFault::Malformed));
        }
        if Sha256::digest(fields.covered(&path)?).as_slice() != sha256 {
            return Err(damaged(&path, HeaderFault::Checksum));
        }
        Ok(Self {
            path,
            fields,
            authentication,
        })
    }

    /// Finds the slot that `unlock` opens, and with its master key verifies the whole header.
    pub(super) fn open(self, dir: &Path, unlock: &Unlock) -> Result<(Fields, SecretKey)> {
        let Self {
            path,
            fields,
            authentication,
        } = self;
        for slot in &fields.slots {
            let Some(master) = slot.open(unlock, &fields.store_id)? else {
                continue;
            };
            let key = master.derive(&fields.store_id, "countersign store header authentication");
            if !key.confirms(&[&fields.covered(&path)?], &authentication) {
                return Err(damaged(&path, HeaderFault::Altered));
            }
            return Ok((fields, master));
        }
        Err(Error::WrongSecret {
            path: dir.to_owned(),
            kind: unlock.noun(),
        })
    }
}

impl Fields {
    fn covered(&self, path: &Path) -> Result<Vec<u8>> {
        serde_json::to_vec(&(FORMAT, self))
            .map_err(std::io::Error::from)
            .while_trying("encode", path)
    }
}

impl Slot {
    fn open(&self, unlock: &Unlock, store: &[u8]) -> Result<Option<SecretKey>> {
        let (key, method) = match (&self.method, unlock) {
            (
                Method::Passphrase { argon2id },
                Unlock::Passphrase(passphrase) | Unlock::Credential(passphrase),
            ) => (
                argon2id.stretch(passphrase.as_bytes(), &self.salt)?,
                crypto::framed(&[b"argon2id", &argon2id.to_bytes()]),
            ),
            (Method::KeyFile, Unlock::KeyFile(file)) => (
                crypto::derive(
                    file.as_bytes(),
                    &self.salt,
                    "countersign store slot key file",
                ),
                crypto::framed(&[b"key file"]),
            ),
            _ => return Ok(None),
        };
        let id = self.id.to_be_bytes();
        let context = crypto::framed(&[b"countersign store slot", store, &id, &self.salt, &method]);
        let master = key.open(&self.nonce, &context, &self.sealed_key).ok();
        Ok(master.and_then(|master| SecretKey::from_slice(&master)))
    }
}
