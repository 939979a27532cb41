//! `openssl s_server`: TLS in the words of the library that most gateways are built on.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::gateway::{Demand, Gateway, TlsVersions};
use crate::process::{Port, Process, find_program, write_file};
use crate::standin;

/// A running `openssl s_server`: one connection at a time. An unacceptable client certificate is refused by an
/// alert. It answers `GET /rest/api/2/serverInfo` as Jira does, and knows no other method.
///
/// Of the gateway's configuration it takes the server's key, the TLS versions, the
/// anchors, the demand, the revocation lists and the signatures; it knows neither pins nor methods nor an
/// upstream.
pub struct OpensslServer {
    // Dropped in this order: the process before the files that it reads.
    process: Process,
    port: Port,
    _directory: TempDir,
}

impl OpensslServer {
    /// Starts the server and returns when it answers.
    pub fn start(gateway: &Gateway) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = Port::claim();
        let server = directory.path().join("server.pem");
        write_file(&server, &gateway.server_pem);
        let mut command = Command::new(find_program("openssl", "openssl"));
        let answers = directory.path().join("rest/api/2");
        std::fs::create_dir_all(&answers).expect("a directory can be made");
        write_file(&answers.join("serverInfo"), standin::server_info());
        command.args(["s_server", "-HTTP", "-accept", &port.addr().to_string()]);
        command.current_dir(directory.path());
        command
            .arg("-cert")
            .arg(&server)
            .arg("-cert_chain")
            .arg(&server);
        command.arg("-key").arg(&server);
        match gateway.tls {
            TlsVersions::Tls12 => command.arg("-tls1_2"),
            TlsVersions::Tls13 => command.arg("-tls1_3"),
            TlsVersions::Both => &mut command,
        };
        assert!(
            gateway.clients.pins().is_none(),
            "openssl s_server does not pin"
        );
        if let Some(anchors) = gateway.clients.anchors() {
            let path = directory.path().join("anchors.pem");
            // OpenSSL reads lists from the file of the anchors, and only one from the file that is named for it.
            let lists = gateway.revocation.as_deref().unwrap_or_default();
            write_file(&path, anchors.to_owned() + lists);
            let verify = match gateway.demand {
                Demand::Required => "-Verify",
                Demand::Optional => "-verify",
                Demand::Late | Demand::Again => {
                    panic!("openssl s_server asks in the handshake or not at all")
                }
            };
            command
                .args([verify, "3", "-verify_return_error", "-CAfile"])
                .arg(path);
        }
        if let Some(suites) = gateway.suites {
            command.args(["-cipher", suites]);
        }
        if gateway.revocation.is_some() {
            command.arg("-crl_check");
        }
        if let Some(signatures) = gateway.client_signatures {
            command.args(["-client_sigalgs", signatures]);
        }
        let mut process = Process::spawn(&mut command, &directory.path().join("server.log"));
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

    /// What OpenSSL has to say about its connections.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
