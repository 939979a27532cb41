//! Taking a backup.

use std::io::Write;

use super::error::BackupError;
use super::frame::{COLLECTION, ENTRY, FrameWriter, HEAD, JOURNAL, MANIFEST, RECORD};
use super::seal::BackupRecipients;
use super::{Head, Manifest, Taking};
use crate::snapshot::Snapshot;
use crate::store::Store;

/// How many names, records or events are held in memory at once.
const PAGE: usize = 256;

impl Store {
    /// Writes everything that this store holds, as of one instant, encrypted.
    ///
    /// Others go on meanwhile; with an engine that cannot keep what was (sled), writers wait. The stream is whole only when this returns: it is for the caller to
    /// make it durable, and to let nobody take what was begun for a backup.
    ///
    /// # Errors
    /// [`BackupError::Store`] with [`Error::Damaged`](crate::Error::Damaged) when anything is damaged: a backup of
    /// half a store is none. [`BackupError::Write`], [`BackupError::NoRecipient`].
    pub fn backup(
        &self,
        out: impl Write,
        recipients: &BackupRecipients,
        taking: &Taking,
    ) -> Result<(Head, Manifest), BackupError> {
        let lineage = self.lineage()?;
        let sealed = recipients.encrypt(out)?;
        let still = self.snapshot()?;
        let head = Head {
            lineage: lineage.id(),
            transactions: still.transactions()?,
            taken_at: taking.at.clone(),
            program: taking.program.clone(),
            engine: self.engine(),
        };
        let mut frames = FrameWriter::begin(sealed).map_err(BackupError::Write)?;
        frames
            .frame(HEAD, &[&json(&head)?])
            .map_err(BackupError::Write)?;
        let mut manifest = Manifest {
            collections: 0,
            records: 0,
            journals: 0,
            entries: 0,
            sha256: [0; 32],
            origin: [0; 32],
        };
        let mut after: Option<String> = None;
        while let Some(name) = still.collections(after.as_deref(), 1)?.pop() {
            manifest.collections += 1;
            manifest.records += put_collection(&still, &mut frames, &name)?;
            after = Some(name);
        }
        let mut after: Option<String> = None;
        loop {
            let page = still.streams(after.as_deref(), PAGE)?;
            for name in &page {
                manifest.journals += 1;
                manifest.entries += put_journal(&still, &mut frames, name)?;
            }
            match page.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        manifest.sha256 = frames.digest();
        manifest.origin = lineage.vouch(&manifest.sha256);
        frames
            .frame(MANIFEST, &[&json(&manifest)?])
            .map_err(BackupError::Write)?;
        let mut out = frames.into_inner().finish().map_err(BackupError::Write)?;
        out.flush().map_err(BackupError::Write)?;
        Ok((head, manifest))
    }
}

fn put_collection<W: Write>(
    still: &Snapshot<'_>,
    frames: &mut FrameWriter<W>,
    collection: &str,
) -> Result<u64, BackupError> {
    frames
        .frame(COLLECTION, &[collection.as_bytes()])
        .map_err(BackupError::Write)?;
    let (mut count, mut after) = (0, None::<String>);
    loop {
        let page = still.page(collection, after.as_deref(), PAGE)?;
        for record in &page {
            let length = (record.id.len() as u16).to_be_bytes();
            let version = record.version.to_be_bytes();
            frames
                .frame(
                    RECORD,
                    &[&version, &length, record.id.as_bytes(), &record.bytes],
                )
                .map_err(BackupError::Write)?;
            count += 1;
        }
        match page.into_iter().next_back() {
            Some(last) => after = Some(last.id),
            None => return Ok(count),
        }
    }
}

fn put_journal<W: Write>(
    still: &Snapshot<'_>,
    frames: &mut FrameWriter<W>,
    stream: &str,
) -> Result<u64, BackupError> {
    frames
        .frame(JOURNAL, &[stream.as_bytes()])
        .map_err(BackupError::Write)?;
    let mut count = 0;
    loop {
        let page = still.journal_page(stream, count, PAGE)?;
        for entry in &page {
            frames
                .frame(ENTRY, &[&entry.sequence.to_be_bytes(), &entry.bytes])
                .map_err(BackupError::Write)?;
        }
        match page.last() {
            Some(last) => count = last.sequence,
            None => return Ok(count),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, BackupError> {
    serde_json::to_vec(value).map_err(|error| BackupError::Write(error.into()))
}
