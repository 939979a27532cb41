//! What is kept of the one-time code of a letter: never the code.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Destination, Fingerprint, HexBytes};

/// SHA-256 of a code.
///
/// Compared like any other bytes: whoever could time the comparison would learn digits of a hash, and
/// from a hash of 128 random bits no code follows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeHash(HexBytes);

impl CodeHash {
    /// From the digest of a code.
    pub fn from_digest(digest: &[u8]) -> Self {
        Self(HexBytes(digest.to_vec()))
    }
}

/// A code that was sent and may come back once.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PendingCode {
    /// What is known of it.
    pub hash: CodeHash,
    /// For which environment it speaks.
    pub destination: Destination,
    /// For which certificate it speaks.
    pub fingerprint: Fingerprint,
    /// When the letter was written.
    pub issued_at: Timestamp,
    /// The last instant at which it counts.
    pub expires_at: Timestamp,
    /// When it was taken; it counts no more.
    pub used_at: Option<Timestamp>,
}
