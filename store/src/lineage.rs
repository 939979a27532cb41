//! What stays the same when a store is restored, migrated or sealed anew: which store it is.
//!
//! A restored store has another master key and another salt, so that nothing of the old files opens under the new
//! secret. What says that it is the successor of the old one is its *lineage*: a random id, and a random key that
//! never leaves store, backup and their readers. Backups and witnesses are authenticated under it. It is an ordinary
//! record, so it is sealed as all others are, and comes along with every backup.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::crypto::{self, SecretKey};
use crate::error::{Damage, Error, Fault, Place, Result};
use crate::store::Store;
use crate::transaction::{Expect, Transaction};
use crate::vault::Record;

/// The collection of what the store crate itself keeps among the records.
pub const STORE_COLLECTION: &str = "store";
const LINEAGE: &str = "lineage";

/// Which store it is, over all its successors.
#[derive(Clone)]
pub struct Lineage {
    id: [u8; 16],
    key: Arc<SecretKey>,
}

#[derive(Serialize, Deserialize, ZeroizeOnDrop)]
struct Form {
    #[serde(with = "hex")]
    id: [u8; 16],
    #[serde(with = "hex")]
    key: [u8; SecretKey::BYTES],
}

impl Lineage {
    /// The lineage in a record of a backup, if the record holds one.
    #[must_use]
    pub fn from_record(collection: &str, record: &Record) -> Option<Self> {
        if collection != STORE_COLLECTION || record.id != LINEAGE {
            return None;
        }
        let form: Form = serde_json::from_slice(&record.bytes).ok()?;
        Some(Self {
            id: form.id,
            key: Arc::new(SecretKey::from_slice(&form.key)?),
        })
    }

    /// The public half of it: a random number.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Whether both are the same, key included.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id && other.confirms(b"", &self.vouch(b""))
    }

    /// The authentication code over a digest.
    pub(crate) fn vouch(&self, digest: &[u8]) -> [u8; 32] {
        self.key.hash(&[b"countersign backup origin", digest])
    }

    /// Whether that code was made by this lineage.
    #[must_use]
    pub fn confirms(&self, digest: &[u8], code: &[u8; 32]) -> bool {
        self.key
            .confirms(&[b"countersign backup origin", digest], code)
    }

    /// The key that seals witnesses.
    pub(crate) fn witness_key(&self) -> SecretKey {
        self.key.derive(&self.id, "countersign witness")
    }
}

impl std::fmt::Debug for Lineage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lineage({})", hex::encode(self.id))
    }
}

impl Store {
    /// Which store this is, if it was ever asked.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Engine`].
    pub fn known_lineage(&self) -> Result<Option<Lineage>> {
        let Some(record) = self.read(STORE_COLLECTION, LINEAGE)? else {
            return Ok(None);
        };
        let lineage = Lineage::from_record(STORE_COLLECTION, &record);
        lineage.map(Some).ok_or_else(|| {
            Damage {
                place: Place::Record {
                    collection: STORE_COLLECTION.to_owned(),
                    id: LINEAGE.to_owned(),
                },
                fault: Fault::Malformed,
            }
            .into()
        })
    }

    /// Which store this is. Made when it is first asked for.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Engine`], [`Error::Random`].
    pub fn lineage(&self) -> Result<Lineage> {
        loop {
            if let Some(lineage) = self.known_lineage()? {
                return Ok(lineage);
            }
            let mut form = Form {
                id: [0; 16],
                key: [0; SecretKey::BYTES],
            };
            crypto::fill(&mut form.id)?;
            crypto::fill(&mut form.key)?;
            let bytes = serde_json::to_vec(&form)
                .map(Zeroizing::new)
                .expect("two texts in hexadecimal always have a form in JSON");
            let mut transaction = Transaction::new();
            transaction.put(STORE_COLLECTION, LINEAGE, bytes, Expect::Absent);
            match self.transact(transaction) {
                // Somebody else was quicker: theirs counts.
                Ok(()) | Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
