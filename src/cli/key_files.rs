//! Reading people's key files: from disk, with the passphrase that opens them.

use std::{io::IsTerminal, path::Path};

use zeroize::Zeroizing;

use super::{args::KeyFiles, terminal::Terminal, unlock};
use crate::{
    model::HexBytes,
    pki::{
        PrivateKey,
        foreign::{self, Contents, ForeignError, Object},
    },
    records::SecretBytes,
    service::{self, ServiceError},
};

/// A file, and what it holds.
pub(super) struct Opened {
    /// As it was named.
    pub(super) file: String,
    /// What it holds, or why nothing of it was read.
    pub(super) contents: Result<Contents, ForeignError>,
}

/// Reads every file. A person is asked for a passphrase once for each file that wants one; where nobody can be
/// asked, what is encrypted stays closed and says so.
pub(super) fn open(terminal: Terminal, wanted: &KeyFiles) -> Result<Vec<Opened>, ServiceError> {
    let given = wanted
        .passphrase_file
        .as_deref()
        .map(unlock::passphrase_file)
        .transpose()?;
    wanted
        .files
        .iter()
        .map(|path| {
            let bytes = bytes(path)?;
            let file = path.display().to_string();
            let mut contents = foreign::read(&bytes, given.as_ref().map(|text| text.as_str()));
            let closed = contents.as_ref().is_ok_and(Contents::wants_passphrase);
            if closed && given.is_none() && std::io::stdin().is_terminal() {
                let typed = terminal.passphrase(&format!("passphrase of {file}: "))?;
                contents = foreign::read(&bytes, Some(&typed));
            }
            Ok(Opened { file, contents })
        })
        .collect()
}

/// A whole file, if it is of a size that a file of keys and certificates has.
pub(super) fn bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, ServiceError> {
    let failed = |error: std::io::Error| {
        ServiceError::failed(format!("cannot read {}: {error}", path.display()))
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > foreign::LARGEST_FILE as u64 {
        return Err(ServiceError::failed(format!(
            "{} has {length} bytes; at most {} are read",
            path.display(),
            foreign::LARGEST_FILE
        )));
    }
    std::fs::read(path).map(Zeroizing::new).map_err(failed)
}

/// One key with every certificate beside it.
pub(super) struct Credentials {
    /// PKCS#8.
    pub(super) key: SecretBytes,
    /// DER, in the order of the files.
    pub(super) certificates: Vec<HexBytes>,
    /// The files, by name.
    pub(super) files: String,
    /// What should be minded about the files.
    pub(super) warnings: Vec<String>,
}

/// Takes the one key out of the files. A key that is not read is a refusal; other things beside it are passed over.
pub(super) fn credentials(
    terminal: Terminal,
    wanted: &KeyFiles,
) -> Result<Credentials, ServiceError> {
    let mut keys: Vec<PrivateKey> = Vec::new();
    let (mut certificates, mut warnings) = (Vec::new(), Vec::new());
    let mut refusals = Vec::new();
    for Opened { file, contents } in open(terminal, wanted)? {
        let contents =
            contents.map_err(|error| ServiceError::refused(format!("{file}: {error}")))?;
        for found in contents.found {
            if let Some(weakness) = found.protection.as_ref().and_then(|how| how.weakness) {
                warnings.push(format!(
                    "{file} is protected too weakly ({weakness}); treat the key as one that others may have"
                ));
            }
            match found.object {
                Ok(Object::Key(key)) if keys.iter().all(|k| k.key_id() != key.key_id()) => {
                    keys.push(key);
                }
                Ok(Object::Certificate(der)) => certificates.push(HexBytes(der)),
                Ok(_) => {}
                Err(refusal) => {
                    refusals.push(format!("{file}: {}", service::with_causes(&refusal)));
                }
            }
        }
    }
    warnings.dedup();
    let names: Vec<_> = wanted
        .files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    match keys.as_slice() {
        [key] => {
            warnings.extend(refusals);
            Ok(Credentials {
                key: SecretBytes::new(key.pkcs8()),
                certificates,
                files: names.join(", "),
                warnings,
            })
        }
        [] => {
            let why = if refusals.is_empty() {
                "there is no private key in the files".to_owned()
            } else {
                refusals.join("; ")
            };
            Err(ServiceError::refused(why).hint(
                "countersign inspect FILE says what is in a file; --passphrase-file opens it",
            ))
        }
        several => Err(ServiceError::refused(format!(
            "there are {} private keys in the files, and an identity has one",
            several.len()
        ))
        .hint("countersign inspect FILE says which is which; give the file of one alone")),
    }
}
