//! One identity as one piece of text: the private key, the leaf certificate and its intermediates.
//!
//! A [`Bundle`] exists only if its key belongs to its leaf, so nothing behind this module asks again. Key and chain
//! come in *one* text on purpose: whoever reads two files while they are replaced meets halves of two generations.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustls::sign::CertifiedKey;
use zeroize::Zeroize;

use crate::Fingerprint;

/// The longest bundle that is looked at, in bytes. Real ones have less than a tenth of it.
pub const MAX_BUNDLE: usize = 256 * 1024;

/// The longest chain that is presented; OpenSSL's servers refuse to follow longer ones.
const MAX_CHAIN: usize = 16;

/// A private key with the certificate chain that belongs to it, leaf first.
///
/// The key is kept in the memory of the cryptographic library, which wipes it when the last clone is dropped.
#[derive(Clone)]
pub struct Bundle {
    certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

/// Why a text is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// More certificates than a chain may have.
    #[error(
        "the bundle holds {found} certificates: a client sends its leaf and intermediates, at most {MAX_CHAIN}"
    )]
    ChainTooLong {
        /// How many there are.
        found: usize,
    },
    /// The key is protected by a passphrase that nobody could enter at a reload.
    #[error(
        "the private key is encrypted: deliver it as plain PKCS#8 in a file that only this program can read"
    )]
    EncryptedKey,
    /// The key belongs to another certificate of the bundle than the first.
    #[error(
        "the key belongs to certificate {position} of the bundle: the leaf must come first (RFC 8446 section 4.4.2)"
    )]
    LeafNotFirst {
        /// The place of the matching certificate, counted from 1.
        position: usize,
    },
    /// The key does not belong to any certificate of the bundle.
    #[error(
        "the private key does not belong to the certificate {leaf}: deliver both of one generation"
    )]
    Mismatch {
        /// The first certificate of the bundle.
        leaf: Fingerprint,
    },
    /// There is no complete certificate.
    #[error(
        "the bundle holds no certificate: deliver the private key, the leaf and its intermediates as one PEM text"
    )]
    NoCertificate,
    /// There is no complete private key.
    #[error(
        "the bundle holds no private key: deliver the private key, the leaf and its intermediates as one PEM text"
    )]
    NoKey,
    /// PEM that does not parse, such as that of a half-written file.
    #[error("the bundle is not PEM (RFC 7468), or is not complete yet")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// Two private keys: which one is meant is not for us to guess.
    #[error("the bundle holds {found} private keys: exactly one is needed")]
    SeveralKeys {
        /// How many there are.
        found: usize,
    },
    /// The text is longer than any identity.
    #[error("the bundle is {length} bytes long, more than {MAX_BUNDLE}")]
    TooLong {
        /// Its length in bytes, or as many as were looked at.
        length: usize,
    },
    /// The leaf is no X.509 certificate.
    #[error("the leaf certificate cannot be read")]
    UnreadableLeaf(#[source] rustls::Error),
    /// The key is of no kind that this program can sign with.
    #[error(
        "the private key cannot be used: ECDSA P-256 or P-384, RSA of 2048 bits or more, or Ed25519 is needed"
    )]
    UnusableKey(#[source] rustls::Error),
}

impl Bundle {
    /// Reads a bundle and proves that it is whole: one plain private key (PKCS#8, SEC1 or PKCS#1), and the chain with
    /// the key's own certificate first.
    ///
    /// Dates and the issuer's signatures are not judged: whoever made the bundle did that, and the server will.
    ///
    /// # Errors
    /// Says what is wrong with the text, see [`BundleError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, BundleError> {
        if pem.len() > MAX_BUNDLE {
            return Err(BundleError::TooLong { length: pem.len() });
        }
        let (mut keys, chain) = sections(pem)?;
        let key = match (keys.pop(), keys.len()) {
            (Some(key), 0) => key,
            (None, _) if contains(pem, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
                return Err(BundleError::EncryptedKey);
            }
            (None, _) => return Err(BundleError::NoKey),
            (Some(_), others) => return Err(BundleError::SeveralKeys { found: others + 1 }),
        };
        let Some(leaf) = chain.first() else {
            return Err(BundleError::NoCertificate);
        };
        if chain.len() > MAX_CHAIN {
            return Err(BundleError::ChainTooLong { found: chain.len() });
        }
        let fingerprint = Fingerprint::of(leaf);
        let key = any_supported_type(&key.0).map_err(BundleError::UnusableKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Self {
                certified: Arc::new(certified),
                fingerprint,
            }),
            Err(rustls::Error::InconsistentKeys(_)) => Err(misplaced(&certified, fingerprint)),
            Err(error) => Err(BundleError::UnreadableLeaf(error)),
        }
    }

    /// SHA-256 of the leaf.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The certificates that are sent, leaf first, as DER.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

