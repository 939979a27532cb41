//! `store slot`: what opens the store.

use std::path::Path;

use super::{
    Exit, Output,
    args::{SlotCommand, SlotSecret},
    connect,
    keyring::Keeper,
    render, unlock,
};
use crate::{
    daemon,
    records::Records,
    service::{KeyringReply, KeyringRequest, ServiceError, SlotView, SlotsView, system_clock},
};

/// Does what a `store slot` command says.
pub(super) async fn run(
    output: Output,
    path: &Path,
    command: SlotCommand,
) -> Result<Exit, ServiceError> {
    let reply = match command {
        SlotCommand::List => list(path).await?,
        SlotCommand::Add { label, secret } => {
            let keeper = Keeper::find(output, path).await?;
            keeper.slots().await?;
            let secret = unlock::for_slot(output.terminal, &secret)?;
            keeper
                .ask(KeyringRequest::SlotAdd { label }, Some(secret))
                .await?
        }
        SlotCommand::Change {
            slot,
            label,
            same_secret,
            secret,
        } => change(output, path, slot, label, same_secret, &secret).await?,
        SlotCommand::Remove { slot, yes } => {
            let keeper = Keeper::find(output, path).await?;
            let known = known(&keeper.slots().await?, slot)?;
            let question = format!(
                "Remove slot {slot} ({})? Its secret will open the store no more.",
                render::slot_in_words(&known)
            );
            if !yes && !output.terminal.confirm(&question)? {
                return Err(ServiceError::refused("nothing was removed"));
            }
            keeper
                .ask(KeyringRequest::SlotRemove { id: slot }, None)
                .await?
        }
    };
    output.print(&reply, || render::keyring(&reply, system_clock().now()))?;
    if let (KeyringReply::Slot { change, .. }, false) = (&reply, output.json)
        && *change != crate::service::SlotChanged::Added
    {
        output.terminal.hint(
            "older copies of the store's files still open with the secret it had; if somebody may have them, `countersign store rekey`",
        );
    }
    Ok(Exit::Done)
}

/// The daemon's slots when one runs, else what the header states: no secret is needed for either.
async fn list(path: &Path) -> Result<KeyringReply, ServiceError> {
    let (config, socket) = connect::control_socket(path);
    if daemon::is_running(&socket).await {
        return Keeper::Daemon(socket)
            .ask(KeyringRequest::Slots, None)
            .await;
    }
    let slots = Records::slots_in(&config?.store.path)?;
    Ok(KeyringReply::Slots(SlotsView::stated(&slots)))
}

async fn change(
    output: Output,
    path: &Path,
    id: u32,
    label: Option<String>,
    same_secret: bool,
    secret: &SlotSecret,
) -> Result<KeyringReply, ServiceError> {
    let keeper = Keeper::find(output, path).await?;
    known(&keeper.slots().await?, id)?;
    let secret = if same_secret {
        unlock::of_slot(output.terminal, secret)?
    } else {
        unlock::for_slot(output.terminal, secret)?
    };
    let request = KeyringRequest::SlotChange {
        id,
        label,
        same_secret,
    };
    keeper.ask(request, Some(secret)).await
}

fn known(slots: &[SlotView], id: u32) -> Result<SlotView, ServiceError> {
    slots
        .iter()
        .find(|slot| slot.id == id)
        .cloned()
        .ok_or_else(|| {
            ServiceError::failed(format!("there is no slot {id}"))
                .hint("countersign store slot list")
        })
}
