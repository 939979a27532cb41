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

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(self_issued: bool) -> CertificateFacts {
        serde_json::from_value(serde_json::json!({
            "fingerprint": "07".repeat(32), "sha1": "07".repeat(20), "key_id": "07".repeat(32),
            "key_algorithm": "rsa-2048", "subject": "CN=a", "issuer": "CN=b", "serial": "01",
            "validity": { "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z" },
            "dns_names": [], "email_addresses": [], "extended_key_usage": null, "key_usage": null,
            "is_ca": true, "self_issued": self_issued,
        }))
        .unwrap()
    }

    fn forbidden(reason: Reason, leaf: &CertificateFacts) -> bool {
        let message = "m".to_owned();
        !judge(vec![Violation { reason, message }], leaf)
            .faults
            .is_empty()
    }

    #[test]
    fn what_a_certificate_cannot_work_with_forbids_adopting_it() {
        for reason in [
            Reason::Expired,
            Reason::ClientAuthMissing,
            Reason::KeyMismatch,
            Reason::KeyReused,
        ] {
            assert!(forbidden(reason, &leaf(true)), "{reason}");
        }
        for reason in [
            Reason::NoNames,
            Reason::ValidityTooLong,
            Reason::RemainingTooShort,
        ] {
            assert!(!forbidden(reason, &leaf(true)), "{reason}");
        }
    }

    #[test]
    fn an_authority_as_a_leaf_is_forgiven_to_itself_alone() {
        assert!(!forbidden(Reason::CertificateAuthorityAsLeaf, &leaf(true)));
        assert!(forbidden(Reason::CertificateAuthorityAsLeaf, &leaf(false)));
    }
}
