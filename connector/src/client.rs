//! An HTTP/1.1 client (RFC 9112) whose identity changes under running requests.
//!
//! Every generation has a pool of its own. When a new one is published, the old pool's idle connections are closed at
//! once, busy ones finish their request and are then closed, and what is left at the drain deadline is cut. A new
//! request always takes the newest generation. hyper-util's pooled client was not used: it cannot be told to let go
//! of the connections that are busy, and the old identity would live in it for as long as a server keeps talking.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::connection::Secured;
use crate::tls::Tls;
use crate::usage::{Ledger, lock};
use crate::{Status, Subscription};

mod body;
mod error;
mod pool;
mod target;

pub use body::Body;
pub use error::Error;

use pool::{Lease, Pool, Sent};
use target::{Base, Target};

/// How often a request that was about to use a superseded identity starts over with the newer one.
const MAX_OVERTAKEN: usize = 8;

/// Limits of a client.
#[derive(Debug, Clone)]
struct Limits {
    connect: Duration,
    request: Duration,
    drain: Duration,
    idle: Duration,
    idle_per_host: usize,
    body: usize,
}

/// What a client is made of. See [`Client::builder`].
#[derive(Debug)]
pub struct Builder {
    tls: Tls,
    base: Option<String>,
    limits: Limits,
}

impl Builder {
    /// Where requests go whose URI is only a path: `https://jira.example:8443`, or with a path to put in front.
    #[must_use]
    pub fn base(mut self, url: impl Into<String>) -> Self {
        self.base = Some(url.into());
        self
    }

    /// How long connections of a superseded identity may go on before they are cut, half a minute unless told.
    /// What the publisher says for a generation goes before this.
    #[must_use]
    pub const fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.limits.drain = deadline;
        self
    }

    /// How long connecting may take, name resolution and handshake included.
    #[must_use]
    pub const fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long a request may take: [`Client::request`] to its end, [`Client::stream`] to the response's head.
    #[must_use]
    pub const fn request_timeout(mut self, limit: Duration) -> Self {
        self.limits.request = limit;
        self
    }

    /// How long an idle connection is kept for another request, and how many of them for each host.
    #[must_use]
    pub const fn idle(mut self, limit: Duration, per_host: usize) -> Self {
        self.limits.idle = limit;
        self.limits.idle_per_host = per_host;
        self
    }

    /// The longest body that [`Client::request`] collects, in bytes.
    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
        self
    }

    /// The client, which presents what the subscription says.
    ///
    /// # Errors
    /// The base is not an `https` URL.
    ///
    /// # Panics
    /// Outside a tokio runtime: the client watches for new identities in a task.
    pub fn build(self, subscription: Subscription) -> Result<Client, Error> {
        let base = self.base.as_deref().map(Base::parse).transpose()?;
        let mut changes = subscription.clone();
        let client = Arc::new_cyclic(|inner: &std::sync::Weak<Inner>| {
            let inner = inner.clone();
            // Draining must begin at the swap, even if no request ever follows.
            let watcher = tokio::spawn(async move {
                while changes.changed().await.is_ok() {
                    let Some(inner) = inner.upgrade() else { return };
                    // There is an identity, so there is a pool.
                    drop(inner.pool());
                }
            });
            let watcher = watcher.abort_handle();
            Inner {
                subscription,
                tls: self.tls,
                base,
                limits: self.limits,
                pool: Mutex::new(None),
                watcher,
            }
        });
        Ok(Client { inner: client })
    }
}

/// A pooled HTTP/1.1 client with a client identity that is replaced while it runs. Clones share the pool.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    subscription: Subscription,
    tls: Tls,
    base: Option<Base>,
    limits: Limits,
    pool: Mutex<Option<Arc<Pool>>>,
    watcher: AbortHandle,
}

impl Client {
    /// Begins a client that trusts and speaks as these settings say.
    #[must_use]
    pub const fn builder(tls: Tls) -> Builder {
        let limits = Limits {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            idle_per_host: 64,
            body: 16 * 1024 * 1024,
        };
        Builder {
            tls,
            base: None,
            limits,
        }
    }

