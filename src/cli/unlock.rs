//! How the store is opened: by a file that the configuration names, or by a person.

use std::{os::unix::fs::MetadataExt, path::Path};

use zeroize::Zeroizing;

use super::{
    args::{SecretSource, SlotSecret},
    terminal::Terminal,
    token,
};
use crate::{
    config::{StoreConfig, UnlockSource},
    records::{EngineKind, KeyFile, Passphrase, Records, RecordsError, Unlock},
    service::{ServiceError, system_clock},
};

/// No passphrase is longer, in bytes.
const LONGEST: u64 = 4096;

/// Opens the store that the configuration names.
pub(super) fn open(terminal: Terminal, config: &StoreConfig) -> Result<Records, ServiceError> {
    Records::settle(&config.path, config.database.as_ref())?;
    let records = Records::open(&config.path, &secret(terminal, &config.unlock)?)?;
    let records = records.witnessed(config.witness.as_deref())?;
    if let (true, Some(witness)) = (records.witness_is_new(), &config.witness) {
        terminal.warning(&new_witness(witness));
    }
    Ok(records)
}

/// What is to be said, once, when a witness was made.
fn new_witness(path: &Path) -> String {
    format!(
        "there was no witness in {}, and one was made: if there should have been one, ask who removed it, since an \
         older copy of the store would not have been noticed now",
        path.display()
    )
}

/// The secret, from where the configuration says that it comes from.
pub(super) fn secret(terminal: Terminal, source: &UnlockSource) -> Result<Unlock, ServiceError> {
    match source {
        UnlockSource::Terminal => Ok(passphrase(terminal.passphrase(PROMPT)?)),
        UnlockSource::PassphraseFile(path) => Ok(passphrase(passphrase_file(path)?)),
        UnlockSource::Credential(path) => credential(path),
        UnlockSource::KeyFile(path) => key_file(path),
        UnlockSource::Token(config) => token::configured(terminal, config),
    }
}

/// The secret for a daemon that starts; or, when it is not at hand, why not. A secret that is there and
/// refused is a fault all the same.
pub(super) fn at_hand(
    terminal: Terminal,
    source: &UnlockSource,
) -> Result<Result<Unlock, String>, ServiceError> {
    match source {
        UnlockSource::Terminal => Ok(match terminal.passphrase(PROMPT) {
            Ok(text) if text.is_empty() => Err("no passphrase was typed".to_owned()),
            Ok(text) => Ok(passphrase(text)),
            Err(none) => Err(none.message),
        }),
        UnlockSource::PassphraseFile(path)
        | UnlockSource::Credential(path)
        | UnlockSource::KeyFile(path)
            if !is_there(path) =>
        {
            Ok(Err(format!("{} is not there", path.display())))
        }
        UnlockSource::Token(config) => token::at_hand(terminal, config),
        source => secret(terminal, source).map(Ok),
    }
}

/// The secret for a sealed daemon: from where the command line says, else from the file that the
/// configuration names, if it is there now, else from a person.
pub(super) fn to_hand_over(
    terminal: Terminal,
    said: &SecretSource,
    configured: Option<&UnlockSource>,
) -> Result<Unlock, ServiceError> {
    if said.token.token {
        return token::said(terminal, &said.token, token::elsewhere());
    }
    match (&said.passphrase_file, &said.key_file, configured) {
        (Some(path), _, _) => Ok(passphrase(passphrase_file(path)?)),
        (None, Some(path), _) => key_file(path),
        (
            None,
            None,
            Some(
                source @ (UnlockSource::PassphraseFile(path)
                | UnlockSource::Credential(path)
                | UnlockSource::KeyFile(path)),
            ),
        ) if is_there(path) => secret(terminal, source),
        (None, None, Some(UnlockSource::Token(config))) => token::to_hand_over(terminal, config),
        _ => Ok(passphrase(terminal.passphrase(PROMPT)?)),
    }
}

