//! Reading people's key files: from disk, with the passphrase that opens them.

use std::{io::IsTerminal, path::Path};

use zeroize::Zeroizing;

use super::{args::KeyFiles, terminal::Terminal, unlock};
use crate::{
    pki::foreign::{self, Contents, ForeignError},
    service::ServiceError,
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

fn bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, ServiceError> {
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
