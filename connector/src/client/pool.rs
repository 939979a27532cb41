//! The connections of one generation, and their end.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::target::Target;
use super::{Body, Error};
use crate::connection::Secured;
use crate::usage::lock;

/// All connections that present one generation.
#[derive(Debug)]
pub(super) struct Pool {
    secured: Secured,
    idle_limit: Duration,
    idle_per_host: usize,
    state: Mutex<State>,
    cut: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    retired: bool,
    idle: HashMap<Target, Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    wire: Wire,
    since: Instant,
}

/// An open connection: where requests go in, and how much has come back.
#[derive(Debug)]
struct Wire {
    requests: SendRequest<Full<Bytes>>,
    received: Arc<AtomicU64>,
}

/// An open connection for one request.
#[derive(Debug)]
pub(super) struct Lease {
    wire: Wire,
    reused: bool,
    route: Route,
}

/// Whom an exchange is with, and under which identity.
#[derive(Debug, Clone)]
pub(super) struct Route {
    target: Target,
    pool: Arc<Pool>,
}

/// What became of a request.
pub(super) enum Sent {
    /// The head of the response is there.
    Answered(Response<Body>),
    /// Not a byte of it was written: here it is back.
    Unwritten(Request<Full<Bytes>>, Error),
    /// The connection ended before a byte of an answer came.
    Unanswered(Error),
    /// The exchange broke off in the answer, or was cut.
    Failed(Error),
}

impl Pool {
    pub(super) fn new(secured: Secured, idle_limit: Duration, idle_per_host: usize) -> Self {
        Self {
            secured,
            idle_limit,
            idle_per_host,
            state: Mutex::default(),
            cut: watch::Sender::new(false),
        }
    }

    pub(super) fn serial(&self) -> u64 {
        self.secured.generation().serial()
    }

    /// Closes what is idle, lets what is busy finish, and cuts the rest when the time is over.
    pub(super) fn retire(self: &Arc<Self>, drain: Duration) {
        let idle = {
            let mut state = lock(&self.state);
            state.retired = true;
            std::mem::take(&mut state.idle)
        };
        // Without its sender a connection says goodbye and closes.
        drop(idle);
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep(drain).await;
            if let Some(pool) = pool.upgrade() {
                pool.cut.send_replace(true);
            }
        });
    }

    /// An idle connection, the one used last first.
    pub(super) fn checkout(self: &Arc<Self>, target: &Target) -> Option<Lease> {
        let mut state = lock(&self.state);
        let idle = state.idle.get_mut(target)?;
        while let Some(Idle { wire, since }) = idle.pop() {
            if wire.requests.is_ready() && since.elapsed() < self.idle_limit {
                let route = Route {
                    target: target.clone(),
                    pool: Arc::clone(self),
                };
                return Some(Lease {
                    wire,
                    reused: true,
                    route,
                });
            }
        }
        None
    }

    /// A new connection.
    pub(super) async fn dial(
        self: &Arc<Self>,
        target: &Target,
        limit: Duration,
    ) -> Result<Lease, Error> {
        let route = Route {
            target: target.clone(),
            pool: Arc::clone(self),
        };
        match timeout(limit, route.open()).await {
            Ok(opened) => opened.map(|wire| Lease {
                wire,
                reused: false,
                route,
            }),
            Err(_) => {
                let source = io::Error::from(io::ErrorKind::TimedOut);
                Err(Error::Connect {
                    server: target.to_string(),
                    source,
                })
            }
        }
    }

    /// Keeps a connection for the next request, unless nobody may come for it any more.
    fn put(&self, target: Target, wire: Wire) {
        let mut state = lock(&self.state);
        if state.retired {
            return;
        }
        let idle = state.idle.entry(target).or_default();
        idle.retain(|idle| {
            !idle.wire.requests.is_closed() && idle.since.elapsed() < self.idle_limit
        });
        if idle.len() < self.idle_per_host {
            idle.push(Idle {
                wire,
                since: Instant::now(),
            });
        }
    }
}

impl Route {
    async fn open(&self) -> Result<Wire, Error> {
        let server = || self.target.to_string();
        let failed = |source| Error::Connect {
            server: server(),
            source,
        };
        let stream = TcpStream::connect(self.target.address())
            .await
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let secured = &self.pool.secured;
        let connection = secured
            .connect(stream, self.target.name())
            .await
            .map_err(|source| Error::Handshake {
                server: server(),
                presented: secured.generation().fingerprint(),
                source,
            })?;
        let received = connection.received();
        let handshake = http1::handshake(TokioIo::new(connection)).await;
        let (requests, driver) = handshake.map_err(|source| Error::Http {
            server: server(),
            source,
        })?;
        let mut cut = self.pool.cut.subscribe();
        tokio::spawn(async move {
            let cut = async {
                // The pool outlives its busy connections, so this fails only when there is nothing to cut.
                if cut.wait_for(|cut| *cut).await.is_err() {
                    pending::<()>().await;
                }
            };
            tokio::select! {
                // What is wrong with it, the request under way is told; between requests it does not matter.
                _ = driver => {}
                () = cut => {}
            }
        });
        Ok(Wire { requests, received })
    }

    /// What a broken exchange is called: the deadline, if that has cut it.
    pub(super) fn failure(&self, source: hyper::Error) -> Error {
        let server = self.target.to_string();
        if *self.pool.cut.borrow() {
            return Error::Cut {
                server,
                presented: self.pool.secured.generation().fingerprint(),
            };
        }
        Error::Http { server, source }
    }
}

impl Lease {
    /// Whether the connection has served a request before, and so may have been closed by the server since.
    pub(super) const fn reused(&self) -> bool {
        self.reused
    }

    /// Sends the request. The connection returns to the pool by itself when the response's body has ended.
    pub(super) async fn send(self, request: Request<Full<Bytes>>) -> Sent {
        let Self {
            mut wire, route, ..
        } = self;
        let before = wire.received.load(Ordering::Acquire);
        match wire.requests.try_send_request(request).await {
            Ok(response) => {
                let back = route.clone();
                tokio::spawn(async move {
                    if wire.requests.ready().await.is_ok() {
                        back.pool.put(back.target, wire);
                    }
                });
                Sent::Answered(response.map(|incoming| Body::new(incoming, route)))
            }
            Err(mut refused) => {
                let message = refused.take_message();
                let error = route.failure(refused.into_error());
                let silent = wire.received.load(Ordering::Acquire) == before;
                match message {
                    Some(request) => Sent::Unwritten(request, error),
                    None if silent && !matches!(error, Error::Cut { .. }) => {
                        Sent::Unanswered(error)
                    }
                    None => Sent::Failed(error),
                }
            }
        }
    }
}
