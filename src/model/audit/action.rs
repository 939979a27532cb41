//! What was done. Readers accept every form that was ever written; a field may be added, never given another meaning.
//!
//! No field is called `schema`, `sequence`, `previous`, `at`, `who` or `request`: those are the entry's own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ConfigurationFile, Digest, ExportOutcome, Line, OneKey, ProbeEvidence, Receiver, SlotChange,
    Stage, Tries,
};
use crate::model::{
    Acknowledgement, ConnectorName, Destination, EmailAddress, Fingerprint, GenerationNumber,
    IdentityName, IssuerName, KeyAlgorithm, KeyId, LetterKind, MessageId, Outcome as Found,
    PolicyName, SerialNumber,
    rotation::{Basis, Decision, Gate, Outcome, RetireBasis, RotationId, RotationReason},
};

/// Something that was done, or refused.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
#[non_exhaustive]
pub enum Action {
    // --- the log itself ---
    /// The log begins, and names the key that it is signed with.
    LogBegun {
        /// A random name, which every signature repeats.
        log: String,
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        key: KeyId,
        /// The public key, PEM.
        public_key: String,
    },
    /// Everything before this entry, signed.
    Checkpoint {
        /// The text that is signed.
        head: String,
        /// ECDSA with SHA-256 (DER), base64.
        signature: String,
    },
    /// The log was read out, up to this entry.
    LogExported,

    // --- the store ---
    /// The store was made.
    StoreMade {
        /// What keeps the records.
        engine: Line,
        /// Where the store is.
        store: Line,
    },
    /// The store was opened.
    StoreOpened {
        /// By a daemon, which keeps it open; else by a command that ends at once.
        daemon: bool,
        /// The version of the program.
        version: Line,
        /// Where the store is.
        store: Line,
    },
    /// A daemon closed the store in good order.
    StoreClosed,
    /// Somebody tried to open the store, and could not. Noted once it is open.
    UnlockFailed(Tries),
    /// A process of another user came to the control socket, and was not listened to. Of one that comes again and
    /// again each minute is told together.
    PeerTurnedAway(Tries),
    /// A key slot was changed.
    SlotChanged {
        /// Its number.
        slot: u32,
        /// Its kind.
        kind: Line,
        /// What the operator calls it.
        label: Line,
        /// How it was changed.
        change: SlotChange,
    },
    /// The master key is being, or was, replaced.
    MasterKeyReplaced {
        /// The number of the new one.
        epoch: u32,
        /// How far it is.
        stage: Stage,
    },
    /// A backup is being written, with every private key in it; with a digest: it was written to its end.
    BackupWritten {
        /// Where to.
        to: Line,
        /// Who can read it.
        recipients: Vec<Line>,
        /// SHA-256 of the file, when it is known.
        digest: Option<Digest>,
    },
    /// The store was put back from a backup. The first entry after the last one that the backup holds.
    StoreRestored {
        /// Which backup.
        from: Line,
        /// When the backup was made, in its own words.
        made: Line,
        /// By whom.
        decided_by: Line,
        /// What the operator stated, where a statement was needed.
        reason: Line,
    },
    /// A store that is older than its witness was accepted as it is.
    RollbackAccepted {
        /// How many transactions it had seen.
        store: u64,
        /// How many its witness knew of.
        witness: u64,
        /// By whom.
        decided_by: Line,
        /// Why.
        reason: Line,
    },
    /// The store was brought to another format.
    StoreMigrated {
        /// From this.
        from: u32,
        /// To this.
        to: u32,
    },

    // --- what is in force, and what was asked for ---
    /// This configuration, with the files that it points at, is in force from here on.
    ConfigurationInForce {
        /// SHA-256 over the names and digests below.
        digest: Digest,
        /// The files.
        files: Vec<ConfigurationFile>,
    },
    /// A request that would have changed something was refused, wholly or from some point on.
    RequestRefused {
        /// What it was about.
        about: Line,
        /// Why.
        why: Line,
    },

