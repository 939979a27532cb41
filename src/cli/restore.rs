//! `store restore`: rehearsed, explained, and then done as it was rehearsed.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Exit, Output,
    args::{AcceptRollback, Engine, StoreRestore},
    backup, connect,
    requests::name,
    unlock,
};
use crate::{
    config::{Config, UnlockSource},
    daemon,
    model::{
        ForgottenKey, Informant, KeyState, RestoredKey, Why, audit::Author, one_line,
        rotation::RotationId,
    },
    records::{Answering, EngineKind, Records, Rehearsal, Target, Unlock, rehearse, restore},
    service::{self, BackupView, ServiceError, system_clock},
};

/// What a restore does, or would do.
#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    backup: BackupView,
    dry_run: bool,
    store: &'a Path,
    /// Who could say what happened since.
    informants: &'a [Informant],
    /// How many transactions the store of today has seen.
    store_transactions: Option<u64>,
    /// How many its witness knows of.
    witness_transactions: Option<u64>,
    keys: &'a [RestoredKey],
    forgotten: &'a [ForgottenKey],
    letters_carried_over: usize,
    held: Vec<RotationId>,
    needs_unwitnessed: bool,
    needs_forget_keys: bool,
    /// Where the store that was there lies now.
    kept: Option<PathBuf>,
}

pub(super) async fn run(
    output: Output,
    path: &Path,
    arguments: StoreRestore,
) -> Result<Exit, ServiceError> {
    let config = without_daemon(path).await?;
    if config.store.database.is_some() {
        return Err(ServiceError::refused(
            "a backup is restored into files, and the configuration names a database",
        )
        .hint("restore with a configuration without [store.postgres]; the database itself comes back by its own tools"));
    }
    let answering = answering(
        arguments.person,
        arguments.reason.as_deref(),
        "store-restore",
    )?;
    let identity = backup::identity(output, &arguments.opening)?;
    let backup = backup::inspected(&arguments.file, &identity)?;
    let engine = match arguments.engine {
        Some(Engine::Redb) => EngineKind::Redb,
        Some(Engine::Sled) => EngineKind::Sled,
        // What lay in a database comes back as files.
        None if backup.head.engine == EngineKind::Postgres => EngineKind::default(),
        None => backup.head.engine,
    };
    let (secret, today) = today(output, &config, arguments.dry_run)?;
    let witness = config.store.witness.as_deref();
    let refused = |error: &dyn std::error::Error| {
        let refusal = ServiceError::from_error(error);
        ServiceError::refused(refusal.message)
    };
    let rehearsal = rehearse(backup, today.as_ref(), witness).map_err(|error| refused(&error))?;
    let mut view = view(&rehearsal, &config.store.path, arguments.dry_run);
    let missing = missing(&view, arguments.unwitnessed, arguments.forget_keys);
    if arguments.dry_run {
        output.print(&view, || text(&view))?;
        return Ok(match missing {
            Some(refusal) => {
                if !output.json {
                    output.terminal.hint(&refusal.message);
                }
                Exit::No
            }
            None => Exit::Done,
        });
    }
    if let Some(refusal) = missing {
        return Err(refusal);
    }
    let (Some(answering), Some(secret)) = (answering, secret) else {
        return Err(ServiceError::refused("a restore needs a reason").hint("--reason TEXT"));
    };
    let target = Target {
        path: &config.store.path,
        unlock: &secret,
        engine,
        witness,
    };
    let restored = restore(
        backup::open(&arguments.file)?,
        &identity,
        &rehearsal,
        today,
        &target,
        &answering,
    )
    .map_err(|error| ServiceError::from_error(&error))?;
    view.kept = restored.kept;
    output.print(&view, || text(&view))?;
    if !output.json
        && view
            .keys
            .iter()
            .any(|key| key.restored == KeyState::Suspended)
    {
        output
            .terminal
            .hint("countersign identity reinstate IDENTITY");
    }
    Ok(Exit::Done)
}

