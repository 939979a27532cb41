//! HAProxy as the partner's gateway.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::gateway::{Clients, Demand, Gateway, TlsVersions, Upstream};
use crate::process::{Port, Process, find_program, write_file};
use crate::standin;

const CONFIG: &str = "haproxy.cfg";

/// A running HAProxy. Unlike nginx it refuses an unacceptable client certificate in the
/// handshake, by an alert; one that is not pinned gets 403.
///
/// Every answer carries `X-Peer-Fingerprint` (SHA-256 of the client's certificate in
/// upper-case hex) and `X-Peer-Resumed` (1 for a resumed session, else 0).
pub struct Haproxy {
    // Dropped in this order: the process before the files that it reads.
    process: Process,
    port: Port,
    _directory: TempDir,
}

impl Haproxy {
    /// Starts HAProxy and returns when it answers.
    pub fn start(gateway: &Gateway) -> Self {
        let program = find_program("haproxy", "haproxy");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = Port::claim();
        write_file(&directory.path().join("server.pem"), &gateway.server_pem);
        // A gateway that only pins still needs a list of anchors to ask for a certificate
        // at all; its own certificate is as good as any, for the verdict is ignored.
        let anchors = gateway.clients.anchors().unwrap_or(&gateway.server_pem);
        write_file(&directory.path().join("anchors.pem"), anchors);
        if let Some(lists) = &gateway.revocation {
            write_file(&directory.path().join("revocation.pem"), lists);
        }
        let config = directory.path().join(CONFIG);
        write_file(&config, render(directory.path(), gateway, &port));
        let mut process = Process::spawn(
            Command::new(program).arg("-db").arg("-f").arg(&config),
            &directory.path().join("haproxy.log"),
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

    /// What HAProxy has to say about itself.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn render(directory: &Path, gateway: &Gateway, port: &Port) -> String {
    let mut config = String::from("global\n  maxconn 1024\n");
    if !gateway.session_cache {
        config.push_str("  tune.ssl.cachesize 0\n");
    }
    config.push_str(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend gateway\n",
    );
    let _ = writeln!(config, "  {}", bind(directory, gateway, port));
    let users = if gateway.password {
        // Nobody is in the list, so nobody has the password.
        config.push_str("  http-request auth realm gateway unless { http_auth(people) }\n");
        "userlist people\n"
    } else {
        ""
    };
    config.push_str(
        "  http-after-response set-header X-Peer-Fingerprint %[ssl_c_der,sha2(256),hex]\n  \
         http-after-response set-header X-Peer-Resumed %[ssl_fc_is_resumed]\n",
    );
    if let Some(pins) = gateway.clients.pins() {
        let _ = writeln!(
            config,
            "  acl pinned ssl_c_der,sha2(256),hex -m str none {}\n  \
             http-request deny deny_status 403 unless pinned",
            pins.join(" ")
        );
    }
    let _ = writeln!(
        config,
        "  http-request deny deny_status 403 if {{ path_beg /rest/ }} !{{ method {} }}",
        gateway.methods.join(" ")
    );
    match gateway.upstream {
        Upstream::JiraStandIn => config.push_str(&jira()),
        Upstream::At(address) => {
            let _ = writeln!(
                config,
                "  default_backend upstream\nbackend upstream\n  server upstream {address}"
            );
        }
    }
    config + users
}

fn bind(directory: &Path, gateway: &Gateway, port: &Port) -> String {
    let dir = directory.display();
    let mut bind = format!("bind {} ssl crt {dir}/server.pem", port.addr());
    bind.push_str(match gateway.tls {
        TlsVersions::Tls12 => " ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2",
        TlsVersions::Tls13 => " ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3",
        TlsVersions::Both => " ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3",
    });
    if !gateway.session_tickets {
        bind.push_str(" no-tls-tickets");
    }
    match gateway.clients {
        Clients::Anybody => {}
        Clients::Anchored(_) | Clients::AnchoredAndPinned { .. } => {
            let verify = match gateway.demand {
                Demand::Required => "required",
                Demand::Optional => "optional",
                Demand::Late | Demand::Again => {
                    panic!("HAProxy asks in the handshake or not at all")
                }
            };
            let _ = write!(bind, " ca-file {dir}/anchors.pem verify {verify}");
        }
        Clients::Pinned(_) => {
            let _ = write!(
                bind,
                " ca-file {dir}/anchors.pem verify optional crt-ignore-err all ca-ignore-err all"
            );
        }
    }
    if gateway.revocation.is_some() {
        let _ = write!(bind, " crl-file {dir}/revocation.pem");
    }
    assert!(
        gateway.client_signatures.is_none(),
        "HAProxy cannot choose the signatures of clients before 2.8"
    );
    bind
}

/// HAProxy answers for Jira by itself.
fn jira() -> String {
    let quoted = |body: &str| format!("'{body}'");
    let headers = format!(
        "hdr X-AREQUESTID 600x%[rand]x1 hdr X-ANODEID {} content-type application/json",
        standin::NODE
    );
    format!(
        "  http-request return status 200 {headers} string {} if {{ path /rest/api/2/serverInfo }} {{ method GET }}\n  \
         http-request return status 401 {headers} hdr X-Seraph-LoginReason OUT string {} if {{ path_beg /rest/ }}\n  \
         http-request return status 404 {headers} string {}\n",
        quoted(standin::SERVER_INFO),
        quoted(standin::UNAUTHENTICATED),
        quoted(standin::NOT_FOUND),
    )
}
