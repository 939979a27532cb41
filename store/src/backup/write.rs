//! Taking a backup.

use std::io::Write;
use std::sync::PoisonError;

use super::error::BackupError;
use super::frame::{COLLECTION, ENTRY, FrameWriter, HEAD, JOURNAL, MANIFEST, RECORD};
use super::seal::BackupRecipients;
use super::{Head, Manifest, Taking};
use crate::contents::Name;
use crate::store::Store;

impl Store {
    /// Writes everything that this store holds, as of one instant, encrypted.
    ///
    /// Readers go on meanwhile, and writers wait. The stream is whole only when this returns: it is for the caller to
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
        let _still = self
            .inner
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let head = Head {
            lineage: lineage.id(),
            transactions: self.transactions()?,
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
        for name in self.inner.contents()? {
            match name {
                Name::Collection(collection) => {
                    manifest.collections += 1;
                    manifest.records += self.put_collection(&mut frames, &collection)?;
                }
                Name::Journal(stream) => {
                    manifest.journals += 1;
                    manifest.entries += self.put_journal(&mut frames, &stream)?;
                }
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

    fn put_collection<W: Write>(
        &self,
        frames: &mut FrameWriter<W>,
        collection: &str,
    ) -> Result<u64, BackupError> {
        frames
            .frame(COLLECTION, &[collection.as_bytes()])
            .map_err(BackupError::Write)?;
        let mut count = 0;
        for record in self.list(collection)? {
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
        Ok(count)
    }

    fn put_journal<W: Write>(
        &self,
        frames: &mut FrameWriter<W>,
        stream: &str,
    ) -> Result<u64, BackupError> {
        frames
            .frame(JOURNAL, &[stream.as_bytes()])
            .map_err(BackupError::Write)?;
        let mut count = 0;
        for entry in self.journal(stream)? {
            frames
                .frame(ENTRY, &[&entry.sequence.to_be_bytes(), &entry.bytes])
                .map_err(BackupError::Write)?;
            count += 1;
        }
        Ok(count)
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, BackupError> {
    serde_json::to_vec(value).map_err(|error| BackupError::Write(error.into()))
}