pub(super) async fn without_daemon(path: &Path) -> Result<Config, ServiceError> {
    let (config, socket) = connect::control_socket(path);
    if daemon::is_running(&socket).await {
        return Err(ServiceError::locked(format!(
            "a daemon has the store open: it answers at {}",
            socket.display()
        ))
        .hint("stop the daemon first (systemctl stop countersign)"));
    }
    config
}

fn answering(
    person: super::args::Person,
    reason: Option<&str>,
    request: &'static str,
) -> Result<Option<Answering>, ServiceError> {
    let Some(reason) = reason.map(one_line).filter(|reason| !reason.is_empty()) else {
        return Ok(None);
    };
    let by = one_line(&name(person));
    if by.is_empty() {
        return Err(
            ServiceError::refused("a decision needs the name of the person who makes it")
                .hint("--by NAME"),
        );
    }
    Ok(Some(Answering {
        by,
        reason,
        at: system_clock().now(),
        author: Author::new(service::command()).on(request),
    }))
}

/// The store that is there, if it opens, and what is to open the new one.
fn today(
    output: Output,
    config: &Config,
    dry_run: bool,
) -> Result<(Option<Unlock>, Option<Records>), ServiceError> {
    let path = &config.store.path;
    let there = Records::exists(path);
    let new = || -> Result<Option<Unlock>, ServiceError> {
        Ok(match &config.store.unlock {
            _ if dry_run => None,
            UnlockSource::Terminal => Some(unlock::passphrase(output.terminal.new_passphrase()?)),
            UnlockSource::KeyFile(file) if !file.exists() => Some(unlock::new_key_file(file)?),
            source => Some(unlock::secret(output.terminal, source)?),
        })
    };
    if !there {
        return Ok((new()?, None));
    }
    let secret = unlock::secret(output.terminal, &config.store.unlock);
    let opened = match secret {
        Err(error) => Err(error.message),
        Ok(secret) => match Records::open(path, &secret) {
            Ok(records) => Ok((secret, records)),
            // It is alive and well: nothing is put in its place.
            Err(error)
                if error.is_of_another_version()
                    || (error.is_locked() && !error.is_wrong_secret()) =>
            {
                return Err(error.into());
            }
            Err(error) => Err(ServiceError::from_error(&error).message),
        },
    };
    match opened {
        Ok((secret, records)) => Ok((Some(secret), Some(records))),
        Err(why) => {
            output.terminal.warning(&format!(
                "the store in {} does not open, and cannot say what happened since the backup: {why}",
                path.display()
            ));
            Ok((new()?, None))
        }
    }
}

fn view<'a>(rehearsal: &'a Rehearsal, store: &'a Path, dry_run: bool) -> View<'a> {
    let restoration = &rehearsal.restoration;
    View {
        backup: BackupView::new(&rehearsal.backup.head, &rehearsal.backup.manifest),
        dry_run,
        store,
        informants: &rehearsal.informants,
        store_transactions: rehearsal.store_at,
        witness_transactions: rehearsal.witness_at,
        keys: &restoration.keys,
        forgotten: &restoration.forgotten,
        letters_carried_over: restoration.letters.len(),
        held: restoration
            .held
            .iter()
            .map(|(identity, generation)| RotationId {
                identity: identity.clone(),
                generation: *generation,
            })
            .collect(),
        needs_unwitnessed: restoration.needs_statement(),
        needs_forget_keys: !restoration.forgotten.is_empty(),
        kept: None,
    }
}

/// What the operator would have to say before it is done.
fn missing(view: &View<'_>, unwitnessed: bool, forget_keys: bool) -> Option<ServiceError> {
    if view.needs_unwitnessed && !unwitnessed {
        return Some(
            ServiceError::refused(
                "neither the store nor its witness can say which of these keys have died since the backup: restoring \
                 them needs --unwitnessed, and they come back suspended",
            )
            .hint("countersign store restore FILE --dry-run, then --unwitnessed if there is no other way"),
        );
    }
    if view.needs_forget_keys && !forget_keys {
        return Some(
            ServiceError::refused(
                "the store of today has living keys that the backup does not have, and they would be lost: that needs \
                 --forget-keys",
            )
            .hint("countersign store restore FILE --dry-run names them; take a backup of the store of today first"),
        );
    }
    None
}

