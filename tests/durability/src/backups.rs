//! A backup that is being written: whenever the power goes, there is a whole one under its name, or none.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use countersign_store::{
    Backup, BackupError, BackupFile, BackupIdentity, BackupRecipients, Manifest, Store, Taking,
};

use crate::judge::{Known, Verdict};

/// The name of the backup.
pub const BACKUP: &str = "backup.age";

/// How a file lies in a directory before it has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    /// Without any, if the file system can.
    Nameless,
    /// Under another one.
    Named,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says it")]
pub enum BackupsError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("cannot handle the file of a backup")]
    Io(#[from] std::io::Error),
}

/// Takes a backup of a store as the command does.
///
/// # Errors
/// Those of the store and the file system.
pub fn take(
    store: &Store,
    file: &Path,
    recipients: &BackupRecipients,
    draft: Draft,
) -> Result<Manifest, BackupsError> {
    let mut file = match draft {
        Draft::Nameless => BackupFile::begin(file)?,
        Draft::Named => BackupFile::begin_named(file)?,
    };
    let taking = Taking {
        at: "2026-11-25T00:00:00Z".to_owned(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (_, manifest) = store.backup(&mut file, recipients, &taking)?;
    file.keep()?;
    Ok(manifest)
}

/// Reads a backup to its end.
///
/// # Errors
/// When it is not whole.
pub fn read(input: impl Read, identity: &BackupIdentity) -> Result<Option<Manifest>, BackupError> {
    let mut backup = Backup::open(input, identity)?;
    while backup.next()?.is_some() {}
    Ok(backup.manifest().cloned())
}

/// Looks at what is left of a backup that was to hold as much as `whole` says.
pub fn judge(
    identity: BackupIdentity,
    whole: Manifest,
) -> impl Fn(&Path, Known) -> Verdict + Send + Sync {
    let counts = |manifest: &Manifest| {
        (
            (manifest.collections, manifest.records),
            (manifest.journals, manifest.entries),
        )
    };
    move |root, known| {
        match File::open(root.join(BACKUP)) {
            Ok(file) => match read(BufReader::new(file), &identity) {
                Ok(Some(found)) if counts(&found) == counts(&whole) => {}
                Ok(_) => return lost("what bears the name of the backup holds something else"),
                Err(error) => return Verdict::Found(error.to_string()),
            },
            Err(_) if known == Known::Acknowledged(1) => {
                return lost("the backup is not there after it was said");
            }
            Err(_) => {}
        }
        // The next one finds nothing in its way, and nothing of this one stays beside it.
        let next = BackupFile::begin(&root.join("next.age")).and_then(BackupFile::keep);
        if let Err(error) = next {
            return Verdict::DidNotOpen(error.to_string());
        }
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let mut others = entries
            .map(|entry| entry.file_name())
            .filter(|name| name != BACKUP && name != "next.age");
        match others.next() {
            Some(name) => lost(&format!("{} stays", name.display())),
            None => Verdict::Sound,
        }
    }
}

fn lost(why: &str) -> Verdict {
    Verdict::Lost(why.to_owned())
}
