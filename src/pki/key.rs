//! Private keys. The bytes exist here and in the store, nowhere else; what leaves by `Debug` is the key id.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use const_oid::{ObjectIdentifier, db};
use der::Decode;
use pkcs8::PrivateKeyInfoRef;
use rcgen::PublicKeyData;
use zeroize::Zeroizing;

use super::public_key::{PublicKey, rsa_of_bits};
use crate::model::{KeyAlgorithm, KeyId};

/// A key that cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The library refused to make a key, for want of random bytes or memory.
    #[error("no {algorithm} key could be made")]
    Generation {
        /// What was asked for.
        algorithm: KeyAlgorithm,
        /// The library's word.
        source: Unspecified,
    },
    /// The container is fine, the key inside is not.
    #[error("this {algorithm} private key is not valid; export it anew from where it was made")]
    Invalid {
        /// What the container says that it is.
        algorithm: &'static str,
        /// The library's reason.
        source: KeyRejected,
    },
    /// The key could not be written out.
    #[error("the private key could not be encoded")]
    Encoding {
        /// The library's word.
        source: Unspecified,
    },
    /// Not PKCS#8 (RFC 5958), or an encrypted one.
    #[error(
        "this is no unencrypted PKCS#8 private key; convert it with `openssl pkcs8 -topk8 -nocrypt`"
    )]
    NotPkcs8 {
        /// Where reading stopped.
        source: pkcs8::Error,
    },
    /// The signature could not be made.
    #[error("the {algorithm} key did not sign")]
    Signing {
        /// The kind of key.
        algorithm: KeyAlgorithm,
        /// The library's word.
        source: Unspecified,
    },
    /// A kind of key that no gateway would be asked to take.
    #[error(
        "a key of this kind is not supported ({found}); use ECDSA on P-256 or P-384, RSA of 2048, 3072 or 4096 bits, or Ed25519"
    )]
    Unsupported {
        /// The object identifier, or the size.
        found: String,
    },
}

/// A private key of one of the [`KeyAlgorithm`]s, with its public half.
///
/// Every key is held, and written, as PKCS#8 version 1 (RFC 5208): version 2, in which Ed25519 keys often
/// come, is read but refused by many readers.
#[derive(Clone)]
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
    pair: Pair,
}

/// The library's handles; each clears its memory when it is dropped.
#[derive(Clone)]
enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// A new key.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            KeyAlgorithm::EcdsaP256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Pair::Ecdsa)
            }
            KeyAlgorithm::EcdsaP384 => {
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).map(Pair::Ecdsa)
            }
            KeyAlgorithm::Rsa2048 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            KeyAlgorithm::Rsa3072 => RsaKeyPair::generate(KeySize::Rsa3072).map(Pair::Rsa),
            KeyAlgorithm::Rsa4096 => RsaKeyPair::generate(KeySize::Rsa4096).map(Pair::Rsa),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        }
        .map_err(|source| KeyError::Generation { algorithm, source })?;
        Self::from_pair(pair, algorithm)
    }

    /// Reads an unencrypted PKCS#8 key, version 1 or 2 (RFC 5958), and finds out what kind it is.
    // The buffer is taken, not borrowed, so that the caller's copy is cleared as well.
    #[expect(clippy::needless_pass_by_value)]
    pub fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::from_der(&pkcs8).map_err(|source| KeyError::NotPkcs8 {
            source: source.into(),
        })?;
        let ecdsa = |signing: &'static EcdsaSigningAlgorithm, algorithm: KeyAlgorithm| {
            EcdsaKeyPair::from_pkcs8(signing, &pkcs8)
                .map(|pair| (Pair::Ecdsa(pair), algorithm))
                .map_err(|source| KeyError::Invalid {
                    algorithm: "ECDSA",
                    source,
                })
        };
        let (pair, algorithm) = match info.algorithm.oid {
            db::rfc5912::ID_EC_PUBLIC_KEY => {
                match info
                    .algorithm
                    .parameters_oid()
                    .map_err(|source| KeyError::NotPkcs8 {
                        source: pkcs8::Error::PublicKey(source),
                    })? {
                    db::rfc5912::SECP_256_R_1 => {
                        ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, KeyAlgorithm::EcdsaP256)?
                    }
                    db::rfc5912::SECP_384_R_1 => {
                        ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, KeyAlgorithm::EcdsaP384)?
                    }
                    curve => return Err(unsupported("elliptic curve", &curve)),
                }
            }
            db::rfc5912::RSA_ENCRYPTION => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|source| KeyError::Invalid {
                    algorithm: "RSA",
                    source,
                })?;
                let bits = modulus_bits(&pair);
                let algorithm = rsa_of_bits(bits).ok_or_else(|| KeyError::Unsupported {
                    found: format!("RSA of {bits} bits"),
                })?;
                (Pair::Rsa(pair), algorithm)
            }
            db::rfc8410::ID_ED_25519 => {
                let pair =
                    Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|source| KeyError::Invalid {
                        algorithm: "Ed25519",
                        source,
                    })?;
                (Pair::Ed25519(pair), KeyAlgorithm::Ed25519)
            }
            other => return Err(unsupported("algorithm", &other)),
        };
        Self::from_pair(pair, algorithm)
    }

    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm()
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// SHA-256 over [`Self::public_key_info`].
    pub fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    /// The DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    pub fn public_key_info(&self) -> &[u8] {
        self.public.info()
    }

    /// The DER PKCS#8 version 1 key, unencrypted.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The same as PEM, label `PRIVATE KEY` (RFC 7468 §10).
    pub fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(super::pem::encode("PRIVATE KEY", &self.pkcs8))
    }

    /// Signs a message with the key's own scheme: ECDSA (DER encoded) with SHA-256 on P-256 and SHA-384 on
    /// P-384, RSASSA-PKCS1-v1_5 with SHA-256, Ed25519.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        let signed = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, message).map(|s| s.as_ref().to_vec()),
            Pair::Ed25519(pair) => pair.try_sign(message).map(|s| s.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map(|()| signature)
            }
        };
        signed.map_err(|source| KeyError::Signing {
            algorithm: self.algorithm(),
            source,
        })
    }

    fn from_pair(pair: Pair, algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let encoded = || -> Result<_, Unspecified> {
            let (private, public): (_, PublicKeyX509Der<'_>) = match &pair {
                Pair::Ecdsa(pair) => (
                    Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec()),
                    pair.public_key().as_der()?,
                ),
                Pair::Ed25519(pair) => (
                    Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec()),
                    pair.public_key().as_der()?,
                ),
                Pair::Rsa(pair) => {
                    let private: Pkcs8V1Der<'_> = pair.as_der()?;
                    (
                        Zeroizing::new(private.as_ref().to_vec()),
                        pair.public_key().as_der()?,
                    )
                }
            };
            Ok((private, public.as_ref().to_vec()))
        };
        let (pkcs8, public_key_info) = encoded().map_err(|source| KeyError::Encoding { source })?;
        let bits = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        };
        Ok(Self {
            pkcs8,
            public: PublicKey::new(public_key_info, bits, algorithm),
            pair,
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, {})", self.algorithm(), self.key_id())
    }
}

