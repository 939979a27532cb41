//! Each rule with a chain that meets it and one that does not.

use super::*;
use crate::model::{Fingerprint, KeyUsage, OrderFault, SerialNumber, Sha1Fingerprint, Validity};

/// A chain with everything that it is judged by; by default nothing is wrong.
struct Case {
    chain: ChainFacts,
    rules: CertificateRules,
    approved_domains: Vec<String>,
    wanted_names: Vec<String>,
    earlier_keys: Vec<KeyId>,
}

fn now() -> Timestamp {
    "2026-11-24T03:30:00Z".parse().unwrap()
}

fn validity(from: i64, to: i64) -> Validity {
    Validity::new(Lapse::days(from).after(now()), Lapse::days(to).after(now())).unwrap()
}

fn certificate(subject: &str, issuer: &str) -> CertificateFacts {
    CertificateFacts {
        fingerprint: Fingerprint::from_digest([1; 32]),
        sha1: Sha1Fingerprint::from_digest([1; 20]),
        key_id: KeyId::from_digest([1; 32]),
        key_algorithm: Some(KeyAlgorithm::EcdsaP256),
        subject: subject.to_owned(),
        issuer: issuer.to_owned(),
        serial: SerialNumber::from_bytes(&[1]),
        validity: validity(-1, 89),
        dns_names: vec!["align.acme.example".to_owned()],
        email_addresses: vec![],
        extended_key_usage: Some(vec![ExtendedKeyUsage::ClientAuth]),
        key_usage: Some(KeyUsage {
            digital_signature: true,
            ..KeyUsage::default()
        }),
        is_ca: false,
        self_issued: false,
    }
}

fn authority(subject: &str, issuer: &str) -> CertificateFacts {
    CertificateFacts {
        is_ca: true,
        key_usage: Some(KeyUsage {
            key_cert_sign: true,
            ..KeyUsage::default()
        }),
        validity: validity(-100, 1000),
        ..certificate(subject, issuer)
    }
}

impl Case {
    fn good() -> Self {
        Self {
            chain: ChainFacts {
                certificates: vec![
                    certificate("CN=align", "CN=Issuing"),
                    authority("CN=Issuing", "CN=Root"),
                ],
                key_matches: Some(true),
                order_fault: None,
                complete: Some(true),
            },
            rules: CertificateRules {
                algorithms: vec![KeyAlgorithm::EcdsaP256],
                max_validity: Lapse::days(90),
                min_remaining: Lapse::days(30),
            },
            approved_domains: vec!["acme.example".to_owned()],
            wanted_names: vec!["align.acme.example".to_owned()],
            earlier_keys: vec![KeyId::from_digest([2; 32])],
        }
    }

    fn lint(&self) -> Vec<Violation> {
        lint(&LintInput {
            chain: &self.chain,
            rules: &self.rules,
            approved_domains: &self.approved_domains,
            wanted_names: &self.wanted_names,
            earlier_keys: &self.earlier_keys,
            now: now(),
        })
    }

    fn leaf(&mut self) -> &mut CertificateFacts {
        &mut self.chain.certificates[0]
    }
}

/// What is changed in a good case, and which rules that breaks.
type Change = (&'static str, fn(&mut Case), &'static [Reason]);

