//! Taking a backup, and looking into one.

use std::io::{Read, Write};

use countersign_store::{
    Backup, BackupIdentity, BackupRecipients, Head, Lineage, Manifest, Taking,
};
use jiff::Timestamp;

pub use countersign_store::BackupError;

use super::{Records, RecordsError, holdings::Gathered, restore::RestoreError};
use crate::model::Holdings;

impl Records {
    /// Writes everything that is remembered, as of one instant, encrypted to others.
    pub fn back_up(
        &self,
        out: impl Write,
        recipients: &BackupRecipients,
        at: Timestamp,
    ) -> Result<(Head, Manifest), BackingUpError> {
        let taking = Taking {
            at: at.to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let taken = self.store().backup(out, recipients, &taking)?;
        // Before it is acknowledged: from here on the witness can speak for everything after the backup.
        self.mark_witness()?;
        Ok(taken)
    }
}

/// Why no backup was taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackingUpError {
    /// The store or the stream failed.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The witness failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// A backup that was read to its end, and is whole.
pub struct Inspected {
    /// What it says of itself.
    pub head: Head,
    /// What it was found to hold.
    pub manifest: Manifest,
    /// What a restore would bring back.
    pub holdings: Holdings,
    pub(super) gathered: Gathered,
    pub(super) lineage: Lineage,
}

/// Reads a backup to its end, without any store.
pub fn inspect(input: impl Read, identity: &BackupIdentity) -> Result<Inspected, RestoreError> {
    let mut backup = Backup::open(input, identity)?;
    let mut gathered = Gathered::default();
    while let Some(item) = backup.next()? {
        gathered.add(&item)?;
    }
    let (head, manifest, lineage) = proven(&backup, gathered.lineage.as_ref())?;
    Ok(Inspected {
        head,
        manifest,
        holdings: std::mem::take(&mut gathered.holdings),
        gathered,
        lineage,
    })
}

/// What a backup that was read to its end says of itself, if it proves to be of the line that it holds.
pub(super) fn proven(
    backup: &Backup<impl Read>,
    lineage: Option<&Lineage>,
) -> Result<(Head, Manifest, Lineage), RestoreError> {
    let head = backup.head().clone();
    let manifest = backup.manifest().cloned().ok_or(RestoreError::NoOrigin)?;
    let lineage = lineage.cloned().ok_or(RestoreError::NoOrigin)?;
    if lineage.id() != head.lineage || !lineage.confirms(&manifest.sha256, &manifest.origin) {
        return Err(RestoreError::NoOrigin);
    }
    Ok((head, manifest, lineage))
}