impl PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        PublicKeyData::algorithm(&self.public)
    }
}

impl rcgen::SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Self::sign(self, message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

fn modulus_bits(pair: &RsaKeyPair) -> usize {
    let modulus = pair.public_key().modulus();
    let bytes = modulus.big_endian_without_leading_zero();
    bytes.len() * 8 - bytes.first().map_or(0, |b| b.leading_zeros() as usize)
}

fn unsupported(what: &str, oid: &ObjectIdentifier) -> KeyError {
    KeyError::Unsupported {
        found: format!("{what} {oid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_reads_back_as_itself() {
        for algorithm in KeyAlgorithm::ALL {
            let made = PrivateKey::generate(algorithm).unwrap();
            let read = PrivateKey::from_pkcs8(Zeroizing::new(made.pkcs8().to_vec())).unwrap();
            assert_eq!(read.algorithm(), algorithm);
            assert_eq!(read.key_id(), made.key_id());
            assert_eq!(read.pkcs8(), made.pkcs8());
            let rcgen_spki = made.subject_public_key_info();
            assert_eq!(rcgen_spki, made.public_key_info(), "{algorithm}");
        }
    }

    #[test]
    fn a_version_two_key_is_read_and_kept_as_version_one() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let v2 = pair.to_pkcs8().unwrap();
        let key = PrivateKey::from_pkcs8(Zeroizing::new(v2.as_ref().to_vec())).unwrap();
        assert_eq!(key.pkcs8(), pair.to_pkcs8v1().unwrap().as_ref());
        assert_ne!(key.pkcs8(), v2.as_ref());
    }

    #[test]
    fn a_curve_that_no_gateway_is_asked_to_take_is_refused_by_name() {
        let p521 =
            EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P521_SHA512_ASN1_SIGNING).unwrap();
        let pkcs8 = Zeroizing::new(p521.to_pkcs8v1().unwrap().as_ref().to_vec());
        let error = PrivateKey::from_pkcs8(pkcs8).unwrap_err();
        assert!(error.to_string().contains("1.3.132.0.35"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bytes in [&b""[..], b"0", b"-----BEGIN", &[0x30, 0x80, 0, 0]] {
            let refused = PrivateKey::from_pkcs8(Zeroizing::new(bytes.to_vec()));
            assert!(
                matches!(refused, Err(KeyError::NotPkcs8 { .. })),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn debug_shows_the_key_id_and_no_key() {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("PrivateKey(ecdsa-p256, {})", key.key_id()));
    }
}