    // --- identities and keys ---
    /// An identity was added.
    IdentityAdded {
        /// Its name.
        identity: IdentityName,
        /// What certifies it.
        issuer: IssuerName,
        /// The rules that it lives by.
        policy: PolicyName,
        /// The host names that it is to have.
        names: Vec<Line>,
    },
    /// A key pair was made in the store.
    KeyGenerated {
        /// Whose.
        identity: IdentityName,
        /// Which generation.
        generation: GenerationNumber,
        /// What kind.
        algorithm: KeyAlgorithm,
        /// SHA-256 of the SubjectPublicKeyInfo.
        key: KeyId,
    },
    /// A key pair that was made elsewhere was taken in.
    KeyImported {
        /// Whose.
        identity: IdentityName,
        /// Which generation.
        generation: GenerationNumber,
        /// What kind.
        algorithm: KeyAlgorithm,
        /// SHA-256 of the SubjectPublicKeyInfo.
        key: KeyId,
        /// Where it came from.
        from: Line,
    },
    /// A key protects traffic from here on.
    KeyActivated(OneKey),
    /// A key is withheld.
    KeySuspended(OneKey),
    /// A key that a restore had suspended is in force again.
    KeyReinstated {
        /// Whose.
        identity: IdentityName,
        /// Which generation.
        generation: GenerationNumber,
        /// SHA-256 of the SubjectPublicKeyInfo.
        key: KeyId,
        /// By whom; `None` when the wire has spoken for it.
        decided_by: Option<Line>,
        /// Why: their words, or what the wire said.
        reason: Line,
    },
    /// A key is no longer presented.
    KeyDeactivated(OneKey),
    /// A key is known or feared to be in other hands.
    KeyCompromised(OneKey),
    /// A private key is gone from the store.
    KeyDestroyed(OneKey),
    /// A generation has its certificate.
    CertificateIssued {
        /// Whose.
        identity: IdentityName,
        /// Which generation.
        generation: GenerationNumber,
        /// By whom.
        issuer: IssuerName,
        /// The certificate.
        certificate: Fingerprint,
        /// Its end.
        not_after: Timestamp,
    },
    /// The certificate that the partner's authority issued was taken in.
    CertificateImported {
        /// For which generation.
        rotation: RotationId,
        /// The certificate.
        certificate: Fingerprint,
        /// Its end.
        not_after: Timestamp,
    },
    /// A certificate came with its key, and is current. Who says that it is trusted claims it.
    CertificateAdopted {
        /// For which generation.
        rotation: RotationId,
        /// The certificate.
        certificate: Fingerprint,
        /// Its end.
        not_after: Timestamp,
        /// Who says that it is in use.
        claimed_by: Line,
        /// The rules that it breaks.
        leniencies: Vec<Line>,
    },
    /// The wire was asked about a certificate of which it was only claimed that it is trusted.
    ClaimProbed {
        /// Of which rotation.
        rotation: RotationId,
        /// Where.
        destination: Destination,
        /// What the wire said.
        probe: ProbeEvidence,
    },
    /// Somebody asked for a probe that ends with a login at Jira. Without an end, it may have been tried.
    LoginAsked {
        /// By which identity.
        identity: IdentityName,
        /// Where.
        destination: Destination,
        /// By which method: `basic`, `token`, `cookie` or `oauth1`. Nothing of the account is told.
        method: Line,
    },
    /// What became of it.
    LoginEnded {
        /// The number of the entry that it began with.
        asked: u64,
        /// By which identity.
        identity: IdentityName,
        /// Where.
        destination: Destination,
        /// By which method.
        method: Line,
        /// How it went; `None` when it was not tried, since the certificate was not accepted everywhere.
        found: Option<Found>,
    },
    /// A private key is about to leave the store. Without an end, it may have left.
    KeyExportBegun {
        /// For whom.
        connector: ConnectorName,
        /// Whose.
        identity: IdentityName,
        /// Which generation.
        generation: GenerationNumber,
        /// Its certificate.
        certificate: Fingerprint,
        /// Into what.
        to: Receiver,
    },
    /// What became of an export.
    KeyExportEnded {
        /// The number of the entry that it began with.
        begun: u64,
        /// For whom.
        connector: ConnectorName,
        /// Whose.
        identity: IdentityName,
        /// Which generation.
        generation: GenerationNumber,
        /// Whether the key has left.
        outcome: ExportOutcome,
    },

