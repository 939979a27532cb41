//! `store slot`: what opens the store.

use std::path::Path;

use super::{
    Exit, Output,
    args::{SlotCommand, SlotSecret, TokenSecret},
    connect,
    keyring::Keeper,
    render, token, unlock,
};
use crate::{
    daemon,
    records::{Records, Unlock},
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
        SlotCommand::Add {
            label,
            secret,
            token,
        } => {
            let keeper = Keeper::find(output, path).await?;
            keeper.slots().await?;
            let secret = match of_token(output, path, &keeper, &token)? {
                Some(token) => token,
                None => unlock::for_slot(output.terminal, &secret)?,
            };
            keeper
                .ask(KeyringRequest::SlotAdd { label }, Some(secret))
                .await?
        }
        SlotCommand::Change {
            slot,
            label,
            same_secret,
            secret,
            token,
        } => {
            let keeper = Keeper::find(output, path).await?;
            known(&keeper.slots().await?, slot)?;
            let secret = match of_token(output, path, &keeper, &token)? {
                Some(token) => token,
                None => of_person(output, same_secret, &secret)?,
            };
            let request = KeyringRequest::SlotChange {
                id: slot,
                label,
                same_secret,
            };
            keeper.ask(request, Some(secret)).await?
        }
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

fn of_person(
    output: Output,
    same_secret: bool,
    secret: &SlotSecret,
) -> Result<Unlock, ServiceError> {
    if same_secret {
        unlock::of_slot(output.terminal, secret)
    } else {
        unlock::for_slot(output.terminal, secret)
    }
}

/// The token, if one is asked for.
fn of_token(
    output: Output,
    path: &Path,
    keeper: &Keeper,
    said: &TokenSecret,
) -> Result<Option<Unlock>, ServiceError> {
    if !said.pin.token {
        return Ok(None);
    }
    let secret = match keeper {
        Keeper::Daemon(_) => {
            token::said(output.terminal, &said.pin, token::place_at_daemon(said)?)?
        }
        Keeper::Ours(_) => {
            let config = connect::configuration(path)?;
            token::configured(
                output.terminal,
                &token::described(said, config.store.token)?,
            )?
        }
    };
    Ok(Some(secret))
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
