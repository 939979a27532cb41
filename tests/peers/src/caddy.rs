//! Caddy as the partner's gateway: TLS as Go speaks it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::gateway::{Clients, Demand, Gateway, TlsVersions};
use crate::whole::{self, Server};

/// A running Caddy. It refuses an unacceptable client certificate in the handshake, by an alert, and one that is not
/// pinned (SHA-256 in lower-case hex) by 403.
pub struct Caddy(Server);

impl Caddy {
    /// Starts Caddy and returns when it answers.
    pub fn start(gateway: &Gateway) -> Self {
        assert!(
            gateway.revocation.is_none()
                && gateway.client_signatures.is_none()
                && !gateway.asks_late(),
            "Caddy has no such setting"
        );
        let anchors = anchors(gateway);
        let mut files = vec![("server.pem", gateway.server_pem.as_str())];
        files.extend(
            anchors
                .iter()
                .map(|(name, pem)| (name.as_str(), pem.as_str())),
        );
        Self(whole::caddy(&render(gateway, &anchors), &files))
    }

    /// Where it listens for TLS.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    /// What Caddy has to say about itself.
    pub fn log(&self) -> String {
        self.0.log()
    }
}

/// Of each file Caddy 2.6 reads the first certificate alone.
fn anchors(gateway: &Gateway) -> Vec<(String, String)> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let all = gateway.clients.anchors().unwrap_or_default();
    all.split_inclusive(END)
        .enumerate()
        .map(|(number, pem)| (format!("anchor-{number}.pem"), pem.to_owned()))
        .collect()
}

fn render(gateway: &Gateway, anchors: &[(String, String)]) -> String {
    // The port is TCP's alone: HTTP/3 would want UDP's as well.
    let mut config = String::from(
        "{\n  admin off\n  auto_https off\n  servers {\n    protocols h1\n  }\n}\n\
         https://gateway.test:@PORT@ {\n  bind 127.0.0.1\n  tls @DIR@/server.pem @DIR@/server.pem {\n",
    );
    config.push_str(match gateway.tls {
        TlsVersions::Tls12 => "    protocols tls1.2 tls1.2\n",
        TlsVersions::Tls13 => "    protocols tls1.3 tls1.3\n",
        TlsVersions::Both => "    protocols tls1.2 tls1.3\n",
    });
    match &gateway.clients {
        Clients::Anybody => {}
        Clients::Pinned(_) => panic!("Caddy does not pin without anchors"),
        Clients::Anchored(_) | Clients::AnchoredAndPinned { .. } => {
            let mode = match gateway.demand {
                Demand::Optional => "verify_if_given",
                Demand::Required | Demand::Late | Demand::Again => "require_and_verify",
            };
            let _ = write!(config, "    client_auth {{\n      mode {mode}\n");
            for (name, _) in anchors {
                let _ = writeln!(config, "      trusted_ca_cert_file @DIR@/{name}");
            }
            config.push_str("    }\n");
        }
    }
    config.push_str("  }\n");
    if gateway.password {
        // Nobody knows what this was made of.
        config.push_str("  basicauth /rest/* {\n    nobody $2a$14$fMjuObAUPVtkNUWfFRftHOmPlMbF9oVInYGHvUdoGqrLeEDdzb03G\n  }\n");
    }
    let _ = write!(
        config,
        "  @blocked {{\n    path /rest/*\n    not method {}\n  }}\n  respond @blocked 403\n",
        gateway.methods.join(" ")
    );
    if let Some(pins) = gateway.clients.pins() {
        let pins: Vec<_> = pins.iter().map(|pin| format!("\"{pin}\"")).collect();
        let _ = write!(
            config,
            "  @stranger expression `!({{http.request.tls.client.fingerprint}} in [{}])`\n  respond @stranger 403\n",
            pins.join(", ")
        );
    }
    let _ = write!(
        config,
        "  reverse_proxy {}\n}}\n",
        gateway.upstream_address()
    );
    config
}
