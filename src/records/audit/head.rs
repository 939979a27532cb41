//! Signed statements of how far the log goes.
//!
//! A head is a short text, so that anybody can check the signature over it with `openssl dgst` and read
//! with their own eyes what was signed.

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use serde::{Deserialize, Serialize};

use crate::{
    model::{KeyAlgorithm, KeyId, audit::Digest},
    pki::{KeyError, PrivateKey, key_facts},
};

const FIRST_LINE: &str = "countersign audit log head 1";

/// How far a log goes, and with which entry it ends there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    /// The log's random name.
    pub log: String,
    /// How many entries.
    pub entries: u64,
    /// The digest of the last of them.
    pub digest: Digest,
    /// When this was stated.
    pub at: Timestamp,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            log,
            entries,
            digest,
            at,
        } = self;
        write!(
            f,
            "{FIRST_LINE}\nlog {log}\nentries {entries}\ndigest {digest}\nat {at}\n"
        )
    }
}

/// A text that is no head.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no head of an audit log")]
pub struct NoHead;

impl FromStr for Head {
    type Err = NoHead;
    fn from_str(text: &str) -> Result<Self, NoHead> {
        let mut lines = text.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(NoHead);
        }
        let mut field = |name: &str| {
            lines
                .next()
                .and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
                .ok_or(NoHead)
        };
        let head = Self {
            log: field("log")?.to_owned(),
            entries: field("entries")?.parse().map_err(|_| NoHead)?,
            digest: field("digest")?.parse().map_err(|_| NoHead)?,
            at: field("at")?.parse().map_err(|_| NoHead)?,
        };
        // Another spelling of the same would be another text under the same signature's name.
        if head.to_string() == text {
            Ok(head)
        } else {
            Err(NoHead)
        }
    }
}

/// A head with the signature over its text, as the last line of an export holds it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SignedHead {
    /// 1.
    pub schema: u32,
    /// The text that is signed.
    pub head: String,
    /// ECDSA with SHA-256 over the text (RFC 3279 §2.2.3), base64.
    pub signature: String,
    /// The key, as the log's first entry names it, PEM.
    pub public_key: String,
}

impl SignedHead {
    /// Signs a head.
    pub(super) fn new(head: &Head, key: &PrivateKey, public_key: &str) -> Result<Self, KeyError> {
        let text = head.to_string();
        let signature = STANDARD.encode(key.sign(text.as_bytes())?);
        Ok(Self {
            schema: 1,
            head: text,
            signature,
            public_key: public_key.to_owned(),
        })
    }
}

/// The public half of the key that a log is signed with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogKey {
    info: Vec<u8>,
    id: KeyId,
}

impl LogKey {
    /// From PEM; `None` when it is no key on P-256.
    pub fn from_pem(pem: &str) -> Option<Self> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (algorithm, id) = key_facts(info.as_ref())?;
        (algorithm == KeyAlgorithm::EcdsaP256).then(|| Self {
            info: info.to_vec(),
            id,
        })
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The head behind a text, if this key signed it.
    pub fn verified(&self, text: &str, signature: &str) -> Option<Head> {
        let signature = STANDARD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.info)
            .verify(text.as_bytes(), &signature)
            .ok()?;
        text.parse().ok()
    }
}