    // --- issuers and the letters' signer ---
    /// The keys of a local authority were made.
    AuthorityCreated {
        /// Its name.
        issuer: IssuerName,
        /// The root.
        root: Fingerprint,
        /// What works.
        issuing: Fingerprint,
    },
    /// A certificate is on the list of those that are no longer to be trusted.
    CertificateRevoked {
        /// Whose list.
        issuer: IssuerName,
        /// Which certificate.
        serial: SerialNumber,
    },
    /// A revocation list was signed.
    RevocationListIssued {
        /// By whom.
        issuer: IssuerName,
        /// Its number.
        number: u64,
        /// How many certificates it names.
        revoked: u64,
    },
    /// Letters are signed with this certificate from here on.
    SignerInstalled {
        /// The certificate.
        certificate: Fingerprint,
        /// SHA-256 of its SubjectPublicKeyInfo.
        key: KeyId,
        /// Whether its key was made elsewhere.
        imported: bool,
    },

    // --- rotations ---
    /// A rotation was planned.
    RotationBegun {
        /// Its name.
        rotation: RotationId,
        /// The generation that is to be replaced.
        from: Option<GenerationNumber>,
        /// Why.
        reason: RotationReason,
    },
    /// The configuration changed what a rotation has to reach.
    RotationRescoped {
        /// Which.
        rotation: RotationId,
        /// What has to be reached now.
        destinations: Vec<Destination>,
        /// Who has to present it now.
        connectors: Vec<ConnectorName>,
    },
    /// A mail server has accepted a letter.
    LetterSent {
        /// Of which rotation.
        rotation: RotationId,
        /// Why it was written.
        kind: LetterKind,
        /// Its name.
        message_id: MessageId,
        /// To whom.
        to: Vec<EmailAddress>,
        /// Whether it was encrypted to every one of them.
        encrypted: bool,
        /// The words with which it was accepted.
        reply: Line,
    },
    /// A mail came in, and was taken for something.
    MailWeighed {
        /// Its name.
        message_id: MessageId,
        /// Who it says it is from.
        from: Option<EmailAddress>,
        /// SHA-256 of the whole mail.
        digest: Digest,
        /// Whether it was taken as an acknowledgement.
        accepted: bool,
        /// What it was taken for.
        judgement: Line,
    },
    /// A contact accepted a certificate.
    Acknowledged {
        /// Of which rotation.
        rotation: RotationId,
        /// The evidence.
        acknowledgement: Acknowledgement,
    },
    /// A contact refused a certificate.
    Declined {
        /// Of which rotation.
        rotation: RotationId,
        /// Where.
        destination: Destination,
        /// Who.
        contact: EmailAddress,
        /// Why, in their words.
        reason: Line,
    },
    /// A gate was opened by decision, without evidence.
    Waived {
        /// Of which rotation.
        rotation: RotationId,
        /// Where.
        destination: Destination,
        /// Which gate.
        gate: Gate,
        /// Who says they decided: a claim.
        decided_by: Line,
        /// Why.
        reason: Line,
    },
    /// An operator decided about a rotation.
    Decided {
        /// Which.
        rotation: RotationId,
        /// What.
        #[serde(flatten)]
        decision: Decision,
        /// Who says they decided: a claim.
        decided_by: Line,
        /// Why.
        reason: Line,
    },
    /// A gate is open.
    GateOpened {
        /// Of which rotation.
        rotation: RotationId,
        /// Where.
        destination: Destination,
        /// Which gate.
        gate: Gate,
        /// On what ground.
        #[serde(flatten)]
        basis: Basis,
        /// What the wire said, when it was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<ProbeEvidence>,
    },
    /// A gate that stood open by evidence is shut again.
    GateShut {
        /// Of which rotation.
        rotation: RotationId,
        /// Where.
        destination: Destination,
        /// Which gate.
        gate: Gate,
        /// What the wire said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<ProbeEvidence>,
    },
    /// A connector was seen using a generation, or its reload succeeded.
    ConnectorSwitched {
        /// Of which rotation.
        rotation: RotationId,
        /// Who.
        connector: ConnectorName,
        /// To what.
        generation: GenerationNumber,
        /// Its certificate.
        certificate: Fingerprint,
        /// How we know.
        evidence: Line,
    },
    /// Every connector there presents the new generation.
    CutOver {
        /// Of which rotation.
        rotation: RotationId,
        /// Where.
        destination: Destination,
    },
    /// The old generation counts as gone there.
    Retired {
        /// Of which rotation.
        rotation: RotationId,
        /// Where.
        destination: Destination,
        /// On what ground.
        basis: RetireBasis,
        /// What the wire said, when it was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<ProbeEvidence>,
    },
    /// A rotation has ended.
    RotationEnded {
        /// Which.
        rotation: RotationId,
        /// How.
        outcome: Outcome,
    },
}
