//! `store unlock` and `store seal`, which only a daemon can be told, and who else is asked about secrets.

use std::path::{Path, PathBuf};

use super::{Exit, Output, args::SecretSource, connect, render, unlock};
use crate::{
    config::Config,
    daemon,
    records::Unlock,
    service::{
        KeyringReply, KeyringRequest, Reply, Request, Service, ServiceError, SlotView, command,
        system_clock,
    },
};

/// Hands a secret to a sealed daemon.
pub(super) async fn unlock(
    output: Output,
    path: &Path,
    source: &SecretSource,
) -> Result<Exit, ServiceError> {
    let (config, socket) = running(path, "unlock").await?;
    // Nobody types a passphrase for a store that is open.
    let status = daemon::call(&socket, &command(), &Request::Status)
        .await
        .map_err(connect::refusal)?;
    let secret = if matches!(status, Reply::Standing(_)) {
        let configured = config.as_ref().map(|config| &config.store.unlock);
        vec![unlock::to_hand_over(output.terminal, source, configured)?.encode()]
    } else {
        return said(
            output,
            &KeyringReply::Unlocked {
                schema: 1,
                already: true,
            },
        );
    };
    let reply = daemon::call_keyring(&socket, &command(), KeyringRequest::Unlock, &secret)
        .await
        .map_err(connect::refusal)?;
    said(output, &reply)
}

/// Has the daemon close the store.
pub(super) async fn seal(output: Output, path: &Path) -> Result<Exit, ServiceError> {
    let (_, socket) = running(path, "seal").await?;
    let reply = daemon::call_keyring(&socket, &command(), KeyringRequest::Seal, &[])
        .await
        .map_err(connect::refusal)?;
    said(output, &reply)
}

/// The configuration, if it can be used, and the socket of a daemon that runs.
async fn running(path: &Path, verb: &str) -> Result<(Option<Config>, PathBuf), ServiceError> {
    let (config, socket) = connect::control_socket(path);
    if !daemon::is_running(&socket).await {
        return Err(ServiceError::failed(format!(
            "no daemon runs, so there is nothing to {verb}: without one, each command opens the store for itself"
        ))
        .hint("countersign daemon"));
    }
    Ok((config.ok(), socket))
}

fn said(output: Output, reply: &KeyringReply) -> Result<Exit, ServiceError> {
    output.print(reply, || render::keyring(reply, system_clock().now()))?;
    Ok(Exit::Done)
}

/// Who answers about the store's secrets: the daemon, or this program with the store open.
pub(super) enum Keeper {
    /// At this socket.
    Daemon(PathBuf),
    /// By itself.
    Ours(Box<Service>),
}

impl Keeper {
    /// The daemon when one runs, else the store, opened.
    pub(super) async fn find(output: Output, path: &Path) -> Result<Self, ServiceError> {
        let (config, socket) = connect::control_socket(path);
        if daemon::is_running(&socket).await {
            return Ok(Self::Daemon(socket));
        }
        let service = connect::open(output.terminal, config?)?;
        Ok(Self::Ours(Box::new(service)))
    }

    /// Asks.
    pub(super) async fn ask(
        &self,
        request: KeyringRequest,
        secret: Option<Unlock>,
    ) -> Result<KeyringReply, ServiceError> {
        match self {
            Self::Daemon(socket) => {
                let secrets: Vec<_> = secret.iter().map(Unlock::encode).collect();
                daemon::call_keyring(socket, &command(), request, &secrets)
                    .await
                    .map_err(connect::refusal)
            }
            Self::Ours(service) => {
                service.handle_keyring(command(), request, secret.into_iter().collect())
            }
        }
    }

    /// The slots of a store that is open: nobody is asked for a secret that cannot be used.
    pub(super) async fn slots(&self) -> Result<Vec<SlotView>, ServiceError> {
        match self.ask(KeyringRequest::Slots, None).await? {
            KeyringReply::Slots(view) if view.verified => Ok(view.slots),
            KeyringReply::Slots(_) => Err(ServiceError::locked(
                "the daemon is sealed, and slots are changed in an open store",
            )
            .hint("countersign store unlock")),
            other => Err(unexpected(&other)),
        }
    }
}

/// A daemon that answers something else.
pub(super) fn unexpected(reply: &KeyringReply) -> ServiceError {
    ServiceError::failed(format!("the daemon answers something else: {reply:?}"))
        .hint("use the countersign of the daemon's version")
}
