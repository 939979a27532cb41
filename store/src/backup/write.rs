//! Taking a backup.

use std::io::Write;

use super::error::BackupError;
use super::frame::{COLLECTION, ENTRY, FrameWriter, HEAD, JOURNAL, MANIFEST, RECORD};
use super::seal::BackupRecipients;
use super::{Head, Manifest, Taking};
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::vault::{Entry, Record};

/// How many names, records or events are in memory at once.
const PAGE: usize = 256;

impl Store {
    /// Writes everything that this store holds, as of one instant, encrypted.
    ///
    /// Readers go on meanwhile; so do writers, if the engine can keep an old state ([`Snapshot`]). The stream is whole only when this returns: it is for the caller to
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
        let view = self.snapshot()?;
        let head = Head {
            lineage: lineage.id(),
            transactions: view.transactions()?,
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
        each(
            |last: Option<&String>| Ok(view.collections(last.map(String::as_str), PAGE)?),
            |collection| {
                manifest.collections += 1;
                manifest.records += put_collection(&view, &mut frames, collection)?;
                Ok(())
            },
        )?;
        each(
            |last: Option<&String>| Ok(view.streams(last.map(String::as_str), PAGE)?),
            |stream| {
                manifest.journals += 1;
                manifest.entries += put_journal(&view, &mut frames, stream)?;
                Ok(())
            },
        )?;
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
    view: &Snapshot<'_>,
    frames: &mut FrameWriter<W>,
    collection: &str,
) -> Result<u64, BackupError> {
    frames
        .frame(COLLECTION, &[collection.as_bytes()])
        .map_err(BackupError::Write)?;
    each(
        |last: Option<&Record>| {
            Ok(view.page(collection, last.map(|last| last.id.as_str()), PAGE)?)
        },
        |record| {
            let length = (record.id.len() as u16).to_be_bytes();
            let version = record.version.to_be_bytes();
            let fields: [&[u8]; 4] = [&version, &length, record.id.as_bytes(), &record.bytes];
            frames.frame(RECORD, &fields).map_err(BackupError::Write)
        },
    )
}

fn put_journal<W: Write>(
    view: &Snapshot<'_>,
    frames: &mut FrameWriter<W>,
    stream: &str,
) -> Result<u64, BackupError> {
    frames
        .frame(JOURNAL, &[stream.as_bytes()])
        .map_err(BackupError::Write)?;
    each(
        |last: Option<&Entry>| {
            Ok(view.journal_page(stream, last.map_or(0, |last| last.sequence), PAGE)?)
        },
        |entry| {
            frames
                .frame(ENTRY, &[&entry.sequence.to_be_bytes(), &entry.bytes])
                .map_err(BackupError::Write)
        },
    )
}

/// Goes through all pages of something, however much of it there is; says how many there were.
fn each<T>(
    page: impl Fn(Option<&T>) -> Result<Vec<T>, BackupError>,
    mut visit: impl FnMut(&T) -> Result<(), BackupError>,
) -> Result<u64, BackupError> {
    let mut count = 0;
    let mut last = None;
    loop {
        let found = page(last.as_ref())?;
        for item in &found {
            visit(item)?;
        }
        count += found.len() as u64;
        match found.into_iter().next_back() {
            Some(item) => last = Some(item),
            None => return Ok(count),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, BackupError> {
    serde_json::to_vec(value).map_err(|error| BackupError::Write(error.into()))
}
