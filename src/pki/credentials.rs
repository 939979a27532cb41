//! A chain together with the key that it certifies: the only constructor checks that they belong together.

use zeroize::Zeroizing;

use super::{InspectError, PrivateKey, inspect, pem};
use crate::model::{CertificateFacts, Fingerprint, KeyId};

/// A chain and a key that do not make credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// No certificate at all.
    #[error("the chain holds no certificate")]
    EmptyChain,
    /// The leaf certifies another key. Both ids are SHA-256 over the SubjectPublicKeyInfo.
    #[error(
        "the certificate certifies the key {certified}, but the key at hand is {held}; ask the issuer for a certificate over the request that was exported last"
    )]
    KeyMismatch {
        /// What the leaf certifies.
        certified: KeyId,
        /// What we hold.
        held: KeyId,
    },
    /// A certificate of the chain does not parse.
    #[error("certificate {position} of the chain cannot be read (the leaf is 0)")]
    Unreadable {
        /// Counted from the leaf, which is 0.
        position: usize,
        /// Why.
        source: InspectError,
    },
}

/// What a TLS client presents: a chain, leaf first, and the private key of its leaf.
#[derive(Clone, Debug)]
pub struct Credentials {
    chain: Vec<Vec<u8>>,
    key: PrivateKey,
    leaf: CertificateFacts,
    /// How many certificates of the chain are presented: all but a root at its end.
    presented: usize,
}

impl Credentials {
    /// Refuses an empty chain, an unreadable certificate, and a leaf that certifies another key.
    pub fn new(chain: Vec<Vec<u8>>, key: PrivateKey) -> Result<Self, CredentialsError> {
        let mut facts = Vec::with_capacity(chain.len());
        for (position, der) in chain.iter().enumerate() {
            facts.push(
                inspect(der).map_err(|source| CredentialsError::Unreadable { position, source })?,
            );
        }
        let ends_in_root = facts.len() > 1 && facts.last().is_some_and(|last| last.self_issued);
        let presented = facts.len() - usize::from(ends_in_root);
        let leaf = facts
            .into_iter()
            .next()
            .ok_or(CredentialsError::EmptyChain)?;
        if leaf.key_id != key.key_id() {
            return Err(CredentialsError::KeyMismatch {
                certified: leaf.key_id,
                held: key.key_id(),
            });
        }
        Ok(Self {
            chain,
            key,
            leaf,
            presented,
        })
    }

    /// The certificates as they were given, DER, leaf first.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// What is shown to the other side: the chain without a root at its end, which the other side has or
    /// would not believe (RFC 8446 §4.4.2).
    pub fn presented_chain(&self) -> &[Vec<u8>] {
        &self.chain[..self.presented]
    }

    /// The key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// What the leaf says.
    pub fn leaf(&self) -> &CertificateFacts {
        &self.leaf
    }

    /// SHA-256 of the leaf.
    pub fn fingerprint(&self) -> Fingerprint {
        self.leaf.fingerprint
    }

    /// Everything in one file: the key, the leaf, then the intermediates. A reader can never see half a pair.
    pub fn bundle_pem(&self) -> Zeroizing<String> {
        let (key, chain) = (self.key.pem(), self.chain_pem());
        // Sized beforehand: a string that grows leaves copies of the key behind.
        let mut bundle = Zeroizing::new(String::with_capacity(key.len() + chain.len()));
        bundle.push_str(&key);
        bundle.push_str(&chain);
        bundle
    }

    /// [`Self::presented_chain`] as PEM.
    pub fn chain_pem(&self) -> String {
        self.presented_chain()
            .iter()
            .map(|der| pem::certificate_pem(der))
            .collect()
    }
}
