//! Layer 4: the ops daemon. It owns the store, and goes on by itself.
//!
//! It watches the clock, the configuration and the policies, serves the control socket and the
//! connectors' socket, and activates the same reconciler that `countersign renew` activates once.
//! It may be killed at any instant: what it had begun is found in the journals and carried on.

mod client;
mod control;
mod scheduler;
mod sockets;
mod watch;

use std::{io, path::Path, sync::Arc};

use tokio::sync::watch as channel;
use tracing::info;

pub use client::{ClientError, call, is_running};
pub use sockets::{SocketError, Sockets};

use crate::service::Service;

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Its sockets cannot be had.
    #[error("the sockets of the daemon cannot be served")]
    Sockets(#[from] SocketError),
    /// The configuration cannot be watched.
    #[error("the configuration cannot be watched")]
    Watch(#[source] notify::Error),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for")]
    Signals(#[source] io::Error),
}

/// A running daemon; ends when it is told to.
pub struct Daemon {
    service: Arc<Service>,
    sockets: Sockets,
}

impl Daemon {
    /// Takes the sockets; from here on the command line finds the daemon.
    pub fn bind(service: Arc<Service>) -> Result<Self, DaemonError> {
        let sockets = Sockets::bind(&service.config().runtime)?;
        Ok(Self { service, sockets })
    }

    /// Serves until `stop` says so. What is under way then is in doubt, and is carried on by the next start.
    pub async fn serve(self, mut stop: channel::Receiver<bool>) -> Result<(), DaemonError> {
        let Self { service, sockets } = self;
        let (control, connectors, _guard) = sockets.into_parts();
        service.seat_connectors();
        let watcher = watch::Watch::start(service.clone()).map_err(DaemonError::Watch)?;
        let hub = service.hub().clone();
        info!(runtime = %service.config().runtime.display(), "serving");
        tokio::select! {
            () = control::serve(service.clone(), control) => {}
            () = hub.serve(connectors) => {}
            () = scheduler::run(service.clone()) => {}
            () = watcher.run() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        info!("stopping");
        Ok(())
    }

    /// Serves until SIGTERM or SIGINT.
    pub async fn serve_until_signalled(self) -> Result<(), DaemonError> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
        let (stop, stopped) = channel::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // Nobody left to tell means that it has stopped already.
            let _ = stop.send(true);
        });
        self.serve(stopped).await
    }
}

/// Where the control socket of a runtime directory lies.
pub fn control_socket(runtime: &Path) -> std::path::PathBuf {
    runtime.join("control.sock")
}

/// Where the connectors' socket of a runtime directory lies.
pub fn connector_socket(runtime: &Path) -> std::path::PathBuf {
    runtime.join("connectors.sock")
}
