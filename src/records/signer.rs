//! What signs our letters.

use serde::{Deserialize, Serialize};

use super::secret::SecretBytes;
use crate::model::{CertificateFacts, HexBytes};

/// A key and certificate for S/MIME (RFC 8551).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignerRecord {
    /// The key, PKCS#8 DER.
    pub key: SecretBytes,
    /// The certificates, DER, leaf first.
    pub chain: Vec<HexBytes>,
    /// What the leaf says.
    pub leaf: CertificateFacts,
}
