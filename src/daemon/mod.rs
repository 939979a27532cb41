//! Layer 4: the ops daemon. It owns the store, and goes on by itself.
//!
//! It watches the clock, the configuration and the policies, serves the control socket and the
//! connectors' socket, and activates the same reconciler that `countersign renew` activates once.
//! Before it has an open store it serves the control socket alone, and says what it waits for.
//! It may be killed at any instant: what it had begun is found in the journals and carried on.

mod attempts;
mod backup;
mod client;
mod control;
mod desk;
mod following;
#[cfg(fuzzing)]
pub mod fuzzing;
mod keyring;
mod login;
mod prober;
mod rekeyer;
mod scheduler;
mod sockets;
mod state;
mod strangers;
mod watch;

use std::{io, path::Path, sync::Arc, time::Duration};

use desk::Desk;
use tokio::{net::UnixListener, sync::watch as channel};
use tracing::{info, warn};

pub use backup::call_backup;
pub use client::{ClientError, call, is_running};
pub use following::Following;
pub use keyring::{SecretFrame, call_keyring};
pub use login::call_login;
pub use sockets::{SocketError, Sockets};
pub use state::{Sealed, State};

use crate::{model::Clock, service::Service};

/// How often it is looked whether a service that was left is let go of.
const LET_GO: Duration = Duration::from_millis(20);

/// How long what is under way may take to pause when the daemon ends; what has not by then is cut off.
const FAREWELL: Duration = Duration::from_secs(5);

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
    desk: Arc<Desk>,
    sockets: Sockets,
}

impl Daemon {
    /// Takes the sockets; from here on the command line finds the daemon.
    pub fn bind(runtime: &Path, state: State, clock: Arc<dyn Clock>) -> Result<Self, DaemonError> {
        Ok(Self {
            desk: Arc::new(Desk::new(state, clock)),
            sockets: Sockets::bind(runtime)?,
        })
    }

    /// Serves until `stop` says so. What is under way then is in doubt, and is carried on by the next start.
    pub async fn serve(self, mut stop: channel::Receiver<bool>) -> Result<(), DaemonError> {
        let Self { desk, sockets } = self;
        let (control, connectors, _guard) = sockets.into_parts();
        tokio::select! {
            () = control::serve(desk.clone(), control) => {}
            ended = live(&desk, &connectors) => return ended,
            _ = stop.wait_for(|stop| *stop) => {}
        }
        info!("stopping");
        if let Some(service) = desk.retire() {
            // It was told to pause when it was let go of. Without a runtime it would take the end of that for a failure
            // of what it is doing, and write it down.
            let paused = async {
                while Arc::strong_count(&service) > 1 {
                    tokio::time::sleep(LET_GO).await;
                }
            };
            let _ = tokio::time::timeout(FAREWELL, paused).await;
            desk.tell_of_strangers(&service);
            service.tell_closed(service.itself());
        }
        Ok(())
    }

    /// Serves until SIGTERM or SIGINT.
    pub async fn serve_until_signalled(self) -> Result<(), DaemonError> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
        // A file that grows beyond a limit would end us. With a handler, writing to it fails instead,
        // and says why; there is nothing to do when it comes.
        let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        let _too_large = signal(too_large).map_err(DaemonError::Signals)?;
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

/// One state after the other. Connectors that come while nothing is served wait at their socket.
async fn live(desk: &Desk, connectors: &UnixListener) -> Result<(), DaemonError> {
    let mut states = desk.states();
    loop {
        let state = states.borrow_and_update().clone();
        match state {
            State::Sealed(sealed) => {
                warn!(
                    runtime = %sealed.config.runtime.display(),
                    "sealed: {}; nothing is served until `countersign store unlock`", sealed.why
                );
                drop(sealed);
                // The desk outlives this loop.
                let _ = states.changed().await;
            }
            State::Following(following) => tokio::select! {
                turn = following.turn() => desk.take_over(&following, turn),
                _ = states.changed() => {}
            },
            State::Serving(service) => {
                let held = Arc::downgrade(&service);
                let (config, leadership) = (service.config(), service.leadership());
                let watcher = watch::Watch::start(service.clone()).map_err(DaemonError::Watch)?;
                tokio::select! {
                    () = serve(service, connectors, watcher) => return Ok(()),
                    _ = states.changed() => {}
                    ended = following::lost(leadership) => desk.step_down(&config, &ended),
                }
                // Requests that were being answered hold it a little longer; each has a time limit of its own.
                while held.strong_count() > 0 {
                    tokio::time::sleep(LET_GO).await;
                }
                desk.note_closed();
            }
        }
    }
}

async fn serve(service: Arc<Service>, connectors: &UnixListener, watcher: watch::Watch) {
    service.seat_connectors();
    info!(runtime = %service.config().runtime.display(), "serving");
    tokio::select! {
        () = service.hub().clone().serve(connectors) => {}
        () = scheduler::run(service.clone()) => {}
        () = watcher.run() => {}
        () = rekeyer::run(service.clone()) => {}
        () = prober::run(service.clone()) => {}
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
