//! The store has one opener: the daemon when one runs, else this program.

use std::{path::Path, sync::Arc};

use countersign_store::Store;

use super::terminal::Terminal;
use crate::{
    config::Config,
    daemon,
    service::{self, Reply, Request, Service, ServiceError},
    unlock,
};

/// Reads the configuration.
pub fn configuration(path: &Path) -> Result<Config, ServiceError> {
    Config::load(path).map_err(|faults| {
        ServiceError::failed(faults.to_string())
            .hint("`countersign config check` names every fault; examples/jira-align holds a configuration that runs")
    })
}

/// Answers a request: through the daemon's socket when one runs, else by opening the store.
pub async fn ask(terminal: Terminal, path: &Path, request: Request) -> Result<Reply, ServiceError> {
    let config = configuration(path)?;
    let socket = daemon::control_socket(&config.runtime);
    if daemon::is_running(&socket).await {
        return daemon::call(&socket, &request).await.map_err(|error| match error {
            daemon::ClientError::Refused(refusal) => refusal,
            other => ServiceError::from_error(&other),
        });
    }
    let service = open(terminal, config, false)?;
    service.handle(request).await
}

/// Opens the store.
pub fn open(terminal: Terminal, config: Config, as_daemon: bool) -> Result<Service, ServiceError> {
    let store = unlock::open(&config.store, || terminal.passphrase("passphrase of the store: "))?;
    Ok(service_over(store, config, as_daemon))
}

fn service_over(store: Store, config: Config, as_daemon: bool) -> Service {
    let clock = service::system_clock();
    let since = as_daemon.then(|| clock.now());
    Service::new(crate::records::Records::new(store), config, Arc::clone(&clock), since)
}
