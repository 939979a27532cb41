//! Commands that need no open store, or the store alone.

use std::path::Path;

use serde::Serialize;

use super::{
    Exit, Output,
    args::{Engine, StoreInit},
    connect, token, unlock,
};
use crate::{
    config::{Config, UnlockSource},
    model::{
        PolicyName,
        audit::{Action, Author},
    },
    policy::{GateRule, Policy, RetireRule},
    records::{EngineKind, Records},
    service::{ServiceError, command, system_clock},
};

#[derive(Serialize)]
struct Made<'a> {
    schema: u32,
    store: &'a Path,
    engine: String,
}

/// Makes a store.
pub(super) fn init_store(
    output: Output,
    config: &Path,
    init: &StoreInit,
) -> Result<Exit, ServiceError> {
    let configured = if config.exists() {
        Some(connect::configuration(config)?)
    } else {
        None
    };
    let path = match (&init.path, &configured) {
        (Some(path), _) => path.clone(),
        (None, Some(config)) => config.store.path.clone(),
        (None, None) => "store".into(),
    };
    // Before anybody is asked for a passphrase, and before a key file is made that would open nothing.
    Records::refuse_existing(&path)?;
    let database = configured
        .as_ref()
        .and_then(|config| config.store.database.clone());
    let said = init.engine.map(|engine| match engine {
        Engine::Redb => EngineKind::Redb,
        Engine::Sled => EngineKind::Sled,
    });
    let engine = match (said, configured.as_ref().map(|config| config.store.engine)) {
        (Some(_), Some(EngineKind::Postgres)) => {
            return Err(ServiceError::failed(
                "the configuration says that the store lies in a database",
            )
            .hint("leave out --engine, or remove [store.postgres]"));
        }
        (Some(engine), _) | (None, Some(engine)) => engine,
        (None, None) => EngineKind::default(),
    };
    Records::settle(&path, database.as_ref())?;
    if let Some(caveat) = engine.caveat() {
        output.terminal.warning(caveat);
    }
    let witness = configured
        .as_ref()
        .and_then(|config| config.store.witness.clone());
    let source = if init.token.pin.token {
        let token = configured.and_then(|config| config.store.token);
        Some(UnlockSource::Token(token::described(&init.token, token)?))
    } else {
        configured.map(|config| config.store.unlock)
    };
    let passphrase_file = init.passphrase_file.clone();
    let secret = match (&init.new_key_file, passphrase_file, source) {
        (Some(file), _, _) => unlock::new_key_file(file)?,
        (None, Some(file), _) | (None, None, Some(UnlockSource::PassphraseFile(file))) => {
            unlock::passphrase(unlock::passphrase_file(&file)?)
        }
        (None, None, Some(UnlockSource::Credential(file))) => unlock::credential(&file)?,
        (None, None, Some(UnlockSource::KeyFile(file))) => unlock::new_key_file(&file)?,
        (None, None, Some(UnlockSource::Token(config))) => {
            token::configured(output.terminal, &config)?
        }
        (None, None, Some(UnlockSource::Terminal) | None) => {
            unlock::passphrase(output.terminal.new_passphrase()?)
        }
    };
    let records = unlock::init(&path, &secret, engine)?.witnessed(witness.as_deref())?;
    let told = Action::StoreMade {
        engine: records.engine().to_string().into(),
        store: path.display().to_string().into(),
    };
    let author = Author::new(command()).on("store-init");
    records.record(&author, system_clock().now(), told)?;
    let made = Made {
        schema: 1,
        store: &path,
        engine: records.engine().to_string(),
    };
    output.print(&made, || {
        format!("made a store in {} ({})", path.display(), made.engine)
    })?;
    if !config.exists() {
        output.terminal.hint(&format!(
            "describe yourself in {}; examples/jira-align holds one that runs",
            config.display()
        ));
    }
    Ok(Exit::Done)
}

