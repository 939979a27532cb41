//! `openssl s_server`: TLS in the words of the library that most gateways are built on.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::gateway::{Gateway, TlsVersions};
use crate::process::{Port, Process, find_program, write_file};

/// A running `openssl s_server -www`: one connection at a time, each request answered by
/// a page about its connection. An unacceptable client certificate is refused by an alert.
///
/// Of the gateway's configuration it takes the server's key, the TLS versions and the
/// anchors; it knows neither pins nor methods nor an upstream.
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
        command.args(["s_server", "-www", "-accept", &port.addr().to_string()]);
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
            write_file(&path, anchors);
            command
                .args(["-Verify", "3", "-verify_return_error", "-CAfile"])
                .arg(path);
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
