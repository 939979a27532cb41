//! The store has one opener: the daemon when one runs, else this program.

use std::path::{Path, PathBuf};

use super::{terminal::Terminal, unlock};
use crate::{
    config::Config,
    daemon,
    service::{self, Reply, Request, Service, ServiceError},
};

/// Reads the configuration.
pub(super) fn configuration(path: &Path) -> Result<Config, ServiceError> {
    Config::load(path).map_err(|faults| {
        ServiceError::failed(faults.to_string())
            .hint("`countersign config check` names every fault; examples/jira-align holds a configuration that runs")
    })
}

/// Answers a request: through the daemon's socket when one runs, else by opening the store.
pub(super) async fn ask(
    terminal: Terminal,
    path: &Path,
    request: Request,
) -> Result<Reply, ServiceError> {
    let (config, socket) = control_socket(path);
    if daemon::is_running(&socket).await {
        if let Err(fault) = &config {
            terminal.warning(&format!(
                "{fault}; the daemon goes on with the configuration before it"
            ));
        }
        return daemon::call(&socket, &service::command(), &request)
            .await
            .map_err(refusal);
    }
    let service = open(terminal, config?)?;
    service.handle(service::command(), request).await
}

/// The configuration, and where the daemon answers even if it cannot be used.
pub(super) fn control_socket(path: &Path) -> (Result<Config, ServiceError>, PathBuf) {
    let config = configuration(path);
    let socket = daemon::control_socket(&match &config {
        Ok(config) => config.runtime.clone(),
        Err(_) => Config::runtime_of_broken(path),
    });
    (config, socket)
}

/// What the daemon said, or why it said nothing.
pub(super) fn refusal(error: daemon::ClientError) -> ServiceError {
    match error {
        daemon::ClientError::Refused(refusal) => refusal,
        other => ServiceError::from_error(&other),
    }
}

/// Opens the store.
pub(super) fn open(terminal: Terminal, config: Config) -> Result<Service, ServiceError> {
    let records = unlock::open(terminal, &config.store)?;
    Ok(Service::new(records, config, service::system_clock(), None))
}
