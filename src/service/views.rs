//! What people and scripts are shown: one documented object for each question, never a secret.
//! Times are RFC 3339 UTC; `schema` counts incompatible changes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    CertificateFacts, ConnectorName, ConnectorReport, Destination, EmailAddress, Fingerprint,
    GenerationNumber, IdentityName, IssuerName, KeyAlgorithm, KeyId, KeyOrigin, KeyState,
    MessageId, PolicyName, Slots, Verdict,
    rotation::{Phase, RotationId, RotationReason},
};
use crate::rotation::{Decision, Due};

/// `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// 1.
    pub schema: u32,
    /// When this was said.
    pub now: Timestamp,
    /// Since when the daemon runs; `None` when no daemon does.
    pub daemon_since: Option<Timestamp>,
    /// The storage engine.
    pub engine: String,
    /// The number of our term, when the store is one that machines share and we lead it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// What is wrong with the configuration on disk; the one before it is in force.
    pub faults: Vec<String>,
    /// How many identities there are.
    pub totals: Totals,
    /// All identities while there are at most a hundred, by name; else a hundred: those with a rotation in
    /// progress, then those whose certificates end first.
    pub identities: Vec<IdentityView>,
    /// Every connector.
    pub connectors: Vec<ConnectorView>,
}

/// How many identities there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// In all.
    pub identities: u64,
    /// With a rotation in progress.
    pub under_way: u64,
    /// Whose rotation has to begin, and has not.
    pub due: u64,
}

/// An identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityView {
    /// 1.
    pub schema: u32,
    /// Its name.
    pub identity: IdentityName,
    /// What certifies it.
    pub issuer: IssuerName,
    /// The rules that it lives by.
    pub policy: PolicyName,
    /// Its common name.
    pub common_name: String,
    /// The generations in use.
    pub slots: Slots,
    /// When the next rotation begins.
    pub due: Due,
    /// Where it has to be trusted.
    pub destinations: Vec<Destination>,
    /// Its generations, oldest first.
    pub generations: Vec<GenerationView>,
    /// The rotation in progress.
    pub rotation: Option<RotationView>,
    /// Destinations that are said to trust an adopted generation which is current, and whether a probe has proven it.
    #[serde(default)]
    pub claims: Vec<(Destination, Option<Timestamp>)>,
}

/// `identity adopt`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdoptedView {
    /// 1.
    pub schema: u32,
    /// Rules that the certificate breaks and its successor will have to keep, each with its name.
    pub warnings: Vec<String>,
    /// Where it is said to be trusted, without proof.
    pub claimed: Vec<Destination>,
    /// The identity as it is now.
    pub identity: IdentityView,
}

/// A generation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GenerationView {
    /// Its number.
    pub generation: GenerationNumber,
    /// The kind of key.
    pub key_algorithm: KeyAlgorithm,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// Where the key stands.
    pub key_state: KeyState,
    /// Whether the key was made here or taken in.
    #[serde(default)]
    pub origin: KeyOrigin,
    /// When the key was made, or taken in.
    pub created_at: Timestamp,
    /// When the key was destroyed.
    pub destroyed_at: Option<Timestamp>,
    /// What the certificate says; `None` while the request waits.
    pub certificate: Option<CertificateFacts>,
}

/// A rotation: what is, what it waits for, since when, who can move it, and what happens next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RotationView {
    /// 1.
    pub schema: u32,
    /// Its name.
    pub rotation: RotationId,
    /// How far it has come.
    pub phase: Phase,
    /// Why it was planned.
    pub reason: RotationReason,
    /// When.
    pub planned_at: Timestamp,
    /// What it replaces.
    pub from: Option<GenerationNumber>,
    /// What it brings.
    pub to: GenerationNumber,
    /// The new certificate.
    pub fingerprint: Option<Fingerprint>,
    /// Its end.
    pub not_after: Option<Timestamp>,
    /// What it does next, and why; the same value by which it is driven. `None` once it has ended.
    pub next: Option<Decision>,
    /// Destination by destination.
    pub destinations: Vec<DestinationView>,
    /// Connector by connector: since when it presents the new generation.
    pub connectors: Vec<(ConnectorName, Destination, Option<Timestamp>)>,
    /// Everything that was noted, oldest first.
    pub history: Vec<EventView>,
}

/// A destination's part of a rotation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestinationView {
    /// Where.
    pub destination: Destination,
    /// Since when somebody claims that it is trusted there.
    #[serde(default)]
    pub claimed: Option<Timestamp>,
    /// When the offer was accepted by the mail server.
    pub offered: Option<Timestamp>,
    /// Who acknowledged, and when.
    pub acknowledged: Option<(EmailAddress, Timestamp)>,
    /// When the gate of acknowledgement opened.
    pub confirmed: Option<Timestamp>,
    /// The last verdict on the new generation, in a sentence, and when.
    pub probe: Option<(Verdict, String, Timestamp)>,
    /// When the gate of the probe opened.
    pub proven: Option<Timestamp>,
    /// When every connector there had been seen presenting the new generation.
    pub activated: Option<Timestamp>,
    /// The last verdict on the old generation, in a sentence, and when.
    pub refusal: Option<(Verdict, String, Timestamp)>,
    /// When the old generation counted as gone.
    pub retired: Option<Timestamp>,
}

/// A noted fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventView {
    /// When.
    pub at: Timestamp,
    /// What, in a sentence.
    pub fact: String,
}

/// A connector.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectorView {
    /// Its name.
    pub connector: ConnectorName,
    /// Where it calls.
    pub destination: Destination,
    /// How it is reached: `socket`, `bundle` or `directory`.
    pub delivery: String,
    /// The generation that it is to present.
    pub wanted: Option<Fingerprint>,
    /// How many connections it holds to our socket; `None` when it is reached by files.
    pub connections: Option<usize>,
    /// What it last said of itself.
    pub report: Option<ConnectorReport>,
}

/// `renew`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewView {
    /// 1.
    pub schema: u32,
    /// Rotations that were begun.
    pub started: Vec<IdentityName>,
    /// What each rotation in progress does next.
    pub in_progress: Vec<(IdentityName, Phase, Option<Decision>)>,
    /// Rotations that ended.
    pub finished: Vec<IdentityName>,
    /// What went wrong, by identity.
    pub failed: Vec<(IdentityName, String)>,
    /// When to look again at the latest, if anything is foreseen.
    pub wake_at: Option<Timestamp>,
}

/// What became of a mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LetterView {
    /// 1.
    pub schema: u32,
    /// Whether it was taken as an acknowledgement.
    pub accepted: bool,
    /// What it was taken for, in a sentence.
    pub judgement: String,
}

/// A mail that came in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxView {
    /// Its name, when it has one.
    pub message_id: Option<MessageId>,
    /// Who it says it is from.
    pub from: Option<EmailAddress>,
    /// When it was handed to us.
    pub received_at: Timestamp,
    /// Whether it was taken as an acknowledgement.
    pub accepted: bool,
    /// What it was taken for, or why it was refused.
    pub judgement: String,
}

/// Something public in PEM (RFC 7468).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PemView {
    /// 1.
    pub schema: u32,
    /// What it is, in a few words.
    pub what: String,
    /// SHA-256 of the first certificate, when it is one.
    pub fingerprint: Option<Fingerprint>,
    /// The text.
    pub pem: String,
}
