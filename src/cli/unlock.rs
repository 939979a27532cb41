//! How the store is opened: by a file that the configuration names, or by a person.

use std::{os::unix::fs::MetadataExt, path::Path};

use zeroize::Zeroizing;

use super::terminal::Terminal;
use crate::{
    config::{StoreConfig, UnlockSource},
    records::{EngineKind, KeyFile, Passphrase, Records, RecordsError, Unlock},
    service::ServiceError,
};

/// No passphrase is longer, in bytes.
const LONGEST: u64 = 4096;

/// Opens the store that the configuration names.
pub(super) fn open(terminal: Terminal, config: &StoreConfig) -> Result<Records, ServiceError> {
    let unlock = match &config.unlock {
        UnlockSource::Terminal => passphrase(terminal.passphrase("passphrase of the store: ")?),
        UnlockSource::PassphraseFile(path) => passphrase(passphrase_file(path)?),
        UnlockSource::KeyFile(path) => key_file(KeyFile::read(path))?,
    };
    Records::open(&config.path, &unlock).map_err(|error| refusal(&error))
}

/// Makes a store.
pub(super) fn init(
    directory: &Path,
    unlock: &Unlock,
    engine: EngineKind,
) -> Result<Records, ServiceError> {
    Records::init(directory, unlock, engine).map_err(|error| refusal(&error))
}

/// A passphrase as what opens a store.
pub(super) fn passphrase(text: Zeroizing<String>) -> Unlock {
    Unlock::Passphrase(Passphrase::new(text))
}

/// A key file that is made now.
pub(super) fn new_key_file(path: &Path) -> Result<Unlock, ServiceError> {
    key_file(KeyFile::generate(path))
}

/// The passphrase in a file that nobody else can read; the last line end does not belong to it.
pub(super) fn passphrase_file(path: &Path) -> Result<Zeroizing<String>, ServiceError> {
    let refused = |why: String| {
        ServiceError::locked(format!(
            "the passphrase file {} is refused: {why}",
            path.display()
        ))
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

fn key_file(file: Result<KeyFile, impl Into<RecordsError>>) -> Result<Unlock, ServiceError> {
    file.map(Unlock::KeyFile)
        .map_err(|error| refusal(&error.into()))
}

fn refusal(error: &RecordsError) -> ServiceError {
    let refusal = ServiceError::from_error(error);
    if error.is_locked() {
        ServiceError::locked(refusal.message)
    } else {
        refusal
    }
}
