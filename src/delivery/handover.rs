//! What is handed over.

use zeroize::Zeroizing;

use crate::model::{Fingerprint, GenerationNumber, IdentityName, Lapse};

/// An identity on its way to a connector.
#[derive(Clone)]
pub struct Handover {
    /// Whose.
    pub identity: IdentityName,
    /// Which generation.
    pub generation: GenerationNumber,
    /// SHA-256 of its certificate.
    pub fingerprint: Fingerprint,
    /// Key, certificate and intermediates in one PEM text.
    pub bundle_pem: Zeroizing<String>,
    /// The key alone, PKCS#8 PEM.
    pub key_pem: Zeroizing<String>,
    /// Certificate and intermediates.
    pub chain_pem: String,
    /// How long connections with the old identity may finish their work.
    pub drain: Lapse,
    /// How long to wait until it is seen in use.
    pub confirm_within: Lapse,
}
