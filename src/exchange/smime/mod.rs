//! S/MIME (RFC 8551) on the few algorithms that mail programs agree on.
//!
//! The `cms` crate gives the types of RFC 5652 and nothing else; every signature, key agreement and cipher
//! is aws-lc-rs'. That crate's own builder is not used: it wraps the content key for elliptic-curve
//! recipients under a key of zeros. `openssl cms` is the judge, in both directions.
//!
//! Verifying here means: *this certificate's key* signed *these bytes*. Whether the certificate is
//! believed is the caller's decision, by its fingerprint; no chain is built.

mod decrypt;
mod encrypt;
mod kdf;
pub(super) mod mime;
mod sign;
mod verify;

#[cfg(test)]
mod openssl_tests;

use der::{Decode, asn1::ObjectIdentifier};
use x509_cert::Certificate;

pub use decrypt::{DecryptionKey, decrypt, is_enveloped};
pub use encrypt::encrypt;
pub use sign::{SignedEntity, Signer};
pub use verify::{Verified, verify_detached, verify_opaque};

/// What went wrong with a signature, an envelope or a key.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmimeError {
    /// A certificate that is none.
    #[error("the {whose} certificate cannot be read")]
    BadCertificate {
        /// Whose.
        whose: &'static str,
        /// Why not.
        #[source]
        source: der::Error,
    },
    /// The message's structure is not that of RFC 5652.
    #[error("{what} cannot be read")]
    BadStructure {
        /// Which structure.
        what: &'static str,
        /// Why not.
        #[source]
        source: der::Error,
    },
    /// The signed bytes are not these.
    #[error("the text was changed after it was signed")]
    DigestMismatch,
    /// A structure could not be encoded.
    #[error("{what} cannot be encoded")]
    Encoding {
        /// Which structure.
        what: &'static str,
        /// Why not.
        #[source]
        source: der::Error,
    },
    /// A cryptographic operation failed: wrong key, damaged bytes, or no randomness.
    #[error("{operation} failed")]
    Failed {
        /// Which one.
        operation: &'static str,
    },
    /// A private key that cannot be used.
    #[error("the private key is refused: {reason}")]
    KeyRejected {
        /// Why.
        reason: String,
    },
    /// Key and certificate do not belong together.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// Something that must be there is not.
    #[error("{what} is missing")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// The message is not encrypted to our certificate.
    #[error("the message is not encrypted to our certificate")]
    NotForUs,
    /// Several signatures: which one counts is not for us to say.
    #[error("the message bears {count} signatures, one is wanted")]
    SeveralSigners {
        /// How many.
        count: usize,
    },
    /// The signature is not of this key over these bytes.
    #[error("the signature does not verify")]
    SignatureMismatch,
    /// An algorithm that is not supported, or no longer safe.
    #[error("the {role} algorithm {oid} is not supported")]
    UnsupportedAlgorithm {
        /// What it is for.
        role: &'static str,
        /// Which one.
        oid: ObjectIdentifier,
    },
}

impl SmimeError {
    /// Whether it says that the message was tampered with, rather than that it cannot be judged.
    pub fn is_forgery(&self) -> bool {
        matches!(self, Self::DigestMismatch | Self::SignatureMismatch)
    }
}

fn certificate(whose: &'static str, bytes: &[u8]) -> Result<Certificate, SmimeError> {
    Certificate::from_der(bytes).map_err(|source| SmimeError::BadCertificate { whose, source })
}

/// For `map_err`: a structure that could not be read.
fn unread(what: &'static str) -> impl FnOnce(der::Error) -> SmimeError {
    move |source| SmimeError::BadStructure { what, source }
}

/// For `map_err`: a structure that could not be encoded.
fn unencoded(what: &'static str) -> impl FnOnce(der::Error) -> SmimeError {
    move |source| SmimeError::Encoding { what, source }
}

/// For `map_err`: an operation that failed and does not say why.
fn failed<E>(operation: &'static str) -> impl FnOnce(E) -> SmimeError {
    move |_| SmimeError::Failed { operation }
}

/// The curve that an elliptic-curve key names (RFC 5480 §2.1.1).
fn named_curve(certificate: &Certificate) -> Option<ObjectIdentifier> {
    let parameters = certificate
        .tbs_certificate()
        .subject_public_key_info()
        .algorithm
        .parameters
        .as_ref()?;
    parameters.decode_as().ok()
}
