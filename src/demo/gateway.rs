//! The partner's gateway: TLS 1.2 only, asks for a client certificate, and admits pinned ones to Jira.
//!
//! It refuses as nginx does with the rules of our letter (`ssl_verify_client`, a map of fingerprints): the
//! handshake is completed with whatever is presented, and each request is answered by the gateway itself
//! unless the certificate is in force and pinned at that moment. So a session that was begun before a pin was
//! taken away, and is resumed after, gets nothing either.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue, SERVER, USER_AGENT},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use rustls::{HandshakeKind, ServerConfig, version::TLS12};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    jira::Jira,
    tls::{ServerCertificate, provider},
    verifier::AnyCertificate,
};
use crate::{
    model::{CertificateFacts, Clock, Fingerprint},
    pki,
};

/// How long a handshake may take, and how long the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest request body that is let through, in bytes.
const LARGEST: usize = 1 << 20;

/// A request, as the gateway has it in its log.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    /// When it was answered.
    pub(super) at: Timestamp,
    /// On which connection, counted from 1.
    pub(super) connection: u64,
    /// Whether that connection resumed an earlier session.
    pub(super) resumed: bool,
    /// Which client certificate the connection was made with.
    pub(super) client: Option<Fingerprint>,
    /// What the client calls itself.
    pub(super) agent: Option<String>,
    /// What was asked.
    pub(super) method: String,
    /// Of what, without the query.
    pub(super) path: String,
    /// What was answered.
    pub(super) status: u16,
    /// Whether the gateway itself refused, rather than Jira behind it.
    pub(super) refused: Option<&'static str>,
}

/// A running gateway; ends when it is dropped.
pub(super) struct Gateway {
    inside: Arc<Inside>,
    address: SocketAddr,
    _serving: JoinSet<()>,
}

/// The hands of whoever may configure it.
#[derive(Clone)]
pub(super) struct Pins(Arc<Inside>);

struct Inside {
    pinned: Mutex<BTreeSet<Fingerprint>>,
    log: Mutex<Vec<Logged>>,
    connections: AtomicU64,
    clock: Arc<dyn Clock>,
    jira: Jira,
}

impl Gateway {
    /// Listens on a free port of this machine, trusting nobody.
    pub(super) async fn start(
        certificate: ServerCertificate,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(tls(certificate).map_err(io::Error::other)?));
        let inside = Arc::new(Inside {
            pinned: Mutex::default(),
            log: Mutex::default(),
            connections: AtomicU64::new(0),
            clock,
            jira: Jira::new(url(address)),
        });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, acceptor, inside.clone()));
        Ok(Self {
            inside,
            address,
            _serving: serving,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of the Jira behind it.
    pub(super) fn url(&self) -> String {
        url(self.address)
    }

    /// For whoever configures it.
    pub(super) fn pins(&self) -> Pins {
        Pins(self.inside.clone())
    }

    /// Every request so far, in the order of the answers.
    pub(super) fn log(&self) -> Vec<Logged> {
        locked(&self.inside.log).clone()
    }
}

impl Pins {
    /// Admits a certificate from the next request on.
    pub(super) fn trust(&self, fingerprint: Fingerprint) {
        locked(&self.0.pinned).insert(fingerprint);
    }

    /// Admits it no more.
    pub(super) fn distrust(&self, fingerprint: &Fingerprint) -> bool {
        locked(&self.0.pinned).remove(fingerprint)
    }
}

fn url(address: SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}

fn tls(certificate: ServerCertificate) -> Result<ServerConfig, rustls::Error> {
    let provider = provider();
    let (chain, key) = certificate.into_parts();
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS12])?
        .with_client_cert_verifier(Arc::new(AnyCertificate::new(provider)))
        .with_single_cert(chain, key)?;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, inside: Arc<Inside>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                conversations.spawn(converse(stream, acceptor.clone(), inside.clone()));
            },
            Some(_) = conversations.join_next() => {}
        }
    }
}

/// One connection. How it fails is the client's affair, which sees it too.
async fn converse(stream: TcpStream, acceptor: TlsAcceptor, inside: Arc<Inside>) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let (_, connection) = stream.get_ref();
    let client = Arc::new(Client {
        connection: inside.connections.fetch_add(1, Ordering::Relaxed) + 1,
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        presented: connection
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(|leaf| pki::inspect(leaf).ok()),
    });
    let service = service_fn(move |request| {
        let (inside, client) = (inside.clone(), client.clone());
        async move { Ok::<_, Infallible>(inside.answer(&client, request).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Who is at the other end of a connection.
struct Client {
    connection: u64,
    resumed: bool,
    /// `Some(None)`: something that is no certificate.
    presented: Option<Option<CertificateFacts>>,
}

impl Inside {
    async fn answer(&self, client: &Client, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let refused = self.refusal(client, head.uri.path());
        // Read to the end, so that the connection can be used again.
        let body = Limited::new(body, LARGEST).collect().await;
        let response = match (refused, body) {
            (Some((status, title)), _) => page(status, title),
            (None, Err(_)) => page(
                StatusCode::PAYLOAD_TOO_LARGE,
                "413 Request Entity Too Large",
            ),
            (None, Ok(_)) => self.jira.answer(&head.method, head.uri.path()),
        };
        let agent = head
            .headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        locked(&self.log).push(Logged {
            at: self.clock.now(),
            connection: client.connection,
            resumed: client.resumed,
            client: client
                .presented
                .iter()
                .flatten()
                .map(|facts| facts.fingerprint)
                .next(),
            agent: agent.map(crate::model::one_line),
            method: head.method.to_string(),
            path: crate::model::one_line(head.uri.path()),
            status: response.status().as_u16(),
            refused: refused.map(|(_, title)| title),
        });
        response
    }

    /// Why the gateway does not let a request through, as nginx titles it.
    fn refusal(&self, client: &Client, path: &str) -> Option<(StatusCode, &'static str)> {
        let facts = match &client.presented {
            None => {
                return Some((
                    StatusCode::BAD_REQUEST,
                    "400 No required SSL certificate was sent",
                ));
            }
            Some(facts) => facts.as_ref().filter(|facts| {
                facts.validity.contains(self.clock.now()) && facts.allows_client_auth()
            }),
        };
        match facts {
            None => Some((StatusCode::BAD_REQUEST, "400 The SSL certificate error")),
            Some(facts) if !locked(&self.pinned).contains(&facts.fingerprint) => {
                Some((StatusCode::FORBIDDEN, "403 Forbidden"))
            }
            Some(_) if !path.starts_with("/rest/") => {
                Some((StatusCode::NOT_FOUND, "404 Not Found"))
            }
            Some(_) => None,
        }
    }
}

/// An answer of the gateway's own, looking like nginx's: that is how probes and people tell who answered.
fn page(status: StatusCode, title: &str) -> Response<Full<Bytes>> {
    let text = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("nginx"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// What is guarded is whole between any two statements, so a panic elsewhere has not harmed it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