/// Reads everything, and names what is damaged.
pub(super) fn verify_store(output: Output, path: &Path) -> Result<Exit, ServiceError> {
    let config = connect::configuration(path)?;
    let records = unlock::open(output.terminal, &config.store)?;
    let found = records.verify()?;
    let damage: Vec<String> = found.damage.iter().map(ToString::to_string).collect();
    let object = serde_json::json!({
        "schema": 1, "records": found.records, "events": found.entries, "damage": damage,
    });
    output.print(&object, || {
        let mut text = format!(
            "{} records and {} events are authentic\n",
            found.records, found.entries
        );
        for line in &damage {
            text.push_str(&format!("damaged: {line}\n"));
        }
        text
    })?;
    Ok(if damage.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// Reads the configuration, and names every fault.
pub(super) fn check_config(output: Output, path: &Path) -> Result<Exit, ServiceError> {
    let (faults, exit) = match Config::load(path) {
        Ok(_) => (Vec::new(), Exit::Done),
        Err(found) => (found.faults, Exit::No),
    };
    faults_of(output, path, &faults)?;
    Ok(exit)
}

/// Reads a policy, and names every fault.
pub(super) fn check_policy(output: Output, path: &Path) -> Result<Exit, ServiceError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ServiceError::failed(format!("cannot read {}: {error}", path.display()))
    })?;
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let faults = Policy::from_toml(stem, &text)
        .err()
        .map(|found| found.faults)
        .unwrap_or_default();
    faults_of(output, path, &faults)?;
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

fn faults_of(output: Output, path: &Path, faults: &[String]) -> Result<(), ServiceError> {
    let object = serde_json::json!({ "schema": 1, "file": path, "faults": faults });
    output.print(&object, || {
        if faults.is_empty() {
            return format!("{} can be used", path.display());
        }
        faults
            .iter()
            .map(|fault| format!("{}: {fault}\n", path.display()))
            .collect()
    })
}

/// Says what a policy means for a rotation.
pub(super) fn explain_policy(
    output: Output,
    path: &Path,
    name: &PolicyName,
) -> Result<Exit, ServiceError> {
    let policies = if path.exists() {
        connect::configuration(path)?.policies
    } else {
        Config::shipped_policies()
    };
    let policy = policies.get(name).ok_or_else(|| {
        let known: Vec<_> = policies.keys().map(ToString::to_string).collect();
        ServiceError::failed(format!("there is no policy {name}"))
            .hint(format!("there are: {}", known.join(", ")))
    })?;
    let addends: Vec<_> = policy.lead_time.addends().into_iter().collect();
    let object = serde_json::json!({
        "schema": 1,
        "policy": policy.name,
        "description": policy.description,
        "gates": { "acknowledgement": policy.gates.acknowledgement, "probe": policy.gates.probe },
        "validity": policy.certificate.validity,
        "lead_time": addends.iter().map(|(name, lapse)| (*name, lapse.to_string())).collect::<std::collections::BTreeMap<_, _>>(),
        "begins_before_expiry": policy.lead_time.total(),
        "retire": policy.retire.proof,
    });
    output.print(&object, || explanation(policy))?;
    Ok(Exit::Done)
}

fn explanation(policy: &Policy) -> String {
    let gate = |rule| match rule {
        GateRule::Required => "has to be open before anything is cut over",
        GateRule::NotRequired => "stands open",
    };
    let kinds: Vec<_> = policy.key.allowed.iter().map(ToString::to_string).collect();
    let mut text = format!("{}: {}\n\n", policy.name, policy.description);
    text.push_str(&format!(
        "keys         {} (new ones: {})\n",
        kinds.join(", "),
        policy.key.algorithm
    ));
    text.push_str(&format!(
        "certificate  valid for {}, at most {}\n",
        policy.certificate.validity, policy.certificate.max_validity
    ));
    text.push_str(&format!(
        "gate         the acknowledgement {}\n",
        gate(policy.gates.acknowledgement)
    ));
    text.push_str(&format!(
        "gate         the probe {}\n",
        gate(policy.gates.probe)
    ));
    text.push_str("lead time    ");
    let addends: Vec<_> = policy
        .lead_time
        .addends()
        .into_iter()
        .map(|(name, lapse)| format!("{name} {lapse}"))
        .collect();
    text.push_str(&format!("{}\n", addends.join(" + ")));
    text.push_str(&format!(
        "             = {}: a rotation begins so long before the certificate ends\n",
        policy.lead_time.total()
    ));
    text.push_str(&format!(
        "reminders    every {}, {} of them, then a person is asked\n",
        policy.exchange.remind_every, policy.exchange.reminders
    ));
    let proof = match policy.retire.proof {
        RetireRule::Refused => "when the wire has refused it",
        RetireRule::RefusedOrExpired => "when the wire has refused it, or it has expired",
    };
    text.push_str(&format!("old key      destroyed {proof}\n"));
    text
}
