//! The local certification authority: a root that signs once, and an issuing authority that works.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::secret::SecretBytes;
use crate::model::{HexBytes, SerialNumber};

/// An authority as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorityRecord {
    /// The root's certificate, DER.
    pub root: HexBytes,
    /// The root's key, PKCS#8 DER.
    pub root_key: SecretBytes,
    /// The issuing authority's certificate, DER.
    pub issuing: HexBytes,
    /// The issuing authority's key, PKCS#8 DER.
    pub issuing_key: SecretBytes,
    /// What the issuing authority has revoked.
    pub revoked: Vec<RevokedRecord>,
    /// The number of the last revocation list (RFC 5280 §5.2.3).
    pub crl_number: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A certificate that is no longer to be trusted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevokedRecord {
    /// Which.
    pub serial: SerialNumber,
    /// Since when.
    pub at: Timestamp,
}
