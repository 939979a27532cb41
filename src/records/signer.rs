//! What signs our letters.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{CertificateFacts, HexBytes};

/// A key and certificate for S/MIME (RFC 8551).
#[derive(Clone, Serialize, Deserialize)]
pub struct SignerRecord {
    /// The key, PKCS#8 DER in hexadecimal.
    pub key: Zeroizing<String>,
    /// The certificates, DER, leaf first.
    pub chain: Vec<HexBytes>,
    /// What the leaf says.
    pub leaf: CertificateFacts,
}

impl fmt::Debug for SignerRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerRecord")
            .field("fingerprint", &self.leaf.fingerprint)
            .finish_non_exhaustive()
    }
}
