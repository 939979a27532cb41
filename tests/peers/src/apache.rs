//! Apache as the partner's gateway.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::gateway::{Clients, Demand, Gateway, TlsVersions};
use crate::process::{Port, Process, find_program, read_lossy, write_file};

const CONFIG: &str = "apache.conf";
const ERROR_LOG: &str = "error.log";
/// Where Debian's package puts them.
const MODULES: &str = "/usr/lib/apache2/modules";
const NEEDED: &[&str] = &[
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "headers",
    "proxy",
    "proxy_http",
    "socache_shmcb",
    "ssl",
];

/// A running Apache. It refuses an unacceptable client certificate in the handshake, by an alert, and one that
/// is not listed by 403. Its pins are the certificates' first DNS names.
pub struct Apache {
    // Dropped in this order: the process before the files that it reads.
    _process: Process,
    port: Port,
    directory: TempDir,
}

/// Where an Apache lives.
struct Place<'a> {
    addr: SocketAddr,
    directory: &'a Path,
}

impl Place<'_> {
    /// Writes a file that the configuration names, and returns its path.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.join(name);
        write_file(&path, content);
        path.display().to_string()
    }
}

impl Apache {
    /// Starts Apache and returns when it answers.
    pub fn start(gateway: &Gateway) -> Self {
        let program = find_program("apache2", "apache2");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = Port::claim();
        let dir = directory.path().display();
        let addr = port.addr();
        let mut config = format!(
            "ServerName gateway.test\nServerRoot {dir}\nDefaultRuntimeDir {dir}\nPidFile {dir}/apache.pid\n\
             ErrorLog {dir}/{ERROR_LOG}\nLogLevel info\nListen {addr}\nGracefulShutdownTimeout 1\n"
        );
        for module in NEEDED {
            let _ = writeln!(
                config,
                "LoadModule {module}_module {MODULES}/mod_{module}.so"
            );
        }
        // One small child: a test has many of these servers. Apache refuses to serve as root.
        config.push_str(
            "User www-data\nGroup www-data\nStartServers 1\nServerLimit 1\nThreadsPerChild 16\n\
             MaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n",
        );
        let place = Place {
            addr,
            directory: directory.path(),
        };
        config.push_str(&site(&place, gateway));
        let path = directory.path().join(CONFIG);
        write_file(&path, config);
        let mut process = Process::spawn(
            Command::new(program)
                .arg("-f")
                .arg(&path)
                .args(["-D", "FOREGROUND"]),
            &directory.path().join("output.log"),
        );
        process.await_listening(addr);
        Self {
            _process: process,
            port,
            directory,
        }
    }

    /// Where it listens for TLS.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// What Apache has to say about itself and its clients.
    pub fn error_log(&self) -> String {
        read_lossy(&self.directory.path().join(ERROR_LOG))
    }
}

fn site(place: &Place<'_>, gateway: &Gateway) -> String {
    let server = place.file("server.pem", &gateway.server_pem);
    let on_off = |on| if on { "on" } else { "off" };
    let mut host = String::new();
    if gateway.session_cache {
        let _ = writeln!(
            host,
            "SSLSessionCache shmcb:{}/sessions(512000)",
            place.directory.display()
        );
    }
    let _ = write!(
        host,
        "<VirtualHost {}>\nSSLEngine on\nSSLProtocol {}\nSSLCertificateFile {server}\nSSLSessionTickets {}\n\
         ProxyPass / http://{}/\n",
        place.addr,
        match gateway.tls {
            // Without signs the last name alone would count.
            TlsVersions::Tls12 => "-all +TLSv1.2",
            TlsVersions::Tls13 => "-all +TLSv1.3",
            TlsVersions::Both => "-all +TLSv1.2 +TLSv1.3",
        },
        on_off(gateway.session_tickets),
        gateway.upstream_address(),
    );
    if let Some(lists) = &gateway.revocation {
        let lists = place.file("revocation.pem", lists);
        let _ = write!(
            host,
            "SSLCARevocationFile {lists}\nSSLCARevocationCheck chain\n"
        );
    }
    if let Some(signatures) = gateway.client_signatures {
        let _ = writeln!(
            host,
            "SSLOpenSSLConfCmd ClientSignatureAlgorithms {signatures}"
        );
    }
    if let Some(anchors) = gateway.clients.anchors() {
        let anchors = place.file("anchors.pem", anchors);
        let _ = writeln!(host, "SSLCACertificateFile {anchors}");
    }
    let verify = match (&gateway.clients, gateway.demand) {
        (Clients::Anybody, _) => None,
        (Clients::Pinned(_), _) => panic!("Apache does not pin without anchors"),
        (_, Demand::Optional | Demand::Again) => Some("optional"),
        (_, Demand::Required | Demand::Late) => Some("require"),
    }
    .map(|verify| format!("SSLVerifyClient {verify}\nSSLVerifyDepth 3\n"));
    let late = gateway.demand == Demand::Late;
    if let Some(verify) = verify.as_ref().filter(|_| !late) {
        host.push_str(verify);
    }
    if gateway.demand == Demand::Again {
        // Whoever insists where the host does not wants a new handshake, before which the body is read into a buffer
        // of this size.
        host.push_str(
            "<Location /rest/api/2/issue/>\nSSLVerifyClient require\nSSLRenegBufferSize 131072\n</Location>\n",
        );
    }
    host.push_str("<Location /rest/>\n");
    if let Some(verify) = verify.filter(|_| late) {
        host.push_str(&verify);
    }
    if let Some(names) = gateway.clients.pins() {
        let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
        let _ = writeln!(
            host,
            "Require expr %{{SSL_CLIENT_SAN_DNS_0}} in {{ {} }}",
            names.join(", ")
        );
    }
    if gateway.password {
        // Nobody is in the list, so nobody has the password.
        let users = place.file("users", "");
        let _ = write!(
            host,
            "AuthType Basic\nAuthName gateway\nAuthUserFile {users}\nRequire valid-user\n"
        );
    }
    let _ = write!(
        host,
        "<LimitExcept {}>\nRequire all denied\n</LimitExcept>\n</Location>\n</VirtualHost>\n",
        gateway.methods.join(" ")
    );
    host
}
