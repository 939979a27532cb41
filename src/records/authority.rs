//! The local certification authority: a root that signs once, and an issuing authority that works.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{HexBytes, SerialNumber};

/// An authority as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct AuthorityRecord {
    /// The root's certificate, DER.
    pub root: HexBytes,
    /// The root's key, PKCS#8 DER in hexadecimal.
    pub root_key: Zeroizing<String>,
    /// The issuing authority's certificate, DER.
    pub issuing: HexBytes,
    /// The issuing authority's key, PKCS#8 DER in hexadecimal.
    pub issuing_key: Zeroizing<String>,
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

impl fmt::Debug for AuthorityRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityRecord")
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}
