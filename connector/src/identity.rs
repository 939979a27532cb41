//! The current identity for programs that have their own HTTP or TLS stack.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::{Connection, Secured};
use crate::reload::{Generation, Subscription};
use crate::tls::Tls;
use crate::usage::lock;

/// A subscription together with the TLS settings of one partner. One identity may serve many partners, each verified
/// with anchors of its own: make one of these for each.
#[derive(Debug)]
pub struct Identity {
    subscription: Subscription,
    own: PerGeneration<Secured>,
    foreign: PerGeneration<Arc<ClientConfig>>,
}

/// A generation and the TLS configuration that presents it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Current {
    /// The generation.
    pub generation: Arc<Generation>,
    /// Presents it, and shares no session with any other generation.
    pub config: Arc<ClientConfig>,
}

/// A connection could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The handshake failed; the source says on which side.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// No bundle has arrived yet.
    #[error(
        "there is no client identity yet: wait for the subscription to be ready, and see its status for faults"
    )]
    NoIdentity,
}

impl Identity {
    /// Presents what the subscription says, with these settings.
    #[must_use]
    pub fn new(subscription: Subscription, tls: Tls) -> Self {
        let own = {
            let (tls, ledger) = (tls.clone(), Arc::clone(subscription.ledger()));
            PerGeneration::new(subscription.clone(), move |generation| {
                Secured::new(&tls, Arc::clone(generation), Arc::clone(&ledger))
            })
        };
        let ledger = Arc::clone(subscription.ledger());
        let foreign = PerGeneration::new(subscription.clone(), move |generation| {
            tls.foreign(generation, &ledger)
        });
        Self {
            subscription,
            own,
            foreign,
        }
    }

    /// The configuration for the next connection of another library; none before the first bundle.
    ///
    /// Ask for it anew for every connection, or rebuild what was made from it when the generation changes: see
    /// [`per_generation`](Self::per_generation). Open connections are not counted; a handshake counts as use when the
    /// server asks for the certificate.
    #[must_use]
    pub fn tls_config(&self) -> Option<Current> {
        let (generation, config) = self.foreign.current()?;
        Some(Current { generation, config })
    }

    /// A value made from the TLS configuration, rebuilt when the generation changes: a `reqwest::Client` for example.
    #[must_use]
    pub fn per_generation<T: Clone>(
        self,
        make: impl Fn(Arc<ClientConfig>) -> T + Send + Sync + 'static,
    ) -> PerGeneration<T> {
        let subscription = self.subscription;
        let foreign = self.foreign;
        PerGeneration::new(subscription, move |generation| {
            make((foreign.make)(generation))
        })
    }

    /// Makes a TLS connection over an open stream, presenting the newest identity.
    ///
    /// # Errors
    /// There is no identity yet, or the handshake failed.
    pub async fn connect<IO>(
        &self,
        io: IO,
        server: ServerName<'static>,
    ) -> Result<Connection<IO>, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let (_, secured) = self.own.current().ok_or(ConnectError::NoIdentity)?;
        secured
            .connect(io, server)
            .await
            .map_err(ConnectError::Handshake)
    }

    /// The subscription, to wait for changes or ask for the status.
    #[must_use]
    pub const fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

/// A value that is made anew for every generation, when it is first asked for.
///
/// The value of the generation before is dropped here when the newer one is asked for; what was handed out of it lives
/// as long as its user holds it, so hold it for one request and not longer.
pub struct PerGeneration<T> {
    subscription: Subscription,
    make: Make<T>,
    made: Mutex<Option<(Arc<Generation>, T)>>,
}

/// How a value is made for a generation.
type Make<T> = Box<dyn Fn(&Arc<Generation>) -> T + Send + Sync>;

impl<T: Clone> PerGeneration<T> {
    fn new(
        subscription: Subscription,
        make: impl Fn(&Arc<Generation>) -> T + Send + Sync + 'static,
    ) -> Self {
        Self {
            subscription,
            make: Box::new(make),
            made: Mutex::new(None),
        }
    }

    /// The value for the newest generation; none before the first bundle.
    #[must_use]
    pub fn current(&self) -> Option<(Arc<Generation>, T)> {
        let newest = self.subscription.current()?;
        let mut made = lock(&self.made);
        if let Some((generation, value)) = made.as_ref()
            && generation.serial() >= newest.serial()
        {
            return Some((Arc::clone(generation), value.clone()));
        }
        let value = (self.make)(&newest);
        *made = Some((Arc::clone(&newest), value.clone()));
        Some((newest, value))
    }
}

impl<T> fmt::Debug for PerGeneration<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerGeneration").finish_non_exhaustive()
    }
}
