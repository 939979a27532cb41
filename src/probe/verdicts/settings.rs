//! The gateways and their configurations.

use std::net::SocketAddr;

use countersign_peers::{
    Apache, Caddy, Clients as Admitted, Demand, Envoy, Gateway, Haproxy, Hitch, Identity, Nginx,
    OpensslServer, Stunnel, Validity,
};

use super::clients::{Clients, LISTED_NAME};
use crate::model::GatewayProduct;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Product {
    Nginx,
    Haproxy,
    Apache,
    Envoy,
    Caddy,
    Stunnel,
    Hitch,
    Openssl,
}

/// One way in which a gateway may be set up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Setting {
    /// The root of the clients' authority is trusted and a certificate required.
    Trusted,
    /// The leaves themselves are installed where authorities belong.
    LeafAsAuthority,
    /// Single certificates are listed, by fingerprint, by name (Apache) or as a whole (stunnel).
    Listed,
    /// As trusted, but who has no certificate gets in too.
    Optional,
    /// As trusted, with revocation lists.
    Revocation,
    /// As trusted, with revocation lists that are out of date.
    RevocationOutdated,
    /// As trusted, and clients may sign by RSA only.
    RsaOnly,
    /// The certificate is asked for after the request was read.
    Late,
    /// As trusted, and PUT and DELETE are not let through.
    MethodsMissing,
    /// As trusted, and a password is wanted.
    Password,
    /// As trusted, and behind it is a login page.
    LoginPage,
    /// No certificate is asked for.
    NotAsked,
}

impl Setting {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trusted => "authority trusted",
            Self::LeafAsAuthority => "leaf installed as authority",
            Self::Listed => "certificates listed one by one",
            Self::Optional => "certificate optional",
            Self::Revocation => "revocation lists",
            Self::RevocationOutdated => "revocation lists out of date",
            Self::RsaOnly => "signatures by RSA only",
            Self::Late => "asked late",
            Self::MethodsMissing => "PUT and DELETE blocked",
            Self::Password => "a password as well",
            Self::LoginPage => "login page behind",
            Self::NotAsked => "no certificate asked for",
        }
    }
}

