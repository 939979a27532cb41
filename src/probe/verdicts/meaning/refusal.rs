//! What a gateway finds in a certificate that is shown to it, and how it says so.

use super::{
    super::{
        super::remedy::Matter,
        clients::{Client, Kind},
        settings::{Product, Setting},
    },
    Meaning, Signal,
};
use crate::model::{Tier, Verdict::Rejected};

/// How the handshake, or a list behind it, refuses `client`; `None` when it does not.
pub(super) fn refusal(product: Product, setting: Setting, client: &Client) -> Option<Meaning> {
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
