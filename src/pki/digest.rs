//! Digests of whole certificates and keys.

use aws_lc_rs::digest::{self, Algorithm};

use crate::model::audit;

/// SHA-256 of something that the audit log tells of.
pub fn digest_of(bytes: &[u8]) -> audit::Digest {
    audit::Digest::new(sha256(bytes))
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&digest::SHA256, bytes)
}

/// For gateways that pin it; it protects nothing.
pub(super) fn sha1(bytes: &[u8]) -> [u8; 20] {
    digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
}

/// `N` is the algorithm's length: copying panics otherwise, whatever the input.
fn digest<const N: usize>(algorithm: &'static Algorithm, bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(digest::digest(algorithm, bytes).as_ref());
    out
}