    /// Sends a request and collects the response. A response of any status is a success here.
    ///
    /// The URI is absolute, or a path under the [base](Builder::base). If the server had closed a kept connection, the
    /// request goes once more over a new one: always when it was provably not written, and otherwise when its method is
    /// idempotent (RFC 9110 section 9.2.2) and no byte of an answer had come.
    ///
    /// # Errors
    /// There was no complete response. Replacing the identity is never a reason, the drain deadline may be one.
    pub async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
        self.counted(async {
            let (head, body) = self.exchange(request).await?.into_parts();
            let body = self.collect(body).await?;
            Ok(Response::from_parts(head, body))
        })
        .await
    }

    /// As [`request`](Self::request), but hands the body out as it comes. The connection counts as open, and is kept
    /// from being closed before the drain deadline, until the body has ended or is dropped.
    ///
    /// # Errors
    /// There was no response. The body may still fail, and counts as a failed request then.
    pub async fn stream(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Error> {
        let response = self.counted(self.exchange(request)).await?;
        Ok(response.map(|body| body.counting_into(Arc::clone(self.ledger()))))
    }

    /// What is presented and what has been seen in use.
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.subscription.status()
    }

    fn ledger(&self) -> &Arc<Ledger> {
        self.inner.subscription.ledger()
    }

    async fn counted<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.ledger().request_started();
        let limit = self.inner.limits.request;
        let outcome = timeout(limit, work)
            .await
            .unwrap_or(Err(Error::TimedOut { limit }));
        if outcome.is_err() {
            self.ledger().request_failed();
        }
        outcome
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Error> {
        let (target, mut request) = Target::of(request, self.inner.base.as_ref())?;
        let mut lease = match self.inner.pool()?.checkout(&target) {
            Some(lease) => lease,
            None => self.dial(&target).await?,
        };
        let mut retried = false;
        loop {
            let reused = lease.reused();
            let spare = (reused && request.method().is_idempotent()).then(|| request.clone());
            match lease.send(request).await {
                Sent::Answered(response) => return Ok(response),
                Sent::Unwritten(again, _) if !retried => request = again,
                Sent::Unanswered(error) => match spare {
                    Some(again) if !retried => request = again,
                    _ => return Err(error),
                },
                Sent::Unwritten(_, error) | Sent::Failed(error) => return Err(error),
            }
            retried = true;
            lease = self.dial(&target).await?;
        }
    }

    /// A new connection with the newest identity, even if that changed while the handshake was made: the old one may
    /// be refused already, and a request that begins now must not present it.
    async fn dial(&self, target: &Target) -> Result<Lease, Error> {
        let mut pool = self.inner.pool()?;
        for _ in 0..MAX_OVERTAKEN {
            let dialled = pool.dial(target, self.inner.limits.connect).await;
            let newest = self.inner.pool()?;
            if newest.serial() == pool.serial() {
                return dialled;
            }
            pool = newest;
        }
        pool.dial(target, self.inner.limits.connect).await
    }

    async fn collect(&self, mut body: Body) -> Result<Bytes, Error> {
        let limit = self.inner.limits.body;
        let mut collected = Vec::new();
        while let Some(frame) = body.frame().await {
            // A frame that is not data is a trailer, which no caller of this crate has asked for.
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            if collected.len() + data.len() > limit {
                return Err(Error::BodyTooLong { limit });
            }
            collected.extend_from_slice(&data);
        }
        Ok(collected.into())
    }
}

impl Inner {
    /// The pool of the newest generation. Whoever finds that there is a newer one retires the old pool.
    fn pool(&self) -> Result<Arc<Pool>, Error> {
        let newest = self.subscription.current().ok_or(Error::NoIdentity)?;
        let mut pool = lock(&self.pool);
        if let Some(pool) = pool.as_ref()
            && pool.serial() >= newest.serial()
        {
            return Ok(Arc::clone(pool));
        }
        let drain = newest.drain().unwrap_or(self.limits.drain);
        let secured = Secured::new(&self.tls, newest, Arc::clone(self.subscription.ledger()));
        let fresh = Arc::new(Pool::new(
            secured,
            self.limits.idle,
            self.limits.idle_per_host,
        ));
        if let Some(old) = pool.replace(Arc::clone(&fresh)) {
            old.retire(drain);
        }
        Ok(fresh)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