const CHANGES: &[Change] = &[
    ("nothing", |_| {}, &[]),
    (
        "an authority",
        |c| c.leaf().is_ca = true,
        &[Reason::CertificateAuthorityAsLeaf],
    ),
    (
        "serverAuth only",
        |c| c.leaf().extended_key_usage = Some(vec![ExtendedKeyUsage::ServerAuth]),
        &[Reason::ClientAuthMissing],
    ),
    (
        "no purpose",
        |c| c.leaf().extended_key_usage = Some(vec![]),
        &[Reason::ClientAuthMissing],
    ),
    (
        "no extKeyUsage",
        |c| c.leaf().extended_key_usage = None,
        &[],
    ),
    (
        "any purpose",
        |c| c.leaf().extended_key_usage = Some(vec![ExtendedKeyUsage::Any]),
        &[],
    ),
    (
        "no digitalSignature",
        |c| c.leaf().key_usage = Some(KeyUsage::default()),
        &[Reason::DigitalSignatureMissing],
    ),
    ("no keyUsage", |c| c.leaf().key_usage = None, &[]),
    (
        "a kind of key that is not listed",
        |c| c.leaf().key_algorithm = Some(KeyAlgorithm::Ed25519),
        &[Reason::KeyAlgorithmNotAllowed],
    ),
    (
        "an unknown kind of key",
        |c| c.leaf().key_algorithm = None,
        &[Reason::KeyAlgorithmNotAllowed],
    ),
    (
        "another key",
        |c| c.chain.key_matches = Some(false),
        &[Reason::KeyMismatch],
    ),
    ("no key at hand", |c| c.chain.key_matches = None, &[]),
    (
        "an old key",
        |c| c.earlier_keys.push(KeyId::from_digest([1; 32])),
        &[Reason::KeyReused],
    ),
    (
        "a common name only",
        |c| c.leaf().dns_names.clear(),
        &[Reason::NoNames, Reason::WantedNameMissing],
    ),
    (
        "a foreign name besides",
        |c| c.leaf().dns_names.push("align.evil.example".into()),
        &[Reason::NameOutsideApprovedDomains],
    ),
    (
        "two foreign names",
        |c| {
            c.leaf()
                .dns_names
                .extend(["a.example".into(), "b.example".into()]);
        },
        &[
            Reason::NameOutsideApprovedDomains,
            Reason::NameOutsideApprovedDomains,
        ],
    ),
    (
        "a foreign mailbox",
        |c| c.leaf().email_addresses.push("ops@evil.example".into()),
        &[Reason::NameOutsideApprovedDomains],
    ),
    (
        "an approved mailbox",
        |c| c.leaf().email_addresses.push("ops@Acme.example".into()),
        &[],
    ),
    (
        "no approved domain",
        |c| c.approved_domains.clear(),
        &[Reason::NameOutsideApprovedDomains],
    ),
    (
        "a name less than asked for",
        |c| c.wanted_names.push("align-2.acme.example".into()),
        &[Reason::WantedNameMissing],
    ),
    (
        "a wildcard for a wanted name",
        |c| c.leaf().dns_names = vec!["*.acme.example".into()],
        &[Reason::WantedNameMissing],
    ),
    (
        "a wanted name in other case",
        |c| c.wanted_names = vec!["ALIGN.acme.example".into()],
        &[],
    ),
    (
        "the wrong issuer",
        |c| {
            c.chain.order_fault = Some(OrderFault {
                position: 0,
                issuer: "CN=Issuing".into(),
                next_subject: "CN=Root".into(),
            });
        },
        &[Reason::ChainOutOfOrder],
    ),
    (
        "no anchor reached",
        |c| c.chain.complete = Some(false),
        &[Reason::ChainIncomplete],
    ),
    ("no anchor known", |c| c.chain.complete = None, &[]),
    (
        "an issuer that is no authority",
        |c| c.chain.certificates[1].is_ca = false,
        &[Reason::IssuerNotAuthority],
    ),
    (
        "an issuer that may not sign certificates",
        |c| c.chain.certificates[1].key_usage = Some(KeyUsage::default()),
        &[Reason::IssuerNotAuthority],
    ),
    (
        "a day too long",
        |c| c.leaf().validity = validity(-1, 90),
        &[Reason::ValidityTooLong],
    ),
    (
        "ended",
        |c| c.leaf().validity = validity(-80, -1),
        &[Reason::Expired],
    ),
    (
        "an issuer that ended",
        |c| c.chain.certificates[1].validity = validity(-100, -1),
        &[Reason::Expired],
    ),
    (
        "not begun",
        |c| c.leaf().validity = validity(1, 89),
        &[Reason::NotYetValid],
    ),
    (
        "an issuer that has not begun",
        |c| c.chain.certificates[1].validity = validity(1, 1000),
        &[Reason::NotYetValid],
    ),
    (
        "ending soon",
        |c| c.leaf().validity = validity(-1, 29),
        &[Reason::RemainingTooShort],
    ),
    (
        "just enough left",
        |c| c.leaf().validity = validity(-1, 30),
        &[],
    ),
    (
        "an issuer that ends soon",
        |c| c.chain.certificates[1].validity = validity(-100, 29),
        &[Reason::RemainingTooShort],
    ),
    (
        "everything at once",
        |c| {
            c.leaf().is_ca = true;
            c.leaf().validity = validity(-200, -1);
            c.chain.complete = Some(false);
        },
        &[
            Reason::CertificateAuthorityAsLeaf,
            Reason::ChainIncomplete,
            Reason::ValidityTooLong,
            Reason::Expired,
        ],
    ),
];

#[test]
fn each_change_breaks_the_rules_that_it_should_and_no_others() {
    for (what, change, wanted) in CHANGES {
        let mut case = Case::good();
        change(&mut case);
        let found: Vec<Reason> = case.lint().iter().map(|v| v.reason).collect();
        assert_eq!(found, *wanted, "{what}");
    }
}

#[test]
fn every_rule_is_broken_by_some_change() {
    for rule in RULES {
        let broken = CHANGES
            .iter()
            .any(|(_, _, reasons)| reasons.contains(&rule.reason));
        assert!(broken, "{}", rule.reason);
    }
}

#[test]
fn a_message_names_the_value_and_the_remedy() {
    let mut case = Case::good();
    case.leaf().validity = validity(-1, 364);
    assert_eq!(
        case.lint()[0].message,
        "it is valid for 365d, the policy allows 90d: have it issued for less, or change the policy"
    );
}

#[test]
fn a_domain_approves_itself_and_what_lies_below_at_label_boundaries() {
    for (name, domain, inside) in [
        ("acme.example", "acme.example", true),
        ("a.acme.example", "acme.example", true),
        ("a.b.acme.example", "acme.example", true),
        ("A.ACME.Example", "acme.example", true),
        ("a.acme.example", "Acme.Example", true),
        ("a.acme.example.", "acme.example", true),
        ("a.acme.example", "acme.example.", true),
        ("*.jiraalign.com", "jiraalign.com", true),
        ("*.a.jiraalign.com", "jiraalign.com", true),
        ("evilacme.example", "acme.example", false),
        ("acme.example.evil", "acme.example", false),
        ("example", "acme.example", false),
        ("*.example", "acme.example", false),
        ("a.*.acme.example", "acme.example", false),
        ("*", "acme.example", false),
        ("*.", "", false),
        ("", "", false),
        ("a", "", false),
        (".acme.example", "acme.example", false),
        ("evil.example\0.acme.example", "acme.example", false),
        ("evil.example\\u{0}.acme.example", "acme.example", false),
        ("evil.example/.acme.example", "acme.example", false),
    ] {
        assert_eq!(lies_in(name, domain), inside, "{name} in {domain}");
    }
}

#[test]
fn a_reason_is_the_same_word_everywhere() {
    for rule in RULES {
        let json = serde_json::to_string(&rule.reason).unwrap();
        assert_eq!(json, format!("\"{}\"", rule.reason));
    }
}
