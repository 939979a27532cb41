//! Headers of format 1, for reading only: what a store that is to be migrated is opened with.
//!
//! There the master key was sealed under the secret itself, in one slot, and the whole file was one
//! pretty-printed object.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{HEADER_FILE, LIMIT, MOST_SLOTS};
use crate::crypto::{self, Nonce, SecretKey, framed};
use crate::engine::EngineKind;
use crate::error::{Error, HeaderFault, Result};
use crate::files::{self, IoContext};
use crate::kdf::KdfCost;
use crate::secret::Unlock;

const FORMAT: u32 = 1;

/// What opens the records of a store of format 1.
pub(crate) struct Opened {
    pub(crate) engine: EngineKind,
    pub(crate) store_id: [u8; 16],
    pub(crate) master: SecretKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    engine: EngineKind,
    #[serde(with = "hex")]
    store_id: [u8; 16],
    slots: Vec<Slot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: u32,
    header: Header,
    #[serde(with = "hex")]
    sha256: [u8; 32],
    #[serde(with = "hex")]
    authentication: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    id: u32,
    #[serde(with = "hex")]
    salt: [u8; 16],
    method: Method,
    #[serde(with = "hex")]
    nonce: Nonce,
    #[serde(with = "hex")]
    sealed_key: Vec<u8>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Method {
    Passphrase { argon2id: KdfCost },
    KeyFile,
}

/// Opens the header of the store of format 1 in `dir`; nothing is written.
pub(crate) fn open(dir: &Path, unlock: &Unlock) -> Result<Opened> {
    let path = dir.join(HEADER_FILE);
    let damaged = |fault| Error::HeaderDamaged {
        path: path.clone(),
        fault,
    };
    let text = files::read_bounded(&path, LIMIT)
        .while_trying("read", &path)?
        .ok_or_else(|| damaged(HeaderFault::TooLarge))?;
    let Envelope {
        format,
        header,
        sha256,
        authentication,
    } = serde_json::from_slice(&text).map_err(|_| damaged(HeaderFault::Malformed))?;
    if format != FORMAT || header.slots.len() > MOST_SLOTS {
        return Err(damaged(HeaderFault::Malformed));
    }
    let covered = serde_json::to_vec(&(FORMAT, &header))
        .map_err(std::io::Error::from)
        .while_trying("encode", &path)?;
    if Sha256::digest(&covered).as_slice() != sha256 {
        return Err(damaged(HeaderFault::Checksum));
    }
    for slot in &header.slots {
        let Some(master) = slot.open(unlock, &header.store_id)? else {
            continue;
        };
        let code = master.derive(&header.store_id, "countersign store header authentication");
        return if code.confirms(&[&covered], &authentication) {
            Ok(Opened {
                engine: header.engine,
                store_id: header.store_id,
                master,
            })
        } else {
            Err(damaged(HeaderFault::Altered))
        };
    }
    Err(Error::WrongSecret {
        path: dir.to_owned(),
        kind: unlock.noun(),
    })
}

impl Slot {
    fn open(&self, unlock: &Unlock, store: &[u8]) -> Result<Option<SecretKey>> {
        let key = match (self.method, unlock) {
            (
                Method::Passphrase { argon2id },
                Unlock::Passphrase(text) | Unlock::Credential(text),
            ) => argon2id.stretch(text.as_bytes(), &self.salt)?,
            (Method::KeyFile, Unlock::KeyFile(file)) => crypto::derive(
                file.as_bytes(),
                &self.salt,
                "countersign store slot key file",
            ),
            (Method::Passphrase { .. } | Method::KeyFile, _) => return Ok(None),
        };
        let method = match self.method {
            Method::Passphrase { argon2id } => framed(&[b"argon2id", &argon2id.to_bytes()]),
            Method::KeyFile => framed(&[b"key file"]),
        };
        let id = self.id.to_be_bytes();
        let context = framed(&[b"countersign store slot", store, &id, &self.salt, &method]);
        let opened = key.open(&self.nonce, &context, &self.sealed_key);
        Ok(opened
            .ok()
            .and_then(|master| SecretKey::from_slice(&master)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Passphrase;

    /// Written by the code of format 1.
    const WRITTEN: &str = include_str!("format1.json");

    #[test]
    fn a_header_of_format_1_opens_with_its_passphrase_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        files::write_private(&dir.path().join(HEADER_FILE), WRITTEN.as_bytes()).unwrap();
        let secret = |text: &str| Unlock::Passphrase(Passphrase::new(text.to_owned().into()));
        let opened = open(dir.path(), &secret("correct horse")).unwrap();
        assert_eq!(opened.engine, EngineKind::Redb);
        assert!(matches!(
            open(dir.path(), &secret("wrong")),
            Err(Error::WrongSecret { .. })
        ));
        let refused = super::super::Unverified::read(dir.path());
        assert!(matches!(refused, Err(Error::OlderFormat { found: 1, .. })));
    }
}
