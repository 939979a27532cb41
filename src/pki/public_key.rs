//! Public keys: what a SubjectPublicKeyInfo says, and the id by which a key is known.

use std::fmt;

use const_oid::db;
use der::{Decode, Reader, SliceReader, asn1::UintRef};
use spki::SubjectPublicKeyInfoRef;

use super::digest::sha256;
use crate::model::{KeyAlgorithm, KeyId};

/// A public key whose private half has been shown to exist: it comes from a
/// [`PrivateKey`](super::PrivateKey) or from a request that bears its own signature.
#[derive(Clone, Eq, PartialEq)]
pub struct PublicKey {
    info: Vec<u8>,
    /// The content of the BIT STRING inside.
    bits: Vec<u8>,
    algorithm: KeyAlgorithm,
    key_id: KeyId,
}

impl PublicKey {
    pub(super) fn new(info: Vec<u8>, bits: Vec<u8>, algorithm: KeyAlgorithm) -> Self {
        Self {
            key_id: key_id(&info),
            info,
            bits,
            algorithm,
        }
    }

    /// `None` for a key that is none of ours.
    pub(super) fn from_info(info: &[u8]) -> Option<Self> {
        let algorithm = key_algorithm(info)?;
        let bits = SubjectPublicKeyInfoRef::from_der(info).ok()?;
        let bits = bits.subject_public_key.as_bytes()?;
        Some(Self::new(info.to_vec(), bits.to_vec(), algorithm))
    }

    /// The DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The content of the BIT STRING inside.
    pub(super) fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// SHA-256 over [`Self::info`].
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What certificates call the key: RFC 7093 §2, method 1. The library's own method of that name takes the
    /// digest of more than the standard says.
    pub(super) fn identifier(&self) -> rcgen::KeyIdMethod {
        rcgen::KeyIdMethod::PreSpecified(sha256(&self.bits)[..20].to_vec())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm, self.key_id)
    }
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.algorithm {
            KeyAlgorithm::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                &rcgen::PKCS_RSA_SHA256
            }
            KeyAlgorithm::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }
}

/// Kind and id of the key that a SubjectPublicKeyInfo describes, if it is one of ours. Says nothing of whether
/// anybody has its private half.
pub fn key_facts(public_key_info: &[u8]) -> Option<(KeyAlgorithm, KeyId)> {
    Some((key_algorithm(public_key_info)?, key_id(public_key_info)))
}

/// The id of the key that this SubjectPublicKeyInfo describes.
pub fn key_id(public_key_info: &[u8]) -> KeyId {
    KeyId::from_digest(sha256(public_key_info))
}

/// The kind of key that a SubjectPublicKeyInfo holds, if it is one of ours.
pub(super) fn key_algorithm(public_key_info: &[u8]) -> Option<KeyAlgorithm> {
    let info = SubjectPublicKeyInfoRef::from_der(public_key_info).ok()?;
    match info.algorithm.oid {
        db::rfc5912::ID_EC_PUBLIC_KEY => match info.algorithm.parameters_oid().ok()? {
            db::rfc5912::SECP_256_R_1 => Some(KeyAlgorithm::EcdsaP256),
            db::rfc5912::SECP_384_R_1 => Some(KeyAlgorithm::EcdsaP384),
            _ => None,
        },
        db::rfc5912::RSA_ENCRYPTION => {
            let mut reader = SliceReader::new(info.subject_public_key.as_bytes()?).ok()?;
            let modulus = reader
                .sequence(|key| {
                    let modulus = UintRef::decode(key)?;
                    UintRef::decode(key)?; // the exponent
                    Ok::<_, der::Error>(modulus.as_bytes())
                })
                .ok()?;
            rsa_of_bits(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
        }
        db::rfc8410::ID_ED_25519 => Some(KeyAlgorithm::Ed25519),
        _ => None,
    }
}

/// The algorithm of an RSA key of so many bits.
pub(super) fn rsa_of_bits(bits: usize) -> Option<KeyAlgorithm> {
    match bits {
        2048 => Some(KeyAlgorithm::Rsa2048),
        3072 => Some(KeyAlgorithm::Rsa3072),
        4096 => Some(KeyAlgorithm::Rsa4096),
        _ => None,
    }
}
