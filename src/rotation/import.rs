//! Taking in the chain that the partner's authority made of our request.

use jiff::Timestamp;

use super::{
    Setting,
    steps::{judge, violations},
};
use crate::{
    model::{
        Fingerprint, HexBytes, IdentityName, PolicyName,
        audit::Author,
        rotation::{Fact, Rotation, RotationId},
    },
    pki,
    policy::lint::Reason,
    records::{Batch, Records, RecordsError},
};

/// Why a chain was not taken. What was there is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It breaks a rule.
    #[error("the certificate breaks the rules of policy {policy}: {violations}")]
    Lint {
        /// Whose rules.
        policy: PolicyName,
        /// The rules by name, and what is wrong.
        violations: String,
    },
    /// No request is out.
    #[error(
        "no request of {identity} waits for a certificate; `countersign rotation start {identity}` makes one"
    )]
    NothingPending {
        /// Whose.
        identity: IdentityName,
    },
    /// The bytes are no chain.
    #[error("the file holds no certificate chain that could be used")]
    Pem(#[from] pki::pem::PemError),
    /// The certificates do not fit together, or not to the pending key.
    #[error("the certificates do not form a chain for the pending key")]
    Chain(#[from] pki::ChainError),
    /// The store refused.
    #[error("the certificate was not stored")]
    Records(#[from] RecordsError),
}

/// Imports a signed chain, in whatever order it was pasted, for the key that waits for it.
pub fn import_chain(
    records: &Records,
    setting: &Setting,
    author: &Author,
    identity: &IdentityName,
    file: &[u8],
    now: Timestamp,
) -> Result<(Rotation, Fingerprint), ImportError> {
    let nothing = || ImportError::NothingPending {
        identity: identity.clone(),
    };
    let found = records.identity(identity)?.ok_or_else(nothing)?.value;
    let id = RotationId {
        identity: identity.clone(),
        generation: found.rotation.ok_or_else(nothing)?,
    };
    let mut generation = records
        .generation(identity, id.generation)?
        .ok_or_else(nothing)?;
    if !generation.value.chain.is_empty() {
        return Err(nothing());
    }
    let lint = |violations| ImportError::Lint {
        policy: setting.policy.name.clone(),
        violations,
    };
    let certificates = pki::pem::certificates_from_pem(file)?;
    let chain = match pki::order_chain(&certificates, generation.value.key_id) {
        // A rule like the others, found out before there is a chain to judge.
        Err(error @ pki::ChainError::NoLeaf { .. }) => {
            return Err(lint(format!("[{}] {error}", Reason::KeyMismatch)));
        }
        ordered => ordered?,
    };
    let facts = pki::inspect_chain(
        &chain,
        Some(generation.value.key_id),
        &setting.issuer.anchors,
    )?;
    let broken = judge(records, setting, &found, &facts, now)?;
    if !broken.is_empty() {
        return Err(lint(violations(&broken)));
    }
    let leaf = facts.leaf().clone();
    let (fingerprint, not_after) = (leaf.fingerprint, leaf.validity.not_after());
    generation.value.chain = chain.into_iter().map(HexBytes).collect();
    generation.value.leaf = Some(leaf);
    let batch = Batch::new().generation(&generation);
    let rotation = records.note(&id, author, now, batch, |_| {
        Some(Fact::Imported {
            fingerprint,
            not_after,
        })
    })?;
    rotation
        .map(|rotation| (rotation, fingerprint))
        .ok_or_else(nothing)
}
