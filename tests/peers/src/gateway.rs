//! What a partner's security device is told to do, in words that every gateway shares.

use std::net::SocketAddr;

use crate::identity::Identity;

/// The TLS versions that a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// TLS 1.2 only (RFC 5246).
    Tls12,
    /// TLS 1.3 only (RFC 8446).
    Tls13,
    /// Both.
    #[default]
    Both,
}

/// Whom a gateway lets in.
#[derive(Clone, Debug)]
pub enum Clients {
    /// Anybody: no certificate is asked for.
    Anybody,
    /// Whoever is certified by these anchors (a PEM bundle).
    Anchored(String),
    /// Whoever presents one of these certificates, whoever certified it. Fingerprints are
    /// in the gateway's own spelling: nginx wants SHA-1 in lower case, HAProxy SHA-256 in
    /// upper case.
    Pinned(Vec<String>),
    /// Whoever is certified by the anchors and presents one of these certificates.
    AnchoredAndPinned {
        /// PEM bundle.
        anchors: String,
        /// Fingerprints in the gateway's own spelling.
        pins: Vec<String>,
    },
}

impl Clients {
    pub(crate) fn anchors(&self) -> Option<&str> {
        match self {
            Self::Anchored(anchors) | Self::AnchoredAndPinned { anchors, .. } => Some(anchors),
            Self::Anybody | Self::Pinned(_) => None,
        }
    }

    pub(crate) fn pins(&self) -> Option<&[String]> {
        match self {
            Self::Pinned(pins) | Self::AnchoredAndPinned { pins, .. } => Some(pins),
            Self::Anybody | Self::Anchored(_) => None,
        }
    }

    /// Replaces the pins. Panics when there are none to replace: a test that believes
    /// that it pins must not be told otherwise by passing.
    pub(crate) fn set_pins(&mut self, new: &[&str]) {
        match self {
            Self::Pinned(pins) | Self::AnchoredAndPinned { pins, .. } => {
                *pins = new.iter().map(|&pin| pin.to_owned()).collect();
            }
            Self::Anybody | Self::Anchored(_) => panic!("this gateway does not pin"),
        }
    }
}

/// When a gateway that asks for a certificate asks, and whether it insists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// In the handshake, and lets nobody in without.
    #[default]
    Required,
    /// In the handshake, and lets in who has none.
    Optional,
    /// After the request was read (Apache only).
    Late,
    /// In the handshake, and, now insisting, on `/rest/api/2/issue/` again after the request was read (Apache only).
    Again,
}

/// What stands behind a gateway.
#[derive(Clone, Debug, Default)]
pub enum Upstream {
    /// A built-in stand-in (nginx, HAProxy and `s_server` only) that answers as Jira does to whom is not logged in.
    #[default]
    JiraStandIn,
    /// A server that speaks HTTP/1.1 without TLS.
    At(SocketAddr),
}

/// The configuration of a gateway. Start from [`Gateway::new`] and change what matters.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The server's key and chain, PEM.
    pub server_pem: String,
    /// The versions of TLS that it speaks.
    pub tls: TlsVersions,
    /// Whom it lets in.
    pub clients: Clients,
    /// When it asks, and whether it insists.
    pub demand: Demand,
    /// Revocation lists of the clients' authorities, PEM; `None` to look at none.
    pub revocation: Option<String>,
    /// The suites of TLS 1.2 that it takes, in OpenSSL's spelling (`s_server` only); `None` for its own choice.
    pub suites: Option<&'static str>,
    /// The signatures that it takes from clients, in OpenSSL's spelling (`RSA+SHA256:RSA-PSS+SHA256`); `None`
    /// for its own choice.
    pub client_signatures: Option<&'static str>,
    /// How many bytes of a request's body it takes (nginx only); `None` for as many as Jira takes of an attachment.
    pub body_limit: Option<u32>,
    /// Whether it wants a password beside the certificate.
    pub password: bool,
    /// The methods that `/rest/` takes; the others are answered with 403.
    pub methods: Vec<&'static str>,
    /// Whether sessions are resumed from the server's cache (by session ID, TLS 1.2).
    pub session_cache: bool,
    /// Whether sessions are resumed by tickets (RFC 5077 in TLS 1.2, RFC 8446 §4.6.1).
    pub session_tickets: bool,
    /// Where requests go.
    pub upstream: Upstream,
}

impl Gateway {
    /// Whether it asks after the request was read, which is for Apache alone.
    pub(crate) fn asks_late(&self) -> bool {
        matches!(self.demand, Demand::Late | Demand::Again)
    }

    /// Where requests go; panics for a peer that has no stand-in of its own.
    pub(crate) fn upstream_address(&self) -> SocketAddr {
        match self.upstream {
            Upstream::At(address) => address,
            Upstream::JiraStandIn => panic!("this peer needs an upstream: see `Backend`"),
        }
    }

    /// Speaks both versions of TLS, resumes sessions in every way, lets the four methods
    /// through to the Jira stand-in.
    pub fn new(server: &Identity, clients: Clients) -> Self {
        Self {
            server_pem: server.bundle_pem(),
            tls: TlsVersions::default(),
            clients,
            demand: Demand::default(),
            revocation: None,
            suites: None,
            client_signatures: None,
            body_limit: None,
            password: false,
            methods: vec!["GET", "POST", "PUT", "DELETE"],
            session_cache: true,
            session_tickets: true,
            upstream: Upstream::default(),
        }
    }
}
