//! `store unlock` and `store seal`: what only a daemon can be told.

use std::path::{Path, PathBuf};

use super::{Exit, Output, args::SecretSource, connect, unlock};
use crate::{
    config::Config,
    daemon,
    service::{self, KeyringReply, KeyringRequest, Reply, Request, ServiceError},
};

/// Hands a secret to a sealed daemon.
pub(super) async fn unlock(
    output: Output,
    path: &Path,
    source: &SecretSource,
) -> Result<Exit, ServiceError> {
    let (config, socket) = running(path, "unlock").await?;
    // Nobody types a passphrase for a store that is open.
    let status = daemon::call(&socket, &service::command(), &Request::Status)
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
    let reply = daemon::call_keyring(&socket, KeyringRequest::Unlock, &secret)
        .await
        .map_err(connect::refusal)?;
    said(output, &reply)
}

/// Has the daemon close the store.
pub(super) async fn seal(output: Output, path: &Path) -> Result<Exit, ServiceError> {
    let (_, socket) = running(path, "seal").await?;
    let reply = daemon::call_keyring(&socket, KeyringRequest::Seal, &[])
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
    output.print(reply, || {
        match reply {
            KeyringReply::Unlocked { already: true, .. } => "the store is open already",
            KeyringReply::Unlocked { .. } => "the store is open, and the daemon serves",
            KeyringReply::Sealed { already: true, .. } => "the store is sealed already",
            KeyringReply::Sealed { .. } => "the store is closed, and the daemon is sealed",
        }
        .to_owned()
    })?;
    Ok(Exit::Done)
}
