//! A TLS connection that knows which identity it was made with.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::reload::Generation;
use crate::tls::{Presenter, Tls};
use crate::usage::{Ledger, Open};

/// An established TLS connection. It counts as open in [`Status`](crate::Status) until it is dropped.
#[derive(Debug)]
pub struct Connection<IO> {
    stream: TlsStream<IO>,
    open: Open,
    received: Arc<AtomicU64>,
}

impl<IO> Connection<IO> {
    /// The identity that it was made with. A connection keeps it for life: to present a newer one, make a new one.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        self.open.generation()
    }

    /// The TLS stream, for the version, the cipher suite or the server's chain.
    #[must_use]
    pub const fn stream(&self) -> &TlsStream<IO> {
        &self.stream
    }

    /// Counts the bytes of content received, so that a retry can tell whether the server has begun to answer.
    #[cfg(feature = "hyper")]
    pub(crate) fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }
}

/// One generation, ready to be presented.
#[derive(Debug, Clone)]
pub(crate) struct Secured {
    generation: Arc<Generation>,
    ledger: Arc<Ledger>,
    config: Arc<ClientConfig>,
    presenter: Arc<Presenter>,
}

impl Secured {
    pub(crate) fn new(tls: &Tls, generation: Arc<Generation>, ledger: Arc<Ledger>) -> Self {
        let (config, presenter) = tls.own(&generation);
        Self {
            generation,
            ledger,
            config,
            presenter,
        }
    }

    #[cfg(feature = "hyper")]
    pub(crate) const fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Makes the handshake. It counts as use of the identity if it was a full one and the server asked.
    pub(crate) async fn connect<IO>(
        &self,
        io: IO,
        server: ServerName<'static>,
    ) -> io::Result<Connection<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let open = Open::new(Arc::clone(&self.generation), Arc::clone(&self.ledger));
        let stream = TlsConnector::from(Arc::clone(&self.config))
            .connect(server, io)
            .await?;
        let full = match stream.get_ref().1.handshake_kind() {
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) => true,
            Some(HandshakeKind::Resumed) | None => false,
        };
        if full && self.presenter.asked() {
            self.ledger.handshake_completed(&self.generation);
        }
        Ok(Connection {
            stream,
            open,
            received: Arc::default(),
        })
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        let more = buf.filled().len() - before;
        self.received.fetch_add(more as u64, Ordering::AcqRel);
        outcome
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