fn text(view: &View<'_>) -> String {
    let would = if view.dry_run { "would be " } else { "" };
    let mut text = format!(
        "{} {would}restored as of {} ({} records, {} events)\n",
        view.store.display(),
        view.backup.taken_at,
        view.backup.records,
        view.backup.events
    );
    text.push_str(&match view.informants {
        [] => "neither the store of today nor a witness can say what happened since\n".to_owned(),
        asked => {
            let asked: Vec<_> = asked
                .iter()
                .map(|informant| match informant {
                    Informant::Store => "the store of today",
                    Informant::Witness => "its witness",
                })
                .collect();
            format!("asked what happened since: {}\n", asked.join(" and "))
        }
    });
    let unchanged = view
        .keys
        .iter()
        .filter(|key| key.restored == key.backed_up)
        .count();
    text.push_str(&format!(
        "{unchanged} keys come back as they were backed up\n"
    ));
    for key in view.keys.iter().filter(|key| key.restored != key.backed_up) {
        let why = match key.why {
            Why::DeadInBackup => "it was dead already",
            Why::KnownAlive { .. } => "it is so today",
            Why::DiedSince {
                by: Informant::Store,
            } => "so the store of today says",
            Why::DiedSince {
                by: Informant::Witness,
            } => "so the witness says",
            Why::WithdrawnSince => "it has been put out of use since",
            Why::OtherKey => "the store of today has another key in its place",
            Why::Unknown => "nobody can say whether it is alive",
        };
        text.push_str(&format!(
            "{} generation {}: {} in the backup, restored as {}: {why}\n",
            key.identity, key.generation, key.backed_up, key.restored
        ));
    }
    for key in view.forgotten {
        text.push_str(&format!(
            "{} generation {}: {} today, LOST: the backup does not have it\n",
            key.identity, key.generation, key.today
        ));
    }
    if view.letters_carried_over > 0 {
        text.push_str(&format!(
            "{} letters that the backup does not know are carried over\n",
            view.letters_carried_over
        ));
    }
    for rotation in &view.held {
        text.push_str(&format!("the rotation {rotation} waits for an operator\n"));
    }
    if let Some(kept) = &view.kept {
        text.push_str(&format!(
            "the store that was there lies in {}\n",
            kept.display()
        ));
    }
    text
}

/// Goes on with an older state of the store.
pub(super) async fn accept_rollback(
    output: Output,
    path: &Path,
    arguments: AcceptRollback,
) -> Result<Exit, ServiceError> {
    let config = without_daemon(path).await?;
    let Some(witness) = &config.store.witness else {
        return Err(ServiceError::refused(
            "no witness is configured: nothing says that the store is old",
        )
        .hint("name one: witness = \"PATH\" in [store] of countersign.toml"));
    };
    let answering = answering(
        arguments.person,
        Some(&arguments.reason),
        "store-accept-rollback",
    )?
    .ok_or_else(|| ServiceError::refused("a decision needs a reason").hint("--reason TEXT"))?;
    let secret = unlock::secret(output.terminal, &config.store.unlock)?;
    Records::settle(&config.store.path, config.store.database.as_ref())?;
    let records = Records::open(&config.store.path, &secret)?;
    let accepted = records
        .accept_rollback(witness, &answering)?
        .ok_or_else(|| {
            ServiceError::refused(
                "the store is as far as its witness knows: there is nothing to accept",
            )
        })?;
    let object = serde_json::json!({
        "schema": 1,
        "store": config.store.path,
        "store_transactions": accepted.store_at,
        "witness_transactions": accepted.witness_at,
        "destroyed": accepted.destroyed,
        "held": accepted.held,
    });
    output.print(&object, || {
        format!(
            "the store goes on from {} transactions, where there had been {}; {} keys that had died since are \
             destroyed here as well, {} rotations wait for an operator",
            accepted.store_at,
            accepted.witness_at,
            accepted.destroyed.len(),
            accepted.held.len()
        )
    })?;
    Ok(Exit::Done)
}