/// The key is not in its text: only what is public is shown.
impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("fingerprint", &self.fingerprint)
            .field("certificates", &self.certified.cert.len())
            .finish_non_exhaustive()
    }
}

/// A key between PEM and the cryptographic library, wiped on every way out.
struct Secret(PrivateKeyDer<'static>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn sections(pem: &[u8]) -> Result<(Vec<Secret>, Vec<CertificateDer<'static>>), BundleError> {
    let mut keys = Vec::new();
    let mut chain = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(BundleError::Pem)?;
        match kind {
            SectionKind::Certificate => chain.push(CertificateDer::from(der)),
            SectionKind::PrivateKey => keys.push(Secret(PrivatePkcs8KeyDer::from(der).into())),
            SectionKind::EcPrivateKey => keys.push(Secret(PrivateSec1KeyDer::from(der).into())),
            SectionKind::RsaPrivateKey => keys.push(Secret(PrivatePkcs1KeyDer::from(der).into())),
            // `openssl ecparam -genkey` writes parameters in front of the key; others add CRLs. Neither is sent.
            _ => {}
        }
    }
    Ok((keys, chain))
}

/// Tells a chain in the wrong order from a key of another generation: the remedies differ.
fn misplaced(certified: &CertifiedKey, leaf: Fingerprint) -> BundleError {
    let owner = certified.cert.iter().position(|certificate| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(&certified.key))
            .keys_match()
            .is_ok()
    });
    match owner {
        Some(index) => BundleError::LeafNotFirst {
            position: index + 1,
        },
        None => BundleError::Mismatch { leaf },
    }
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate and its key, as PEM.
    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["client.example".to_owned()]).unwrap();
        (made.signing_key.serialize_pem(), made.cert.pem())
    }

    #[test]
    fn a_key_with_its_leaf_is_an_identity_named_by_the_leaf() {
        let (key, leaf) = pair();
        for text in [format!("{key}{leaf}"), format!("{leaf}{key}")] {
            let bundle = Bundle::from_pem(text.as_bytes()).unwrap();
            assert_eq!(bundle.fingerprint(), Fingerprint::of(&bundle.chain()[0]));
        }
    }

    #[test]
    fn a_key_of_another_generation_is_refused() {
        let ((key, _), (_, leaf)) = (pair(), pair());
        let refused = Bundle::from_pem(format!("{key}{leaf}").as_bytes()).unwrap_err();
        assert!(matches!(refused, BundleError::Mismatch { .. }), "{refused}");
    }

    #[test]
    fn a_chain_that_starts_with_the_issuer_is_told_from_a_mismatch() {
        let ((key, leaf), (_, issuer)) = (pair(), pair());
        let refused = Bundle::from_pem(format!("{key}{issuer}{leaf}").as_bytes()).unwrap_err();
        assert!(
            matches!(refused, BundleError::LeafNotFirst { position: 2 }),
            "{refused}"
        );
    }

    #[test]
    fn every_proper_prefix_of_a_bundle_is_refused() {
        let (key, leaf) = pair();
        let whole = format!("{key}{leaf}");
        for end in 0..whole.trim_end().len() {
            assert!(
                Bundle::from_pem(&whole.as_bytes()[..end]).is_err(),
                "accepted at byte {end}"
            );
        }
    }

    #[test]
    fn two_keys_and_encrypted_keys_are_refused_by_name() {
        let ((key, leaf), (other, _)) = (pair(), pair());
        let two = Bundle::from_pem(format!("{key}{other}{leaf}").as_bytes()).unwrap_err();
        assert!(
            matches!(two, BundleError::SeveralKeys { found: 2 }),
            "{two}"
        );
        let sealed = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let encrypted = Bundle::from_pem(format!("{sealed}{leaf}").as_bytes()).unwrap_err();
        assert!(
            matches!(encrypted, BundleError::EncryptedKey),
            "{encrypted}"
        );
    }

    #[test]
    fn the_key_is_not_in_the_debug_text() {
        let (key, leaf) = pair();
        let bundle = Bundle::from_pem(format!("{key}{leaf}").as_bytes()).unwrap();
        let expected = format!(
            "Bundle {{ fingerprint: {:?}, certificates: 1, .. }}",
            bundle.fingerprint()
        );
        assert_eq!(format!("{bundle:?}"), expected);
    }
}
