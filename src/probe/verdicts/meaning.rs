//! What a configuration means for an identity, from the standards and from what the products document: written
//! down here before anything was probed, and never copied from what the probe says.
//!
//! OpenSSL, on which nginx, HAProxy, Apache, stunnel and hitch are built, looks in this order (`X509_verify_cert`): is
//! there a path to a self-signed anchor, is the leaf for clients, is it revoked, is everything within its
//! period. The first fault decides the alert (RFC 8446 §6.2). No issuer, a missing intermediate and a
//! self-signed leaf are all `unknown_ca`: no probe can tell them apart, and this table does not ask it to.
//!
//! BoringSSL, in Envoy, looks in the same order, and Envoy takes any certificate that it trusts for the end of a
//! path. Go, in Caddy, takes a leaf that lies among the roots; that of Debian 12 says `bad_certificate` to whatever it
//! refuses, and to nothing at all.

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
    refusal(product, setting, client).unwrap_or_else(|| beyond(setting))
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

fn refusal(product: Product, setting: Setting, client: &Client) -> Option<Meaning> {
    let fault = fault(product, setting, client);
    match (product, setting) {
        (Product::Nginx, Setting::Listed) => {
            // Without an anchor nothing is trusted. `optional_no_ca` goes on and forgives that when it is the last
            // fault of all; of a leaf without its issuer OpenSSL says at the end, after the purpose and before the
            // period, that its signature cannot be verified. So the purpose is forgiven with it.
            match fault {
                Some(Fault::Expired | Fault::NotYetValid) => Some(page_of_nginx(client)),
                _ => unlisted(client),
            }
        }
        // Every fault is ignored but that of not being listed.
        (Product::Haproxy, Setting::Listed) => unlisted(client),
        (Product::Nginx, _) => fault.map(|_| page_of_nginx(client)),
        // `verifyPeer` asks whether the certificate itself lies there, in place of a path to an authority; one that
        // does not is rejected (X509_V_ERR_CERT_REJECTED). Purpose and period are looked at all the same.
        (Product::Stunnel, Setting::Listed) => match fault {
            Some(fault) if fault != Fault::Untrusted => Some(alerted(fault, client)),
            _ => (client.kind == Kind::Unlisted).then(|| {
                Meaning::new(
                    Rejected,
                    Tier::ClientCertificate,
                    Signal::Alert("bad_certificate"),
                    Some(Matter::Trust),
                    "gateways that compare certificates for one that is not on their list",
                )
            }),
        },
        // Apache replaces OpenSSL's reason by one that has no alert of its own.
        (Product::Apache, Setting::RevocationOutdated) => fault.map(|fault| match fault {
            Fault::ListOutdated => Meaning {
                signal: Signal::Alert("certificate_unknown"),
                matter: Some(if unfit_by_itself(client) {
                    Matter::Certificate
                } else {
                    Matter::Trust
                }),
                says: "Apache when its revocation list is out of date",
                ..alerted(fault, client)
            },
            fault => alerted(fault, client),
        }),
        (Product::Apache, Setting::Listed) => fault
            .map(|fault| alerted(fault, client))
            .or_else(|| unlisted(client)),
        (Product::Caddy, Setting::Listed) => fault
            .map(|_| alerted_by_old_go(client))
            .or_else(|| unlisted(client)),
        (Product::Caddy, _) => fault.map(|_| alerted_by_old_go(client)),
        // It compares after it has verified, and borrows an alert of RFC 6066 §9 to say so.
        (Product::Envoy, Setting::Listed) if fault.is_none() => (client.kind == Kind::Unlisted)
            .then(|| {
                Meaning::new(
                    Rejected,
                    Tier::ClientCertificate,
                    Signal::Alert("bad_certificate_hash_value"),
                    Some(Matter::Trust),
                    "the certificate is not one of those that are listed",
                )
            }),
        // certificate_expired is for what "is not currently valid" (RFC 8446 §6.2), to which OpenSSL does not keep.
        (Product::Envoy, _) if fault == Some(Fault::NotYetValid) => Some(Meaning {
            signal: Signal::Alert("certificate_expired"),
            ..alerted(Fault::NotYetValid, client)
        }),
        _ => fault.map(|fault| alerted(fault, client)),
    }
}

/// What OpenSSL finds first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Untrusted,
    Purpose,
    Revoked,
    ListOutdated,
    Expired,
    NotYetValid,
}

