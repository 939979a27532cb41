//! `daemon`: starts it, with the secret of the store if it is at hand, and sealed if it is not.

use std::{path::Path, sync::Arc};

use super::{Exit, connect, terminal::Terminal, unlock};
use crate::{
    config::Config,
    daemon::{self, Daemon, Following, Sealed, State},
    records::Records,
    service::{self, Service, ServiceError},
};

/// Runs the daemon until it is told to end.
pub(super) async fn daemon(
    terminal: Terminal,
    path: &Path,
    locked: bool,
) -> Result<Exit, ServiceError> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    if !locked {
        tracing::warn!(
            "the memory of this process may be written to swap, but for the store's own keys: LimitMEMLOCK=infinity in the unit lets it be locked"
        );
    }
    let config = connect::configuration(path)?;
    let socket = daemon::control_socket(&config.runtime);
    if daemon::is_running(&socket).await {
        return Err(ServiceError::locked(format!(
            "a daemon is running already: it answers at {}",
            socket.display()
        ))
        .hint("countersign status"));
    }
    let runtime = config.runtime.clone();
    let daemon = Daemon::bind(&runtime, begin(terminal, config)?, service::system_clock())
        .map_err(|error| ServiceError::from_error(&error))?;
    daemon
        .serve_until_signalled()
        .await
        .map_err(|error| ServiceError::from_error(&error))?;
    Ok(Exit::Done)
}

/// A store that is not there or damaged is told of now, and not when somebody comes to unlock it.
fn begin(terminal: Terminal, config: Config) -> Result<State, ServiceError> {
    Records::settle(&config.store.path, config.store.database.as_ref())?;
    let opens = match Records::openers(&config.store.path) {
        Err(error) if error.is_passing() => Vec::new(),
        opens => opens?,
    };
    let clock = service::system_clock();
    let now = clock.now();
    let sealed = |config: Config, why: String| {
        State::Sealed(Arc::new(Sealed {
            config,
            since: now,
            why,
            opens: opens.clone(),
        }))
    };
    match unlock::at_hand(terminal, &config.store.unlock)? {
        Ok(secret) if config.store.database.is_some() => {
            // A wrong secret is told of now, and not on the day when it is needed.
            match Records::try_secret(&config.store.path, &secret) {
                Err(error) if error.is_about_a_token() => Ok(sealed(config, error.to_string())),
                Err(error) if !error.is_passing() => Err(error.into()),
                _ => Ok(State::Following(Arc::new(Following::new(
                    config,
                    now,
                    Arc::new(secret),
                    None,
                )))),
            }
        }
        Ok(secret) => {
            let records = match Records::open(&config.store.path, &secret) {
                // Waiting, and not ending: whoever starts us again and again would have us try the PIN each time.
                Err(error) if error.is_about_a_token() => {
                    return Ok(sealed(config, error.to_string()));
                }
                records => records?.witnessed(config.store.witness.as_deref())?,
            };
            let service = Service::new(records, config, clock, Some(now));
            service.tell_opened(service.itself(), None)?;
            Ok(State::Serving(Arc::new(service)))
        }
        Err(why) => Ok(sealed(config, why)),
    }
}
