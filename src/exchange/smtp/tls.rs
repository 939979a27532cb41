//! The way to an encrypted connection.
//!
//! The words before STARTTLS are spoken here, since what a stranger on the line adds to them must not be
//! taken for the server's first words after it (CVE-2011-0411 and its kin): anything that is already there
//! when TLS begins ends the conversation.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    io::{BufReader, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Fence, Security, SendError, SmtpSettings};
use crate::model::one_line;

/// The longest reply that is read, all its lines together.
const LONGEST_REPLY: u64 = 16 * 1024;

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// An anchor that is no certificate.
    #[error("anchor {position} of [mail] is no certificate")]
    Anchor {
        /// Which one, counted from 1.
        position: usize,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
    /// A name that cannot stand after EHLO.
    #[error("`{name}` cannot be our name in EHLO: use a host name")]
    HelloName {
        /// What was given.
        name: String,
    },
    /// Nothing would be trusted.
    #[error(
        "[mail] trusts no authority: name the anchor of the server's certificate, or set public_roots = true for a public provider"
    )]
    NoAnchors,
    /// No name to verify.
    #[error(
        "`{name}` is neither a host name nor an address: the server's certificate could not be verified"
    )]
    ServerName {
        /// What was given.
        name: String,
    },
    /// No TLS at all.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

#[derive(Debug)]
pub(super) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, SettingsError> {
        let mut roots = RootCertStore::empty();
        if settings.public_roots {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for (i, anchor) in settings.anchors.iter().enumerate() {
            roots
                .add(anchor.clone().into())
                .map_err(|source| SettingsError::Anchor {
                    position: i + 1,
                    source,
                })?;
        }
        if roots.is_empty() {
            return Err(SettingsError::NoAnchors);
        }
        let name = settings.server_name.as_ref().unwrap_or(&settings.host);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SettingsError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            name: ServerName::try_from(name.clone()).map_err(|_| SettingsError::ServerName {
                name: one_line(name),
            })?,
        })
    }

    /// An encrypted connection whose first bytes are the server's greeting.
    pub(super) async fn connect(
        &self,
        settings: &SmtpSettings,
        server: &str,
    ) -> Result<Encrypted, SendError> {
        let tcp = TcpStream::connect((settings.host.as_str(), settings.port))
            .await
            .map_err(|source| SendError::Unreachable {
                server: server.to_owned(),
                source,
            })?;
        let (tcp, greeting) = match settings.security {
            Security::ImplicitTls => (tcp, Vec::new()),
            Security::StartTls => start_tls(tcp, &settings.hello_name, server).await?,
        };
        let inner = TlsConnector::from(Arc::clone(&self.config))
            .connect(self.name.clone(), tcp)
            .await
            .map_err(|source| handshake_fault(server, source))?;
        Ok(Encrypted {
            inner,
            greeting: io::Cursor::new(greeting),
            fence: None,
        })
    }
}

fn handshake_fault(server: &str, source: io::Error) -> SendError {
    let server = server.to_owned();
    match source.get_ref().and_then(|e| e.downcast_ref()) {
        Some(refused @ rustls::Error::InvalidCertificate(_)) => SendError::CertificateRefused {
            server,
            source: refused.clone(),
        },
        _ => SendError::Tls { server, source },
    }
}

/// Greeting, EHLO, STARTTLS, in the clear; returns the greeting, which lettre will want to read.
async fn start_tls(
    tcp: TcpStream,
    hello_name: &str,
    server: &str,
) -> Result<(TcpStream, Vec<u8>), SendError> {
    let mut line = BufReader::new(tcp);
    let greeting = reply(&mut line, server).await?;
    greeting.expect(server, "220")?;
    command(&mut line, server, &format!("EHLO {hello_name}\r\n")).await?;
    let features = reply(&mut line, server).await?;
    features.expect(server, "250")?;
    let unavailable = |reply: &Reply| SendError::TlsUnavailable {
        server: server.to_owned(),
        reply: one_line(&reply.0),
    };
    let offered = features
        .0
        .lines()
        .filter_map(|l| l.get(4..))
        .any(|feature| feature.trim().eq_ignore_ascii_case("STARTTLS"));
    if !offered {
        return Err(unavailable(&features));
    }
    command(&mut line, server, "STARTTLS\r\n").await?;
    let ready = reply(&mut line, server).await?;
    if ready.code() == Some(454) || !ready.0.starts_with("220") {
        return Err(unavailable(&ready));
    }
    if !line.buffer().is_empty() {
        return Err(SendError::Protocol {
            server: server.to_owned(),
            reason: "something was said in the clear after STARTTLS".into(),
        });
    }
    Ok((line.into_inner(), greeting.0.into_bytes()))
}

async fn command(
    line: &mut BufReader<TcpStream>,
    server: &str,
    text: &str,
) -> Result<(), SendError> {
    line.write_all(text.as_bytes())
        .await
        .map_err(|source| interrupted(server, source))
}

fn interrupted(server: &str, source: io::Error) -> SendError {
    SendError::Interrupted {
        server: server.to_owned(),
        source,
    }
}

/// A reply, all its lines (RFC 5321 §4.2.1).
struct Reply(String);

async fn reply(line: &mut BufReader<TcpStream>, server: &str) -> Result<Reply, SendError> {
    let mut text = String::new();
    let mut bounded = line.take(LONGEST_REPLY);
    loop {
        let begin = text.len();
        let read = bounded
            .read_line(&mut text)
            .await
            .map_err(|source| interrupted(server, source))?;
        if read == 0 {
            return Err(interrupted(server, io::ErrorKind::UnexpectedEof.into()));
        }
        let last = &text[begin..];
        if !last.ends_with('\n') || last.get(3..4) != Some("-") {
            return Ok(Reply(text));
        }
    }
}

impl Reply {
    fn code(&self) -> Option<u16> {
        self.0.get(..3)?.parse().ok()
    }

    fn expect(&self, server: &str, wanted: &str) -> Result<(), SendError> {
        if self.0.starts_with(wanted) {
            return Ok(());
        }
        let (server, reply) = (server.to_owned(), one_line(&self.0));
        Err(match self.code() {
            Some(code @ 400..500) => SendError::Transient {
                server,
                code,
                reply,
            },
            Some(code @ 500..600) => SendError::Permanent {
                server,
                code,
                reply,
            },
            _ => SendError::Protocol {
                server,
                reason: reply,
            },
        })
    }
}

/// A TLS connection that repeats the greeting first, and on which an end without a parting is an error:
/// lettre would take it for a short reply.
#[derive(Debug)]
pub(super) struct Encrypted {
    inner: TlsStream<TcpStream>,
    greeting: io::Cursor<Vec<u8>>,
    fence: Option<Arc<dyn Fence>>,
}

impl Encrypted {
    /// Writes nothing more when this says so: a letter of which the end is missing was never sent.
    pub(super) fn within(mut self, fence: Option<Arc<dyn Fence>>) -> Self {
        self.fence = fence;
        self
    }
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.greeting).poll_read(context, buffer);
        if buffer.filled().len() > before {
            return polled;
        }
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        match polled {
            Poll::Ready(Ok(())) if buffer.filled().len() == before && buffer.remaining() > 0 => {
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.fence.as_ref().is_some_and(|fence| !fence.is_open()) {
            return Poll::Ready(Err(io::Error::other("it is not ours to send any more")));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
