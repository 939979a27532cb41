//! The rules that a certificate must meet before it is offered to anyone. Each is one pure function; all are
//! asked, so that a person can mend everything at once.
//!
//! A rule judges only what is known: where no key or no anchors were at hand, nothing is said about them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    CertificateFacts, ChainFacts, ExtendedKeyUsage, KeyAlgorithm, KeyId, Lapse, one_line,
};

/// What a policy demands of certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateRules {
    /// The kinds of key that may be used.
    pub algorithms: Vec<KeyAlgorithm>,
    /// The longest period, from notBefore to notAfter.
    pub max_validity: Lapse,
    /// The least that must be left when a certificate is offered.
    pub min_remaining: Lapse,
}

/// A chain with all that it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct LintInput<'a> {
    /// What was found in the chain.
    pub chain: &'a ChainFacts,
    /// The policy's demands.
    pub rules: &'a CertificateRules,
    /// The domains in which names may lie. Each approves itself and all below it; an empty list approves
    /// nothing, so that a forgotten list is noticed here and not by whoever owns the name.
    pub approved_domains: &'a [String],
    /// The host names that the certificate was asked to have.
    pub wanted_names: &'a [String],
    /// Keys that were in use before: those of earlier generations, and such as are known to have ended.
    pub earlier_keys: &'a [KeyId],
    /// The present.
    pub now: Timestamp,
}

/// Which rule was broken.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The leaf is an authority itself.
    CertificateAuthorityAsLeaf,
    /// The chain does not reach a trust anchor.
    ChainIncomplete,
    /// A certificate is not followed by its issuer.
    ChainOutOfOrder,
    /// extKeyUsage without clientAuth.
    ClientAuthMissing,
    /// keyUsage without digitalSignature.
    DigitalSignatureMissing,
    /// A certificate of the chain is no longer valid.
    Expired,
    /// An issuer in the chain is no authority.
    IssuerNotAuthority,
    /// The policy does not allow this kind of key.
    KeyAlgorithmNotAllowed,
    /// The leaf is for another key.
    KeyMismatch,
    /// The key was used before.
    KeyReused,
    /// A name lies in no approved domain.
    NameOutsideApprovedDomains,
    /// No host name in subjectAltName.
    NoNames,
    /// A certificate of the chain is not valid yet.
    NotYetValid,
    /// A certificate of the chain ends too soon.
    RemainingTooShort,
    /// The leaf is valid for longer than the policy allows.
    ValidityTooLong,
    /// A name that was asked for is missing.
    WantedNameMissing,
}

impl Reason {
    /// The word used in records, listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertificateAuthorityAsLeaf => "certificate-authority-as-leaf",
            Self::ChainIncomplete => "chain-incomplete",
            Self::ChainOutOfOrder => "chain-out-of-order",
            Self::ClientAuthMissing => "client-auth-missing",
            Self::DigitalSignatureMissing => "digital-signature-missing",
            Self::Expired => "expired",
            Self::IssuerNotAuthority => "issuer-not-authority",
            Self::KeyAlgorithmNotAllowed => "key-algorithm-not-allowed",
            Self::KeyMismatch => "key-mismatch",
            Self::KeyReused => "key-reused",
            Self::NameOutsideApprovedDomains => "name-outside-approved-domains",
            Self::NoNames => "no-names",
            Self::NotYetValid => "not-yet-valid",
            Self::RemainingTooShort => "remaining-too-short",
            Self::ValidityTooLong => "validity-too-long",
            Self::WantedNameMissing => "wanted-name-missing",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Which, for machines.
    pub reason: Reason,
    /// What is wrong and what mends it, for people.
    pub message: String,
}

/// One rule: what it is about, and the function that says what breaks it, one message for each fault.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The reason that its violations bear.
    pub reason: Reason,
    check: fn(&LintInput<'_>) -> Vec<String>,
}

/// All rules, in the order in which violations are listed: what it is, whom it names, whether it hangs
/// together, how long it lasts.
pub static RULES: &[Rule] = &[
    rule(Reason::CertificateAuthorityAsLeaf, leaf_is_no_authority),
    rule(Reason::ClientAuthMissing, leaf_serves_clients),
    rule(Reason::DigitalSignatureMissing, leaf_may_sign),
    rule(Reason::KeyAlgorithmNotAllowed, algorithm_is_allowed),
    rule(Reason::KeyMismatch, key_matches),
    rule(Reason::KeyReused, key_is_new),
    rule(Reason::NoNames, there_are_names),
    rule(Reason::NameOutsideApprovedDomains, names_are_approved),
    rule(Reason::WantedNameMissing, wanted_names_are_there),
    rule(Reason::ChainOutOfOrder, chain_is_in_order),
    rule(Reason::ChainIncomplete, chain_is_complete),
    rule(Reason::IssuerNotAuthority, issuers_are_authorities),
    rule(Reason::ValidityTooLong, validity_is_short_enough),
    rule(Reason::Expired, nothing_is_expired),
    rule(Reason::NotYetValid, all_is_valid_already),
    rule(Reason::RemainingTooShort, enough_remains),
];