impl Product {
    pub(super) const ALL: [Self; 8] = [
        Self::Nginx,
        Self::Haproxy,
        Self::Apache,
        Self::Envoy,
        Self::Caddy,
        Self::Stunnel,
        Self::Hitch,
        Self::Openssl,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Apache => "Apache",
            Self::Envoy => "Envoy",
            Self::Caddy => "Caddy",
            Self::Stunnel => "stunnel",
            Self::Hitch => "hitch",
            Self::Openssl => "OpenSSL s_server",
        }
    }

    /// What it can be set up as.
    pub(super) fn settings(self) -> &'static [Setting] {
        use Setting::{
            Late, LeafAsAuthority, Listed, LoginPage, MethodsMissing, NotAsked, Optional, Password,
            Revocation, RevocationOutdated, RsaOnly, Trusted,
        };
        match self {
            Self::Nginx => &[
                Trusted,
                LeafAsAuthority,
                Listed,
                Optional,
                Revocation,
                RevocationOutdated,
                RsaOnly,
                MethodsMissing,
                Password,
                LoginPage,
                NotAsked,
            ],
            Self::Haproxy | Self::Envoy => &[
                Trusted,
                LeafAsAuthority,
                Listed,
                Optional,
                Revocation,
                RevocationOutdated,
                MethodsMissing,
                Password,
                LoginPage,
                NotAsked,
            ],
            Self::Apache => &[
                Trusted,
                LeafAsAuthority,
                Listed,
                Optional,
                Revocation,
                RevocationOutdated,
                RsaOnly,
                Late,
                MethodsMissing,
                Password,
                LoginPage,
                NotAsked,
            ],
            Self::Caddy => &[
                Trusted,
                LeafAsAuthority,
                Listed,
                Optional,
                MethodsMissing,
                Password,
                LoginPage,
                NotAsked,
            ],
            Self::Stunnel => &[
                Trusted,
                LeafAsAuthority,
                Listed,
                Optional,
                Revocation,
                RevocationOutdated,
                RsaOnly,
                LoginPage,
                NotAsked,
            ],
            Self::Hitch => &[Trusted, LeafAsAuthority, Optional, LoginPage, NotAsked],
            Self::Openssl => &[
                Trusted,
                LeafAsAuthority,
                Optional,
                Revocation,
                RevocationOutdated,
                RsaOnly,
                NotAsked,
            ],
        }
    }

    /// Whether it passes on every method; `s_server` knows GET alone.
    pub(super) fn has_methods(self) -> bool {
        self != Self::Openssl
    }

    /// In whose words the remedies are.
    pub(super) fn remedies(self) -> GatewayProduct {
        match self {
            Self::Nginx => GatewayProduct::Nginx,
            Self::Haproxy => GatewayProduct::Haproxy,
            Self::Apache => GatewayProduct::Apache,
            Self::Envoy => GatewayProduct::Envoy,
            Self::Caddy => GatewayProduct::Caddy,
            Self::Stunnel | Self::Hitch | Self::Openssl => GatewayProduct::Other,
        }
    }

    pub(super) fn start(self, gateway: Gateway) -> Running {
        match self {
            Self::Nginx => hold(Nginx::start(gateway), Nginx::addr, Nginx::error_log),
            Self::Haproxy => hold(Haproxy::start(&gateway), Haproxy::addr, Haproxy::log),
            Self::Apache => hold(Apache::start(&gateway), Apache::addr, Apache::error_log),
            Self::Envoy => hold(Envoy::start(&gateway), Envoy::addr, Envoy::log),
            Self::Caddy => hold(Caddy::start(&gateway), Caddy::addr, Caddy::log),
            Self::Stunnel => hold(Stunnel::start(&gateway), Stunnel::addr, Stunnel::log),
            Self::Hitch => hold(Hitch::start(&gateway), Hitch::addr, Hitch::log),
            Self::Openssl => hold(
                OpensslServer::start(&gateway),
                OpensslServer::addr,
                OpensslServer::log,
            ),
        }
    }

    /// What it is told to do.
    pub(super) fn gateway(self, setting: Setting, server: &Identity, clients: &Clients) -> Gateway {
        let anchors = clients.root.pem();
        let admitted = match setting {
            Setting::NotAsked => Admitted::Anybody,
            Setting::LeafAsAuthority => {
                Admitted::Anchored(clients.listed(Identity::certificate_pem).concat())
            }
            Setting::Listed => match self {
                Self::Nginx => Admitted::Pinned(clients.listed(Identity::sha1_lower)),
                Self::Haproxy => Admitted::Pinned(clients.listed(Identity::sha256_upper)),
                Self::Stunnel => Admitted::Pinned(clients.listed(Identity::certificate_pem)),
                Self::Envoy | Self::Caddy => Admitted::AnchoredAndPinned {
                    anchors,
                    pins: clients.listed(Identity::sha256_lower),
                },
                _ => Admitted::AnchoredAndPinned {
                    anchors,
                    pins: vec![LISTED_NAME.to_owned()],
                },
            },
            _ => Admitted::Anchored(anchors),
        };
        let mut gateway = Gateway::new(server, admitted);
        match setting {
            Setting::Optional => gateway.demand = Demand::Optional,
            Setting::Late => gateway.demand = Demand::Late,
            Setting::Revocation => {
                gateway.revocation = Some(clients.revocation_lists(Validity::Valid));
            }
            Setting::RevocationOutdated => {
                gateway.revocation = Some(clients.revocation_lists(Validity::Expired));
            }
            Setting::RsaOnly => gateway.client_signatures = Some("RSA-PSS+SHA256:RSA+SHA256"),
            Setting::MethodsMissing => gateway.methods = vec!["GET", "POST"],
            Setting::Password => gateway.password = true,
            _ => {}
        }
        gateway
    }
}

/// A gateway, as long as it lives.
pub(super) struct Running {
    pub(super) addr: SocketAddr,
    /// What it has to say about itself. It owns the gateway.
    pub(super) log: Box<dyn Fn() -> String + Send>,
}

fn hold<P: Send + 'static>(peer: P, addr: fn(&P) -> SocketAddr, log: fn(&P) -> String) -> Running {
    Running {
        addr: addr(&peer),
        log: Box::new(move || log(&peer)),
    }
}
