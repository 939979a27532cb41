//! Real servers that demand a client certificate, keep sessions and tickets, and say whom they saw.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_connector::Versions;
use hyper::HeaderMap;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::pki::Pki;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Product {
    Nginx,
    Haproxy,
}

/// A running server; it ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

/// What the server saw of one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The common name of the client's certificate.
    pub(crate) client: String,
    /// Whether the TLS session was resumed.
    pub(crate) resumed: bool,
}

impl Seen {
    pub(crate) fn full(client: &str) -> Self {
        Self {
            client: client.to_owned(),
            resumed: false,
        }
    }

    pub(crate) fn resumed(client: &str) -> Self {
        Self {
            client: client.to_owned(),
            resumed: true,
        }
    }

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let field = |name: &str| headers[name].to_str().unwrap();
        Self::parse(field("x-subject"), field("x-resumed"))
    }

    fn parse(subject: &str, resumed: &str) -> Self {
        let client = subject.rsplit("CN=").next().unwrap().to_owned();
        Self {
            client,
            resumed: matches!(resumed, "r" | "1"),
        }
    }
}

impl Peer {
    /// Starts a server that accepts every client certificate of the authority. What is asked under `/held` goes to
    /// the upstream, if there is one (nginx only).
    pub(crate) fn start(
        product: Product,
        versions: Versions,
        pki: &Pki,
        upstream: Option<SocketAddr>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        put(&at.join("server.pem"), &pki.server_pem());
        put(&at.join("clients.pem"), &pki.anchor_pem);
        // Freed again for the server: neither of them can be told to take any port and say which.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let config = at.join("server.conf");
        let mut command = match product {
            Product::Nginx => {
                put(&config, &nginx(at, address, versions, upstream));
                let mut command = Command::new("nginx");
                command
                    .arg("-p")
                    .arg(at)
                    .arg("-e")
                    .arg(at.join("error.log"))
                    .arg("-c")
                    .arg(&config);
                command
            }
            Product::Haproxy => {
                put(&config, &haproxy(at, address, versions));
                let mut command = Command::new("haproxy");
                command.arg("-db").arg("-f").arg(&config);
                command
            }
        };
        // Debian keeps both where ordinary users do not look.
        let path = format!(
            "{}:/usr/sbin:/usr/local/sbin",
            std::env::var("PATH").unwrap_or_default()
        );
        let output = File::create(at.join("output.log")).unwrap();
        let spawned = command
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) => panic!(
                "{product:?} cannot be started ({error}): apt-get install -y nginx-light haproxy"
            ),
        };
        let mut peer = Self {
            child,
            address,
            _directory: directory,
        };
        peer.wait(product);
        peer
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn base(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    fn wait(&mut self, product: Product) {
        let limit = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > limit {
                let output =
                    std::fs::read_to_string(self._directory.path().join("output.log")).unwrap();
                panic!("{product:?} does not serve (ended: {ended:?}): {output}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; a test that needed it has failed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request over an open TLS stream, which the server then closes. Reading to the end takes the session tickets in.
pub(crate) async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Seen {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // HAProxy closes without the TLS goodbye.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    let field = |name: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {answer}"))
            .trim()
            .replace("cn=", "CN=")
    };
    Seen::parse(&field("x-subject:"), &field("x-resumed:"))
}

/// An upstream that answers with half a body at once, and with the other half when it is told to.
pub(crate) struct Held {
    pub(crate) address: SocketAddr,
    release: watch::Sender<bool>,
}

impl Held {
    pub(crate) const BODY: &str = "held back";

    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (release, released) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_held(stream, released.clone()));
            }
        });
        Self { address, release }
    }

    pub(crate) fn release(&self) {
        self.release.send_replace(true);
    }
}

async fn serve_held(mut stream: tokio::net::TcpStream, mut released: watch::Receiver<bool>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let (now, later) = Held::BODY.split_at(4);
    let length = Held::BODY.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{now}");
    // The reader may be gone: a connection that was cut is what some tests are about.
    let _ = stream.write_all(answer.as_bytes()).await;
    if released.wait_for(|released| *released).await.is_ok() {
        let _ = stream.write_all(later.as_bytes()).await;
    }
}

/// A way to a server on which every connection waits at a gate before its first byte gets through.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    waiting: watch::Receiver<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (count, waiting) = watch::channel(0);
        let (open, opened) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let mut opened = opened.clone();
                tokio::spawn(async move {
                    if opened.wait_for(|open| *open).await.is_ok() {
                        let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                        // Either end may close as it likes.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self {
            address,
            waiting,
            open,
        }
    }

    /// Waits until somebody stands at the gate.
    pub(crate) async fn reached(&mut self) {
        self.waiting.wait_for(|count| *count > 0).await.unwrap();
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

fn put(path: &Path, text: &str) {
    File::create(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

fn nginx(
    at: &Path,
    address: SocketAddr,
    versions: Versions,
    upstream: Option<SocketAddr>,
) -> String {
    let at = at.display();
    let protocols = match versions {
        Versions::Only12 => "TLSv1.2",
        Versions::Only13 => "TLSv1.3",
        Versions::Both => "TLSv1.2 TLSv1.3",
    };
    let held = upstream.map_or(String::new(), |upstream| {
        format!("location /held {{ proxy_pass http://{upstream}; proxy_buffering off; proxy_read_timeout 300s; }}")
    });
    format!(
        "daemon off; master_process off; worker_rlimit_nofile 8192; pid {at}/nginx.pid;
events {{ worker_connections 8000; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
  uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
  server {{
    listen {address} ssl backlog=4096;
    ssl_certificate {at}/server.pem; ssl_certificate_key {at}/server.pem;
    ssl_client_certificate {at}/clients.pem; ssl_verify_client on;
    ssl_protocols {protocols}; ssl_session_cache shared:tls:4m; ssl_session_tickets on;
    add_header X-Subject $ssl_client_s_dn always; add_header X-Resumed $ssl_session_reused always;
    location / {{ return 200 ok; }}
    # Closes a connection at its second request without an answer.
    location /once {{ if ($connection_requests = 2) {{ return 444; }} return 200 ok; }}
    {held}
  }}
  # Asks nobody for a certificate.
  server {{
    listen {address} ssl; server_name open.localhost;
    ssl_certificate {at}/server.pem; ssl_certificate_key {at}/server.pem; ssl_protocols {protocols};
  }}
}}
"
    )
}

fn haproxy(at: &Path, address: SocketAddr, versions: Versions) -> String {
    let at = at.display();
    let (least, most) = match versions {
        Versions::Only12 => ("TLSv1.2", "TLSv1.2"),
        Versions::Only13 => ("TLSv1.3", "TLSv1.3"),
        Versions::Both => ("TLSv1.2", "TLSv1.3"),
    };
    format!(
        "global
  maxconn 1000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend tls
  bind {address} ssl crt {at}/server.pem ca-file {at}/clients.pem verify required ssl-min-ver {least} ssl-max-ver {most}
  http-request return status 200 content-type text/plain string ok hdr x-subject \"%[ssl_c_s_dn]\" hdr x-resumed \"%[ssl_fc_is_resumed]\"
"
    )
}