const fn rule(reason: Reason, check: fn(&LintInput<'_>) -> Vec<String>) -> Rule {
    Rule { reason, check }
}

/// Everything that is wrong with the chain; nothing when it may be offered.
pub fn lint(input: &LintInput<'_>) -> Vec<Violation> {
    RULES
        .iter()
        .flat_map(|rule| {
            (rule.check)(input).into_iter().map(|message| Violation {
                reason: rule.reason,
                message,
            })
        })
        .collect()
}

fn when(broken: bool, message: impl FnOnce() -> String) -> Vec<String> {
    if broken { vec![message()] } else { Vec::new() }
}

// === What it is ===

fn leaf_is_no_authority(input: &LintInput<'_>) -> Vec<String> {
    let leaf = input.chain.leaf();
    when(leaf.is_ca, || {
        format!(
            "`{}` is an authority's certificate (cA is true): offer one for the client, issued by it",
            leaf.subject
        )
    })
}

fn leaf_serves_clients(input: &LintInput<'_>) -> Vec<String> {
    let leaf = input.chain.leaf();
    when(!leaf.allows_client_auth(), || {
        format!(
            "`{}` may not be used by TLS clients: extKeyUsage has {} but not clientAuth; have it issued with clientAuth, by a private authority if the public one no longer does",
            leaf.subject,
            purposes(leaf)
        )
    })
}

fn purposes(leaf: &CertificateFacts) -> String {
    let named: Vec<&str> = leaf
        .extended_key_usage
        .iter()
        .flatten()
        .map(|usage| match usage {
            ExtendedKeyUsage::Any => "anyExtendedKeyUsage",
            ExtendedKeyUsage::ClientAuth => "clientAuth",
            ExtendedKeyUsage::EmailProtection => "emailProtection",
            ExtendedKeyUsage::ServerAuth => "serverAuth",
            ExtendedKeyUsage::Other(oid) => oid,
        })
        .collect();
    if named.is_empty() {
        "nothing".to_owned()
    } else {
        named.join(", ")
    }
}

fn leaf_may_sign(input: &LintInput<'_>) -> Vec<String> {
    let leaf = input.chain.leaf();
    let broken = leaf.key_usage.is_some_and(|usage| !usage.digital_signature);
    when(broken, || {
        format!(
            "`{}` may not sign: keyUsage lacks digitalSignature, without which no TLS client can prove its key; have it issued with digitalSignature",
            leaf.subject
        )
    })
}

fn algorithm_is_allowed(input: &LintInput<'_>) -> Vec<String> {
    let found = input.chain.leaf().key_algorithm;
    let broken = found.is_none_or(|found| !input.rules.algorithms.contains(&found));
    when(broken, || {
        let allowed: Vec<&str> = input.rules.algorithms.iter().map(|a| a.as_str()).collect();
        format!(
            "the key is {}, the policy allows {}: make a new generation with an allowed one, or change the policy",
            found.map_or("of an unknown kind", KeyAlgorithm::as_str),
            if allowed.is_empty() {
                "none".to_owned()
            } else {
                allowed.join(", ")
            }
        )
    })
}

fn key_matches(input: &LintInput<'_>) -> Vec<String> {
    let leaf = input.chain.leaf();
    when(input.chain.key_matches == Some(false), || {
        format!(
            "`{}` certifies the key {}, not the one that is pending: ask for a certificate over the request that was exported last",
            leaf.subject, leaf.key_id
        )
    })
}

fn key_is_new(input: &LintInput<'_>) -> Vec<String> {
    let key = input.chain.leaf().key_id;
    when(input.earlier_keys.contains(&key), || {
        format!(
            "the key {key} was in use before: a rotation needs a new key, so make a new request"
        )
    })
}

// === Whom it names ===

fn there_are_names(input: &LintInput<'_>) -> Vec<String> {
    let leaf = input.chain.leaf();
    when(leaf.dns_names.is_empty(), || {
        format!(
            "`{}` has no host name in subjectAltName: gateways do not look at the common name; have it issued with one",
            leaf.subject
        )
    })
}

fn names_are_approved(input: &LintInput<'_>) -> Vec<String> {
    let leaf = input.chain.leaf();
    let approved = |host: &str| {
        input
            .approved_domains
            .iter()
            .any(|domain| lies_in(host, domain))
    };
    let hosts = leaf.dns_names.iter().filter(|name| !approved(name));
    let mailboxes = leaf.email_addresses.iter().filter(|address| {
        !address
            .rsplit_once('@')
            .is_some_and(|(_, host)| approved(host))
    });
    hosts
        .chain(mailboxes)
        .map(|name| {
            let name = one_line(name);
            if input.approved_domains.is_empty() {
                format!("`{name}` is not approved, for no domain is: list the approved domains")
            } else {
                format!(
                    "`{name}` lies in none of the approved domains {}: have it issued without that name, or approve its domain",
                    input.approved_domains.join(", ")
                )
            }
        })
        .collect()
}

/// Whether a host name, maybe with `*` for its first label, is the domain or lies below it.
///
/// A name of other characters lies nowhere: what stands before a NUL or a line end could be taken for the whole
/// of it by whoever reads it next.
fn lies_in(name: &str, domain: &str) -> bool {
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let (name, domain) = (plain(name), plain(domain));
    let host = name.strip_prefix("*.").unwrap_or(&name);
    let is_host = host.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    });
    is_host
        && !domain.is_empty()
        && host
            .strip_suffix(&domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn wanted_names_are_there(input: &LintInput<'_>) -> Vec<String> {
    let leaf = input.chain.leaf();
    input
        .wanted_names
        .iter()
        .filter(|wanted| {
            // A wildcard is no substitute: gateways that compare names compare them as they stand.
            !leaf
                .dns_names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(wanted))
        })
        .map(|wanted| {
            format!(
                "`{wanted}` was asked for but is not in subjectAltName ({}): have it issued with that name, or no longer ask for it",
                listed(&leaf.dns_names)
            )
        })
        .collect()
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names {
        [] => "which has none".to_owned(),
        _ if names.len() > SHOWN => {
            format!(
                "{} and {} more",
                names[..SHOWN].join(", "),
                names.len() - SHOWN
            )
        }
        _ => names.join(", "),
    }
}

