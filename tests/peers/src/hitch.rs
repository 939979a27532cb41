//! hitch as the partner's gateway: it unwraps TLS, asks for certificates, and knows nothing of HTTP.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::gateway::{Clients, Demand, Gateway, TlsVersions};
use crate::process::{Port, Process, find_program, write_file};

/// A running hitch. It refuses an unacceptable client certificate in the handshake; it knows neither pins nor
/// revocation lists.
pub struct Hitch {
    // Dropped in this order: the process before the files that it reads.
    process: Process,
    port: Port,
    _directory: TempDir,
}

impl Hitch {
    /// Starts hitch and returns when it answers.
    pub fn start(gateway: &Gateway) -> Self {
        let program = find_program("hitch", "hitch");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = Port::claim();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            write_file(&path, content);
            path.display().to_string()
        };
        assert!(
            gateway.revocation.is_none()
                && gateway.client_signatures.is_none()
                && !gateway.password
                && !gateway.asks_late(),
            "hitch has no such setting"
        );
        let upstream = gateway.upstream_address();
        let mut config = format!(
            "frontend = \"[127.0.0.1]:{}\"\nbackend = \"[{}]:{}\"\npem-file = \"{}\"\ntls-protos = {}\n\
             workers = 1\ndaemon = off\nlog-level = 2\n",
            port.number(),
            upstream.ip(),
            upstream.port(),
            file("server.pem", &gateway.server_pem),
            match gateway.tls {
                TlsVersions::Tls12 => "TLSv1.2",
                TlsVersions::Tls13 => "TLSv1.3",
                TlsVersions::Both => "TLSv1.2 TLSv1.3",
            },
        );
        if rustix::process::geteuid().is_root() {
            // It refuses to work as root.
            config.push_str("user = \"nobody\"\n");
        }
        match &gateway.clients {
            Clients::Anybody => {}
            Clients::Anchored(anchors) => {
                let _ = write!(
                    config,
                    "client-verify = {}\nclient-verify-ca = \"{}\"\n",
                    if gateway.demand == Demand::Optional {
                        "optional"
                    } else {
                        "required"
                    },
                    file("anchors.pem", anchors)
                );
            }
            Clients::Pinned(_) | Clients::AnchoredAndPinned { .. } => panic!("hitch does not pin"),
        }
        let config = file("hitch.conf", &config);
        let mut process = Process::spawn(
            Command::new(program).arg(format!("--config={config}")),
            &directory.path().join("hitch.log"),
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

    /// What hitch has to say about its connections.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
