//! Which rules a certificate must keep that is in use already. Refusing it would leave it where it is, outside of the
//! store and beyond its expiry; so what only matters for new certificates is a warning, and what makes it useless or
//! dangerous is a fault.

use super::lint::{Reason, Violation};
use crate::model::CertificateFacts;

/// Violations of a certificate that is to be adopted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Judgement {
    /// What forbids it.
    pub faults: Vec<Violation>,
    /// What its successor will have to keep.
    pub leniencies: Vec<Violation>,
}

/// Parts the violations of a chain by whether they forbid adopting it.
pub fn judge(violations: Vec<Violation>, leaf: &CertificateFacts) -> Judgement {
    let (leniencies, faults) = violations
        .into_iter()
        .partition(|violation| is_lenient(violation.reason, leaf));
    Judgement { faults, leniencies }
}

fn is_lenient(reason: Reason, leaf: &CertificateFacts) -> bool {
    match reason {
        // `openssl req -x509` marks what it signs as an authority; pinned, it harms nobody. One that another
        // authority has issued could issue for others.
        Reason::CertificateAuthorityAsLeaf => leaf.self_issued,
        Reason::ChainIncomplete
        | Reason::KeyAlgorithmNotAllowed
        | Reason::NameOutsideApprovedDomains
        | Reason::NoNames
        | Reason::RemainingTooShort
        | Reason::ValidityTooLong
        | Reason::WantedNameMissing => true,
        Reason::ChainOutOfOrder
        | Reason::ClientAuthMissing
        | Reason::DigitalSignatureMissing
        | Reason::Expired
        | Reason::IssuerNotAuthority
        | Reason::KeyMismatch
        | Reason::KeyReused
        | Reason::NotYetValid => false,
    }
}
