//! Backups of the open store.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::{Service, ServiceError, error::chain};
use crate::{
    model::audit::{Action, Actor, Author, Digest},
    records::{BackupRecipients, Head, Manifest},
};

/// To whom a backup is encrypted. A passphrase is not in this value: it travels beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum BackupTo {
    /// To age recipients; to those of the configuration when none is named.
    Recipients {
        /// Their names.
        names: Vec<String>,
    },
    /// To who knows a passphrase.
    Passphrase,
}

/// A backup that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupRequest {
    /// Where it goes, as whoever asks says.
    pub file: String,
    /// To whom it is encrypted.
    #[serde(flatten)]
    pub to: BackupTo,
}

/// A backup that was taken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct BackupView {
    /// 1.
    pub schema: u32,
    /// When.
    pub taken_at: String,
    /// Which store it is of: the same for all its restored successors.
    pub lineage: String,
    /// How many transactions the store had seen.
    pub transactions: u64,
    /// The version of the program that took it.
    pub program: String,
    /// How many collections, and records in them.
    pub collections: u64,
    /// How many records.
    pub records: u64,
    /// How many journals.
    pub journals: u64,
    /// How many events in them.
    pub events: u64,
    /// The digest of what it holds.
    pub sha256: String,
}

impl BackupView {
    /// What a backup says of itself.
    pub fn new(head: &Head, manifest: &Manifest) -> Self {
        Self {
            schema: 1,
            taken_at: head.taken_at.clone(),
            lineage: hex::encode(head.lineage),
            transactions: head.transactions,
            program: head.program.clone(),
            collections: manifest.collections,
            records: manifest.records,
            journals: manifest.journals,
            events: manifest.entries,
            sha256: hex::encode(manifest.sha256),
        }
    }
}

impl Service {
    /// The recipients of these names, or those of the configuration.
    pub fn backup_recipients(&self, names: &[String]) -> Result<BackupRecipients, ServiceError> {
        let config = self.config();
        let names = if names.is_empty() {
            &config.backup_recipients
        } else {
            names
        };
        if names.is_empty() {
            return Err(ServiceError::failed("nobody is named to whom the backup is encrypted")
                .hint("--recipient age1… (`age-keygen` makes one), recipients in [backup] of countersign.toml, or --passphrase"));
        }
        BackupRecipients::parse(names).map_err(|error| ServiceError::from_error(&error))
    }

    /// Writes a backup. Long work: not on a thread that serves sockets. `file` is where whoever asked says that it goes.
    pub fn back_up(
        &self,
        by: Actor,
        file: &str,
        out: impl Write,
        recipients: &BackupRecipients,
    ) -> Result<BackupView, ServiceError> {
        let by = Author::new(by).on("store-backup");
        let written = |digest| Action::BackupWritten {
            to: file.into(),
            recipients: recipients.names().into_iter().map(Into::into).collect(),
            digest,
        };
        // All keys are about to leave, if encrypted: that is known before the first of them does.
        let at = self.clock.now();
        self.records.record(&by, at, written(None))?;
        let (head, manifest) = self
            .records
            .back_up(out, recipients, at)
            .map_err(|error| ServiceError::failed(chain(&error)))?;
        let digest = Some(Digest::new(manifest.sha256));
        self.records
            .record(&by, self.clock.now(), written(digest))?;
        tracing::info!(records = manifest.records, "a backup was taken");
        Ok(BackupView::new(&head, &manifest))
    }
}
