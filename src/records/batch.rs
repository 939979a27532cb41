//! What is written together.

use countersign_store::{Expect, Mark, Transaction};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    AUTHORITIES, AuthorityRecord, CODES, GENERATIONS, IDENTITIES, INBOX, InboxRecord, KEYS, OUTBOX,
    OutboxRecord, SIGNER, SignerRecord, Versioned, generation_id, mail_id, outlook::Told,
};
use crate::model::{
    Generation, GenerationNumber, Identity, IdentityName, IssuerName, KeyId, MessageId,
    PendingCode,
    audit::Action,
    rotation::{Event, RotationId},
};

/// Changes that become durable together or not at all, with what the audit log tells of them.
pub struct Batch {
    pub(super) transaction: Transaction,
    /// Keys that are dead from here on: the witness learns of them first.
    graves: Vec<(KeyId, Mark)>,
    told: Vec<Action>,
    pub(super) outlook: Told,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// No change yet.
    pub fn new() -> Self {
        Self {
            transaction: Transaction::new(),
            graves: Vec::new(),
            told: Vec::new(),
            outlook: Told::default(),
        }
    }

    /// Tells of it in the audit log.
    pub fn tell(mut self, action: Action) -> Self {
        self.told.push(action);
        self
    }

    /// Writes an identity in the place of the version that was read.
    pub fn identity(mut self, identity: &Versioned<Identity>) -> Self {
        self.outlook.identity(&identity.value);
        self.put(
            IDENTITIES,
            identity.value.name.as_str(),
            identity.version,
            &identity.value,
        )
    }

    /// Writes a generation in the place of the version that was read.
    pub fn generation(mut self, generation: &Versioned<Generation>) -> Self {
        self.outlook.generation(&generation.value);
        let id = generation_id(&generation.value.identity, generation.value.number);
        self.put(GENERATIONS, &id, generation.version, &generation.value)
    }

    /// Writes a new private key, PKCS#8 DER. A key is never replaced.
    pub fn new_key(
        mut self,
        identity: &IdentityName,
        number: GenerationNumber,
        pkcs8: &[u8],
    ) -> Self {
        self.transaction.put(
            KEYS,
            &generation_id(identity, number),
            pkcs8.to_vec(),
            Expect::Absent,
        );
        self
    }

    /// Destroys a private key. One that is gone already stays gone.
    pub fn destroy_key(mut self, identity: &IdentityName, number: GenerationNumber) -> Self {
        self.transaction
            .delete(KEYS, &generation_id(identity, number), Expect::Any);
        self
    }

    /// Writes an authority in the place of the version that was read.
    pub fn authority(self, issuer: &IssuerName, authority: &Versioned<AuthorityRecord>) -> Self {
        self.put(
            AUTHORITIES,
            issuer.as_str(),
            authority.version,
            &authority.value,
        )
    }

    /// Writes what signs our letters in the place of the version that was read.
    pub fn signer(self, signer: &Versioned<SignerRecord>) -> Self {
        self.put(SIGNER, SIGNER, signer.version, &signer.value)
    }

    /// Writes a letter in the place of the version that was read.
    pub fn letter(self, id: &MessageId, letter: &Versioned<OutboxRecord>) -> Self {
        self.put(OUTBOX, &mail_id(id), letter.version, &letter.value)
    }

    /// Writes what became of a mail that came in, in the place of the version that was read.
    pub fn inbound(self, id: &MessageId, inbound: &Versioned<InboxRecord>) -> Self {
        self.put(INBOX, &mail_id(id), inbound.version, &inbound.value)
    }

    /// Writes the one-time code of a letter in the place of the version that was read.
    pub fn code(self, letter: &MessageId, code: &Versioned<PendingCode>) -> Self {
        self.put(CODES, &mail_id(letter), code.version, &code.value)
    }

    /// Appends a fact to the journal of a rotation, as number `sequence` or not at all.
    pub fn event(mut self, rotation: &RotationId, sequence: u64, event: &Event) -> Self {
        self.transaction
            .append_at(&super::journal::stream(rotation), sequence, encode(event));
        self
    }

    /// Has the witness told of the end of a key, before anything of this batch is done.
    pub(super) fn bury(mut self, key: KeyId, mark: Mark) -> Self {
        self.graves.push((key, mark));
        self
    }

    pub(super) fn into_parts(self) -> (Transaction, Vec<(KeyId, Mark)>, Vec<Action>) {
        (self.transaction, self.graves, self.told)
    }

    pub(super) fn put(
        mut self,
        collection: &'static str,
        id: &str,
        version: u64,
        value: &impl Serialize,
    ) -> Self {
        let expect = if version == 0 {
            Expect::Absent
        } else {
            Expect::Version(version)
        };
        self.transaction.put(collection, id, encode(value), expect);
        self
    }
}

pub(super) fn encode(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(
        serde_json::to_vec(value).expect("records have string keys and no fallible serializers"),
    )
}
