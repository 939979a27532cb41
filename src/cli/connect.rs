//! The store has one opener: the daemon when one runs, else this program.

use std::path::{Path, PathBuf};

use super::{terminal::Terminal, unlock};
use crate::{
    config::Config,
    daemon,
    model::audit::Author,
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
    reach(terminal, path).await?.ask(request).await
}

/// Who has the store open: the daemon, or this program.
pub(super) enum Reach {
    Daemon(PathBuf),
    Own(Box<Service>),
}

impl Reach {
    /// Answers a request.
    pub(super) async fn ask(&self, request: Request) -> Result<Reply, ServiceError> {
        match self {
            Self::Daemon(socket) => daemon::call(socket, &service::command(), &request)
                .await
                .map_err(refusal),
            Self::Own(service) => service.handle(service::command(), request).await,
        }
    }
}

/// Finds the daemon, or opens the store.
pub(super) async fn reach(terminal: Terminal, path: &Path) -> Result<Reach, ServiceError> {
    let (config, socket) = control_socket(path);
    if daemon::is_running(&socket).await {
        if let Err(fault) = &config {
            terminal.warning(&format!(
                "{fault}; the daemon goes on with the configuration before it"
            ));
        }
        return Ok(Reach::Daemon(socket));
    }
    Ok(Reach::Own(Box::new(open(terminal, config?)?)))
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
    let service = Service::new(records, config, service::system_clock(), None);
    service.tell_opened(&Author::new(service::command()), None)?;
    Ok(service)
}