// === Whether it hangs together ===

fn chain_is_in_order(input: &LintInput<'_>) -> Vec<String> {
    input
        .chain
        .order_fault
        .iter()
        .map(|fault| {
            if fault.issuer == fault.next_subject {
                format!(
                    "certificate {} was issued by `{}`, and one of that name follows, but it has another key: get the issuer's right certificate",
                    fault.position, fault.issuer
                )
            } else {
                format!(
                    "certificate {} was issued by `{}`, but `{}` follows: put the issuer's certificate there",
                    fault.position, fault.issuer, fault.next_subject
                )
            }
        })
        .collect()
}

fn chain_is_complete(input: &LintInput<'_>) -> Vec<String> {
    let last = input.chain.certificates.last();
    let broken = input.chain.complete == Some(false);
    when(broken, || {
        format!(
            "the chain ends with `{}`, issued by `{}`, and that is not the trust anchor: add the missing intermediate certificates",
            last.map_or("", |last| &last.subject),
            last.map_or("", |last| &last.issuer)
        )
    })
}

fn issuers_are_authorities(input: &LintInput<'_>) -> Vec<String> {
    let issuers = input.chain.certificates.iter().skip(1);
    issuers
        .filter(|issuer| {
            !issuer.is_ca || issuer.key_usage.is_some_and(|usage| !usage.key_cert_sign)
        })
        .map(|issuer| {
            format!(
                "`{}` stands in the chain but may not issue certificates: get the issuer's right certificate",
                issuer.subject
            )
        })
        .collect()
}

// === How long it lasts ===

fn validity_is_short_enough(input: &LintInput<'_>) -> Vec<String> {
    let length = input.chain.leaf().validity.length();
    when(length > input.rules.max_validity, || {
        format!(
            "it is valid for {length}, the policy allows {}: have it issued for less, or change the policy",
            input.rules.max_validity
        )
    })
}

fn nothing_is_expired(input: &LintInput<'_>) -> Vec<String> {
    let all = input.chain.certificates.iter();
    all.filter(|certificate| certificate.validity.is_over(input.now))
        .map(|certificate| {
            format!(
                "`{}` ended at {}: have it issued anew",
                certificate.subject,
                certificate.validity.not_after()
            )
        })
        .collect()
}

fn all_is_valid_already(input: &LintInput<'_>) -> Vec<String> {
    let all = input.chain.certificates.iter();
    all.filter(|certificate| input.now < certificate.validity.not_before())
        .map(|certificate| {
            format!(
                "`{}` is not valid before {}, and now it is {}: wait until then, or set this machine's clock",
                certificate.subject,
                certificate.validity.not_before(),
                input.now
            )
        })
        .collect()
}

fn enough_remains(input: &LintInput<'_>) -> Vec<String> {
    let all = input.chain.certificates.iter();
    all.filter(|certificate| {
        let validity = certificate.validity;
        !validity.is_over(input.now) && validity.remaining(input.now) < input.rules.min_remaining
    })
    .map(|certificate| {
        format!(
            "`{}` ends in {}, at {}, and the policy wants {} at least: have it issued anew",
            certificate.subject,
            certificate.validity.remaining(input.now),
            certificate.validity.not_after(),
            input.rules.min_remaining
        )
    })
    .collect()
}

#[cfg(test)]
mod tests;