fn fault(product: Product, setting: Setting, client: &Client) -> Option<Fault> {
    let trusted = match (setting, client.kind) {
        (Setting::LeafAsAuthority, kind) if matches!(product, Product::Envoy | Product::Caddy) => {
            kind != Kind::Unlisted
        }
        // A path has to end at a self-signed anchor, which a leaf can be and an issued one is not.
        (Setting::LeafAsAuthority, kind) => {
            matches!(kind, Kind::SelfSigned | Kind::SelfSignedAuthority)
        }
        (
            _,
            Kind::IntermediateMissing
            | Kind::Untrusted
            | Kind::SelfSigned
            | Kind::SelfSignedAuthority,
        ) => false,
        _ => true,
    };
    if !trusted {
        return Some(Fault::Untrusted);
    }
    // Of a certificate that is the anchor itself only name, key and period count (RFC 5280 §6.1.1 d).
    let is_anchor = product == Product::Envoy && setting == Setting::LeafAsAuthority;
    match (client.kind, setting) {
        (Kind::ServerOnly, _) => (!is_anchor).then_some(Fault::Purpose),
        (_, Setting::RevocationOutdated) => Some(Fault::ListOutdated),
        (Kind::Revoked, Setting::Revocation) => Some(Fault::Revoked),
        (Kind::Expired, _) => Some(Fault::Expired),
        (Kind::NotYetValid, _) => Some(Fault::NotYetValid),
        _ => None,
    }
}

/// What anybody can see who holds the certificate.
fn unfit_by_itself(client: &Client) -> bool {
    matches!(
        client.kind,
        Kind::ServerOnly | Kind::Expired | Kind::NotYetValid
    )
}

/// OpenSSL's alert for a fault (`ssl_x509err2alert`).
fn alerted(fault: Fault, client: &Client) -> Meaning {
    let (alert, matter, says) = match fault {
        // Which of the three it is cannot be known, so all three have to be said.
        Fault::Untrusted => (
            "unknown_ca",
            Matter::Trust,
            "the issuer is not installed, an intermediate was not sent",
        ),
        Fault::Purpose => (
            "unsupported_certificate",
            Matter::Certificate,
            "lacks clientAuth",
        ),
        Fault::Revoked => ("certificate_revoked", Matter::Certificate, "is revoked"),
        // A list out of date is told as a certificate out of date is: only our own look tells them apart.
        Fault::ListOutdated if unfit_by_itself(client) => (
            "certificate_expired",
            Matter::Certificate,
            "by our own look",
        ),
        Fault::ListOutdated => (
            "certificate_expired",
            Matter::Clock,
            "its revocation list is out of date",
        ),
        Fault::Expired => ("certificate_expired", Matter::Certificate, "has expired"),
        Fault::NotYetValid => ("bad_certificate", Matter::Certificate, "is not yet valid"),
    };
    Meaning::new(
        Rejected,
        Tier::ClientCertificate,
        Signal::Alert(alert),
        Some(matter),
        says,
    )
}

/// An older Go says the same of every fault.
fn alerted_by_old_go(client: &Client) -> Meaning {
    let (matter, says) = if unfit_by_itself(client) {
        (Matter::Certificate, "by our own look")
    } else {
        (
            Matter::Trust,
            "when it is an older Go, for whatever they refuse",
        )
    };
    Meaning::new(
        Rejected,
        Tier::ClientCertificate,
        Signal::Alert("bad_certificate"),
        Some(matter),
        says,
    )
}

/// nginx says the same of every fault: what we cannot see of our own certificate may be any of them.
fn page_of_nginx(client: &Client) -> Meaning {
    let (matter, says) = if unfit_by_itself(client) {
        (Matter::Certificate, "by our own look")
    } else {
        (
            Matter::Trust,
            "its issuer is not trusted there, it is outside its validity, it is revoked or the list that would say so is out of date, or",
        )
    };
    Meaning::new(
        Rejected,
        Tier::ClientCertificate,
        Signal::Status(400),
        Some(matter),
        says,
    )
}

fn unlisted(client: &Client) -> Option<Meaning> {
    (client.kind == Kind::Unlisted).then(|| {
        Meaning::new(
            Rejected,
            Tier::Gateway,
            Signal::Status(403),
            Some(Matter::Trust),
            "the gateway, not Jira, answered 403",
        )
    })
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