/// A secret for a slot that is made or changed.
pub(super) fn for_slot(terminal: Terminal, said: &SlotSecret) -> Result<Unlock, ServiceError> {
    let SlotSecret {
        passphrase_file: text,
        credential_file: handed,
        key_file: key,
        new_key_file: new,
    } = said;
    match (text, handed, key, new) {
        (Some(path), ..) => Ok(passphrase(passphrase_file(path)?)),
        (_, Some(path), ..) => credential(path),
        (_, _, Some(path), _) => key_file(path),
        (.., Some(path)) => new_key_file(path),
        (None, None, None, None) => Ok(passphrase(terminal.new_passphrase()?)),
    }
}

/// The secret that a slot has already.
pub(super) fn of_slot(terminal: Terminal, said: &SlotSecret) -> Result<Unlock, ServiceError> {
    let SlotSecret {
        passphrase_file: text,
        credential_file: handed,
        key_file: key,
        new_key_file: _,
    } = said;
    match (text, handed, key) {
        (Some(path), ..) => Ok(passphrase(passphrase_file(path)?)),
        (_, Some(path), _) => credential(path),
        (.., Some(path)) => key_file(path),
        (None, None, None) => Ok(passphrase(terminal.passphrase("passphrase of the slot: ")?)),
    }
}

/// What a service manager hands over.
pub(super) fn credential(path: &Path) -> Result<Unlock, ServiceError> {
    Ok(Unlock::Credential(Passphrase::new(passphrase_file(path)?)))
}

const PROMPT: &str = "passphrase of the store: ";

/// Only what is certainly missing is not there: a file that cannot be looked at is a fault to be named.
pub(super) fn is_there(path: &Path) -> bool {
    !matches!(std::fs::metadata(path), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// Makes a store.
pub(super) fn init(
    directory: &Path,
    unlock: &Unlock,
    engine: EngineKind,
) -> Result<Records, ServiceError> {
    Ok(Records::init(
        directory,
        unlock,
        engine,
        system_clock().now(),
    )?)
}

/// A passphrase as what opens a store.
pub(super) fn passphrase(text: Zeroizing<String>) -> Unlock {
    Unlock::Passphrase(Passphrase::new(text))
}

/// A key file that is made now.
pub(super) fn new_key_file(path: &Path) -> Result<Unlock, ServiceError> {
    read_key(KeyFile::generate(path))
}

/// The passphrase in a file that nobody else can read; the last line end does not belong to it.
pub(super) fn passphrase_file(path: &Path) -> Result<Zeroizing<String>, ServiceError> {
    private_text(path, "passphrase file")
}

/// The text of a file that nobody else can read, without the last line end.
pub(super) fn private_text(path: &Path, what: &str) -> Result<Zeroizing<String>, ServiceError> {
    let refused = |why: String| {
        ServiceError::locked(format!("the {what} {} is refused: {why}", path.display()))
    };
    let found = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    // The service manager shows what it hands over as readable for a group: that bit is the mask of an access
    // list which names nobody but us.
    let handed_over = std::env::var_os("CREDENTIALS_DIRECTORY")
        .is_some_and(|d| path.parent() == Some(Path::new(&d)));
    let forbidden = if handed_over { 0o037 } else { 0o077 };
    if found.mode() & forbidden != 0 {
        return Err(
            refused("others may read it".to_owned()).hint(format!("chmod 600 {}", path.display()))
        );
    }
    if found.len() > LONGEST {
        return Err(refused(format!("it is longer than {LONGEST} bytes")));
    }
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| refused(error.to_string()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(
        line.strip_suffix('\r').unwrap_or(line).to_owned(),
    ))
}

fn key_file(path: &Path) -> Result<Unlock, ServiceError> {
    read_key(KeyFile::read(path))
}

fn read_key(file: Result<KeyFile, impl Into<RecordsError>>) -> Result<Unlock, ServiceError> {
    Ok(file.map(Unlock::KeyFile).map_err(Into::into)?)
}
