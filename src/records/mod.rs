//! Layer 2: typed records over `store`, which knows nothing of them. The only importer of `store`.
//!
//! What belongs together is written together: a [`Batch`] is one transaction, and holds, say, a private
//! key, its generation and the fact that it was made. Whoever changes a record names the version that it
//! has seen, so that of two who change it at once one wins and the other is told.

mod adoption;
mod amend;
pub mod audit;
mod authority;
mod backup;
mod batch;
mod error;
mod holdings;
mod journal;
mod keyring;
mod mail;
mod opening;
mod outlook;
mod probes;
mod restore;
mod rollback;
mod secret;
mod shared;
mod signer;
mod survey;
mod witness;

pub use authority::{AuthorityRecord, RevokedRecord};
pub use backup::{BackingUpError, BackupError, Inspected, inspect};
pub use batch::Batch;
pub use error::RecordsError;
pub use journal::Replayed;
pub use keyring::{KdfCost, ResealState, Resealed, SlotInfo, SlotKind, SlotOptions, TokenKey};
pub use mail::{InboxRecord, OutboxRecord};
pub use outlook::Expiring;
pub use restore::{Answering, Rehearsal, RestoreError, Restored, Target, rehearse, restore};
pub use rollback::Accepted;
pub use secret::SecretBytes;
pub use signer::SignerRecord;
pub use survey::{IdentityHeld, Overview, Surveyed, survey};
use witness::Attendance;

use std::sync::Mutex;

use aws_lc_rs::digest;
pub use countersign_store::{
    BackupFile, BackupIdentity, BackupRecipients, Database, Ended, EngineKind, Head, KeyFile,
    Leader, Leadership, Lease, Manifest, Passphrase, Pin, Token, TokenPlace, UnknownSecret, Unlock,
};
use countersign_store::{Mark, Record, Store, Transaction};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::model::{
    Generation, GenerationNumber, Identity, IdentityName, IssuerName, KeyId, MessageId, PendingCode,
};

const IDENTITIES: &str = "identity";
const GENERATIONS: &str = "generation";
const KEYS: &str = "key";
const AUTHORITIES: &str = "authority";
const SIGNER: &str = "signer";
const OUTBOX: &str = "outbox";
const INBOX: &str = "inbox";
const CODES: &str = "code";

/// The journal of what was decided about the store as a whole.
const STORE_JOURNAL: &str = "store";

/// A value with the version of its record; 0 stands for one that is not stored yet.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    /// The version that was read.
    pub version: u64,
    /// The value.
    pub value: T,
}

/// Everything that countersign remembers.
pub struct Records {
    // The order matters: the witness learns of the last transaction before the store is closed.
    witness: Option<Attendance>,
    store: Store,
    turn: Mutex<()>,
    log: audit::Log,
}

impl Records {
    /// Records over an open store.
    pub fn new(store: Store) -> Self {
        Self {
            witness: None,
            store,
            turn: Mutex::new(()),
            log: audit::Log::default(),
        }
    }

    /// The store under them.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// An identity by name.
    pub fn identity(
        &self,
        name: &IdentityName,
    ) -> Result<Option<Versioned<Identity>>, RecordsError> {
        self.read(IDENTITIES, name.as_str())
    }

    /// A generation of an identity.
    pub fn generation(
        &self,
        identity: &IdentityName,
        number: GenerationNumber,
    ) -> Result<Option<Versioned<Generation>>, RecordsError> {
        self.read(GENERATIONS, &generation_id(identity, number))
    }

    /// All generations of an identity, oldest first.
    pub fn generations(
        &self,
        identity: &IdentityName,
    ) -> Result<Vec<Versioned<Generation>>, RecordsError> {
        let records = self
            .store
            .list_prefix(GENERATIONS, &format!("{identity}/"))?;
        records
            .into_iter()
            .map(|record| decode(GENERATIONS, &record))
            .collect()
    }

    /// The private key of a generation, PKCS#8 DER; `None` once it is destroyed.
    pub fn private_key(
        &self,
        identity: &IdentityName,
        number: GenerationNumber,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, RecordsError> {
        Ok(self
            .store
            .read(KEYS, &generation_id(identity, number))?
            .map(|record| record.bytes))
    }

    /// The authority behind a local issuer.
    pub fn authority(
        &self,
        issuer: &IssuerName,
    ) -> Result<Option<Versioned<AuthorityRecord>>, RecordsError> {
        self.read(AUTHORITIES, issuer.as_str())
    }

    /// What signs our letters.
    pub fn signer(&self) -> Result<Option<Versioned<SignerRecord>>, RecordsError> {
        self.read(SIGNER, SIGNER)
    }

    /// A letter of ours.
    pub fn letter(&self, id: &MessageId) -> Result<Option<Versioned<OutboxRecord>>, RecordsError> {
        self.read(OUTBOX, &mail_id(id))
    }

    /// What became of a mail that came in.
    pub fn inbound(&self, id: &MessageId) -> Result<Option<Versioned<InboxRecord>>, RecordsError> {
        self.read(INBOX, &mail_id(id))
    }

    /// Every mail that came in.
    pub fn inbox(&self) -> Result<Vec<Versioned<InboxRecord>>, RecordsError> {
        self.list(INBOX)
    }

    /// The one-time code that belongs to a letter.
    pub fn code(&self, letter: &MessageId) -> Result<Option<Versioned<PendingCode>>, RecordsError> {
        self.read(CODES, &mail_id(letter))
    }

    /// Writes, in the presence of the witness if there is one: it learns first of the keys that die by this.
    fn transact(
        &self,
        transaction: Transaction,
        graves: &[(KeyId, Mark)],
    ) -> Result<(), RecordsError> {
        match &self.witness {
            None => Ok(self.store.transact(transaction)?),
            Some(witness) => witness.attend(&self.store, transaction, graves),
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        collection: &'static str,
        id: &str,
    ) -> Result<Option<Versioned<T>>, RecordsError> {
        self.store
            .read(collection, id)?
            .map(|record| decode(collection, &record))
            .transpose()
    }

    fn list<T: DeserializeOwned>(
        &self,
        collection: &'static str,
    ) -> Result<Vec<Versioned<T>>, RecordsError> {
        self.store
            .list(collection)?
            .into_iter()
            .map(|record| decode(collection, &record))
            .collect()
    }
}

fn decode<T: DeserializeOwned>(
    collection: &'static str,
    record: &Record,
) -> Result<Versioned<T>, RecordsError> {
    let value =
        serde_json::from_slice(&record.bytes).map_err(|source| RecordsError::Unreadable {
            collection,
            id: record.id.clone(),
            source,
        })?;
    Ok(Versioned {
        version: record.version,
        value,
    })
}

/// A Message-ID from outside may be of any length; names in the store are not.
fn mail_id(id: &MessageId) -> String {
    hex::encode(digest::digest(&digest::SHA256, id.as_str().as_bytes()))
}

/// Numbers are padded so that generations are listed in order.
fn generation_id(identity: &IdentityName, number: GenerationNumber) -> String {
    format!("{identity}/{:010}", number.count())
}
