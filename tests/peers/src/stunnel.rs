//! stunnel as the partner's gateway: it unwraps TLS and knows nothing of HTTP.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::gateway::{Clients, Demand, Gateway, TlsVersions};
use crate::process::{Port, Process, find_program, write_file};

/// A running stunnel. It refuses an unacceptable client certificate in the handshake. For it, to pin is to have
/// the certificates themselves at hand: its pins are certificates in PEM.
pub struct Stunnel {
    // Dropped in this order: the process before the files that it reads.
    process: Process,
    port: Port,
    _directory: TempDir,
}

impl Stunnel {
    /// Starts stunnel and returns when it answers.
    pub fn start(gateway: &Gateway) -> Self {
        let program = find_program("stunnel4", "stunnel4");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = Port::claim();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            write_file(&path, content);
            path.display().to_string()
        };
        assert!(
            !gateway.password && !gateway.asks_late(),
            "stunnel knows nothing of HTTP"
        );
        let server = file("server.pem", &gateway.server_pem);
        let mut config = format!(
            "foreground = yes\npid =\ndebug = info\n[gateway]\naccept = {}\nconnect = {}\ncert = {server}\n\
             key = {server}\nTIMEOUTclose = 0\n",
            port.addr(),
            gateway.upstream_address(),
        );
        config.push_str(match gateway.tls {
            TlsVersions::Tls12 => "sslVersion = TLSv1.2\n",
            TlsVersions::Tls13 => "sslVersion = TLSv1.3\n",
            TlsVersions::Both => "sslVersionMin = TLSv1.2\nsslVersionMax = TLSv1.3\n",
        });
        match &gateway.clients {
            Clients::Anybody => {}
            Clients::Anchored(anchors) => {
                // 1 is the older spelling of a verification that does not insist; there is no newer.
                let _ = writeln!(
                    config,
                    "CAfile = {}\n{}",
                    file("anchors.pem", anchors),
                    if gateway.demand == Demand::Optional {
                        "verify = 1"
                    } else {
                        "verifyChain = yes"
                    }
                );
            }
            Clients::Pinned(certificates) => {
                let file = file("pinned.pem", &certificates.concat());
                let _ = writeln!(config, "CAfile = {file}\nverifyPeer = yes");
            }
            Clients::AnchoredAndPinned { anchors, pins } => {
                let file = file("anchors.pem", &(anchors.to_owned() + &pins.concat()));
                let _ = writeln!(
                    config,
                    "CAfile = {file}\nverifyChain = yes\nverifyPeer = yes"
                );
            }
        }
        if let Some(lists) = &gateway.revocation {
            let _ = writeln!(config, "CRLfile = {}", file("revocation.pem", lists));
        }
        if let Some(signatures) = gateway.client_signatures {
            let _ = writeln!(config, "config = ClientSignatureAlgorithms:{signatures}");
        }
        let config = file("stunnel.conf", &config);
        let mut process = Process::spawn(
            Command::new(program).arg(config),
            &directory.path().join("stunnel.log"),
        );
        process.await_listening(port.addr());
        Self {
            process,
            port,
            _directory: directory,
        }
    }

    /// Where it listens for TLS.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// What stunnel has to say about its connections.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
