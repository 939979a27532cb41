//! What a configuration means for an identity, from the standards and from what the products document: written
//! down before anything was probed. Where a product then turned out to do something else than was written, the reason
//! stands at its place; there are six such places, and none of them follows the probe against the product.
//!
//! OpenSSL, on which nginx, HAProxy, Apache, stunnel and hitch are built, looks in this order (`X509_verify_cert`): is
//! there a path to a self-signed anchor, is the leaf for clients, is it revoked, is everything within its
//! period. The first fault decides the alert (RFC 8446 §6.2). No issuer, a missing intermediate and a
//! self-signed leaf are all `unknown_ca`: no probe can tell them apart, and this table does not ask it to.
//!
//! BoringSSL, in Envoy, looks in the same order, and Envoy takes any certificate that it trusts for the end of a
//! path. Go, in Caddy, takes a leaf that lies among the roots; that of Debian 12 says `bad_certificate` to whatever it
//! refuses, and to nothing at all.

mod refusal;

use countersign_peers::Algorithm;

use super::{
    super::remedy::Matter,
    clients::{Client, Kind},
    settings::{Product, Setting},
};
use crate::model::{
    Tier,
    Verdict::{self, Accepted, Inconclusive, Rejected},
};

/// The version that a conversation settles on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tls {
    V12,
    V13,
}

/// What comes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Signal {
    Alert(&'static str),
    Status(u16),
}

/// What a configuration means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Meaning {
    pub(super) verdict: Verdict,
    pub(super) tier: Tier,
    pub(super) signal: Signal,
    pub(super) matter: Option<Matter>,
    /// What the report must say in words, and so must not hide.
    pub(super) says: &'static str,
}

impl Meaning {
    fn new(
        verdict: Verdict,
        tier: Tier,
        signal: Signal,
        matter: Option<Matter>,
        says: &'static str,
    ) -> Self {
        Self {
            verdict,
            tier,
            signal,
            matter,
            says,
        }
    }
}

/// What `setting` of `product` means for `client`.
pub(super) fn meaning(product: Product, setting: Setting, tls: Tls, client: &Client) -> Meaning {
    match setting {
        Setting::NotAsked => {
            return Meaning::new(
                Inconclusive,
                Tier::Jira,
                Signal::Status(200),
                Some(Matter::Ask),
                "asks for no client certificate",
            );
        }
        Setting::Late => return late(tls),
        _ => {}
    }
    if client.kind == Kind::Nothing {
        return nothing(product, setting, tls);
    }
    if !takes_key(product, setting, client.key) {
        // What comes back is what comes back to no certificate, and says nothing of ours.
        return Meaning {
            verdict: Inconclusive,
            tier: Tier::ClientCertificate,
            matter: Some(Matter::KeyType),
            says: match (setting, product) {
                (Setting::Optional, _) => "Jira answered all the same",
                (Setting::RsaOnly, _) => "takes (RSA keys make them), so none was sent",
                _ => "(ECDSA P-256, RSA, ECDSA P-384 keys make them), so none was sent",
            },
            ..nothing(product, setting, tls)
        };
    }
    refusal::refusal(product, setting, client).unwrap_or_else(|| beyond(setting))
}

/// Apache cannot renegotiate with a client that refuses to (TLS 1.2), nor ask one afterwards that has not offered
/// it (RFC 8446 §4.6.2): no certificate was asked for, whatever the client had to show.
fn late(tls: Tls) -> Meaning {
    let (tier, signal) = match tls {
        Tls::V12 => (Tier::ClientCertificate, Signal::Alert("handshake_failure")),
        Tls::V13 => (Tier::Gateway, Signal::Status(403)),
    };
    Meaning::new(
        Inconclusive,
        tier,
        signal,
        Some(Matter::AskEarly),
        "asks late",
    )
}

/// None was presented, or our key makes none of the signatures that are taken (RFC 8446 §4.4.2: an empty
/// Certificate).
fn nothing(product: Product, setting: Setting, tls: Tls) -> Meaning {
    let present =
        |tier, signal, says| Meaning::new(Rejected, tier, signal, Some(Matter::Present), says);
    match (product, setting) {
        (_, Setting::Optional) => Meaning::new(
            Inconclusive,
            Tier::Jira,
            Signal::Status(200),
            Some(Matter::Strangers),
            "lets anybody in",
        ),
        // They ask, take nothing for an answer, and find it on no list.
        (Product::Nginx | Product::Haproxy, Setting::Listed) => {
            present(Tier::Gateway, Signal::Status(403), "403")
        }
        (Product::Nginx, _) => present(
            Tier::ClientCertificate,
            Signal::Status(400),
            "no client certificate was sent",
        ),
        (Product::Caddy, _) => present(
            Tier::ClientCertificate,
            Signal::Alert("bad_certificate"),
            "for want of a certificate",
        ),
        // RFC 5246 §7.4.6 and RFC 8446 §4.4.2.4.
        _ => present(
            Tier::ClientCertificate,
            Signal::Alert(match tls {
                Tls::V12 => "handshake_failure",
                Tls::V13 => "certificate_required",
            }),
            "for want of a certificate",
        ),
    }
}

/// OpenSSL and Go take signatures by every key of ours unless told otherwise; BoringSSL asks for none by Ed25519.
fn takes_key(product: Product, setting: Setting, key: Algorithm) -> bool {
    match key {
        Algorithm::Rsa2048 => true,
        Algorithm::EcdsaP256 => setting != Setting::RsaOnly,
        Algorithm::Ed25519 => setting != Setting::RsaOnly && product != Product::Envoy,
    }
}

/// Let in by the handshake.
fn beyond(setting: Setting) -> Meaning {
    match setting {
        Setting::Password => Meaning::new(
            Inconclusive,
            Tier::Gateway,
            Signal::Status(401),
            Some(Matter::SecondAuthentication),
            "second authentication",
        ),
        Setting::LoginPage => Meaning::new(
            Inconclusive,
            Tier::Gateway,
            Signal::Status(200),
            Some(Matter::SingleSignOn),
            "page for people",
        ),
        _ => Meaning::new(
            Accepted,
            Tier::Jira,
            Signal::Status(200),
            None,
            "Jira answered",
        ),
    }
}

/// What the two controls must show, no certificate first, when the good identity is probed.
pub(super) fn controls(setting: Setting) -> [Verdict; 2] {
    match setting {
        Setting::NotAsked => [Accepted, Accepted],
        Setting::Late => [Inconclusive, Inconclusive],
        Setting::Optional => [Accepted, Rejected],
        // The stranger's key is P-256, so nothing goes out that could be refused.
        Setting::RsaOnly => [Rejected, Inconclusive],
        _ => [Rejected, Rejected],
    }
}

/// What becomes of the report as a whole when the good identity is accepted: what else is to mend.
pub(super) fn left_to_mend(setting: Setting) -> Option<(Matter, &'static str)> {
    match setting {
        Setting::Optional => Some((Matter::Strangers, "no certificate gets in too")),
        Setting::MethodsMissing => Some((Matter::Methods, "blocks PUT, DELETE")),
        _ => None,
    }
}
