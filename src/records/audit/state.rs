//! Where the log ends, and what it is signed with.

use aws_lc_rs::rand;
use countersign_store::{Expect, Transaction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    STREAM,
    head::{Head, SignedHead},
};
use crate::{
    model::{
        KeyAlgorithm, Lapse,
        audit::{Action, Author, Digest, Entry},
    },
    pki::{KeyError, PrivateKey, digest_of, pem},
    records::{Records, RecordsError, SecretBytes, Versioned, batch::encode},
};

/// The collection with the two records of the log.
const COLLECTION: &str = "audit";
const KEY: &str = "key";
const END: &str = "end";

/// So many entries are signed at the latest when they are written.
const EVERY: u64 = 64;

/// So long an entry waits for a signature, if anybody looks.
const AT_MOST: Lapse = Lapse::seconds(3_600);

/// What the log is signed with.
#[derive(Serialize, Deserialize)]
struct KeyRecord {
    log: String,
    key: SecretBytes,
}

/// Where it ends.
#[derive(Clone, Serialize, Deserialize)]
struct EndRecord {
    entries: u64,
    digest: Digest,
    /// The last checkpoint.
    signed: u64,
    /// When it was made.
    signed_at: Timestamp,
    /// What was last told to be in force.
    configuration: Option<Digest>,
}

/// The log of an open store.
pub(super) struct State {
    log: String,
    key: PrivateKey,
    public_key: String,
    end: Versioned<EndRecord>,
}

impl State {
    /// What is known of the log, read from the store when it has to be; `None` when there is none yet.
    pub(super) fn known<'a>(
        state: &'a mut Option<Self>,
        records: &Records,
    ) -> Result<Option<&'a Self>, RecordsError> {
        if state.is_none() {
            *state = Self::load(records)?;
        }
        Ok(state.as_ref())
    }

    fn load(records: &Records) -> Result<Option<Self>, RecordsError> {
        let key: Option<Versioned<KeyRecord>> = records.read(COLLECTION, KEY)?;
        let (Some(key), Some(end)) = (key, records.read(COLLECTION, END)?) else {
            return Ok(None);
        };
        let KeyRecord { log, key } = key.value;
        let key = PrivateKey::from_pkcs8(key.expose())?;
        Ok(Some(Self::new(log, key, end)))
    }

    fn new(log: String, key: PrivateKey, end: Versioned<EndRecord>) -> Self {
        Self {
            public_key: pem::public_key_pem(key.public_key_info()),
            log,
            key,
            end,
        }
    }

    /// A log that begins with this transaction, and tells so.
    pub(super) fn begin(
        transaction: &mut Transaction,
        author: &Author,
        at: Timestamp,
    ) -> Result<Self, RecordsError> {
        let algorithm = KeyAlgorithm::EcdsaP256;
        let mut name = [0; 16];
        rand::fill(&mut name).map_err(|source| KeyError::Generation { algorithm, source })?;
        let log = hex::encode(name);
        let key = PrivateKey::generate(algorithm)?;
        let record = KeyRecord {
            log: log.clone(),
            key: SecretBytes::new(key.pkcs8()),
        };
        let bytes = encode(&record);
        transaction.put(COLLECTION, KEY, bytes, Expect::Absent);
        let end = EndRecord {
            entries: 0,
            digest: Digest::NONE,
            signed: 0,
            signed_at: at,
            configuration: None,
        };
        let mut state = Self::new(
            log,
            key,
            Versioned {
                version: 0,
                value: end,
            },
        );
        let begun = Action::LogBegun {
            log: state.log.clone(),
            key: state.key.key_id(),
            public_key: state.public_key.clone(),
        };
        state.tell(transaction, author, at, begun);
        Ok(state)
    }

    /// How many entries there are.
    pub(super) fn entries(&self) -> u64 {
        self.end.value.entries
    }

    /// What was last told to be in force.
    pub(super) fn configuration(&self) -> Option<Digest> {
        self.end.value.configuration
    }

    /// Appends an entry.
    pub(super) fn tell(
        &mut self,
        transaction: &mut Transaction,
        author: &Author,
        at: Timestamp,
        action: Action,
    ) {
        let end = &mut self.end.value;
        if let Action::ConfigurationInForce { digest, .. } = &action {
            end.configuration = Some(*digest);
        }
        let entry = Entry::after(end.entries, end.digest, at, author, action);
        let line = encode(&entry);
        end.entries = entry.sequence;
        end.digest = digest_of(&line);
        transaction.append_at(STREAM, entry.sequence, line);
    }

    /// Whether something has waited long enough for a signature.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let end = &self.end.value;
        let waiting = end.entries - end.signed;
        waiting >= EVERY || (waiting > 0 && AT_MOST.after(end.signed_at) <= now)
    }

    /// Appends a checkpoint over everything before it, if one is due.
    pub(super) fn sign_when_due(
        &mut self,
        transaction: &mut Transaction,
        author: &Author,
        now: Timestamp,
    ) -> Result<(), KeyError> {
        if !self.is_due(now) {
            return Ok(());
        }
        let SignedHead {
            head, signature, ..
        } = self.sign(now)?;
        self.tell(
            transaction,
            author,
            now,
            Action::Checkpoint { head, signature },
        );
        self.end.value.signed = self.end.value.entries;
        self.end.value.signed_at = now;
        Ok(())
    }

    /// Signs where it ends.
    pub(super) fn sign(&self, now: Timestamp) -> Result<SignedHead, KeyError> {
        let head = Head {
            log: self.log.clone(),
            entries: self.end.value.entries,
            digest: self.end.value.digest,
            at: now,
        };
        SignedHead::new(&head, &self.key, &self.public_key)
    }

    /// Writes where it ends, in the place of what was read.
    pub(super) fn end(&self, transaction: &mut Transaction) {
        let expect = match self.end.version {
            0 => Expect::Absent,
            version => Expect::Version(version),
        };
        let bytes = encode(&self.end.value);
        transaction.put(COLLECTION, END, bytes, expect);
    }

    /// Itself, once the transaction is durable.
    pub(super) fn written(mut self) -> Self {
        self.end.version += 1;
        self
    }
}
