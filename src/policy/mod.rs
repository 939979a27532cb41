//! Layer 1: policies, pure. TOML becomes a [`Policy`]; every fault is reported, not the first one only.
//!
//! A policy is a named list of rules: which keys and certificates, which gates, how long people take.
//! The arithmetic of the lead times stands in [`LeadTimes`]; the rules for a certificate in [`lint`].

pub mod adoption;
mod lead_time;
pub mod lint;
mod raw;

pub use lead_time::{LeadTimes, UnworkablePlan};
pub use raw::PolicyFaults;
pub(crate) use raw::place;

use crate::model::{KeyAlgorithm, Lapse, PolicyName};

/// Whether a gate has to be opened by evidence.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateRule {
    /// Only evidence or a waiver opens it.
    Required,
    /// It stands open.
    NotRequired,
}

/// When the old generation counts as gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetireRule {
    /// When the wire has refused it.
    Refused,
    /// When the wire has refused it, or its certificate has expired.
    RefusedOrExpired,
}

/// Rules for keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRules {
    /// What a new identity gets when nothing else is said.
    pub algorithm: KeyAlgorithm,
    /// What an identity may have.
    pub allowed: Vec<KeyAlgorithm>,
}

/// Rules for certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateRules {
    /// What we ask for, or issue.
    pub validity: Lapse,
    /// What we take at most.
    pub max_validity: Lapse,
    /// What must be left when it comes to us.
    pub min_remaining: Lapse,
}

/// What has to be seen before a cut-over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gates {
    /// A named contact accepted the fingerprint.
    pub acknowledgement: GateRule,
    /// The wire accepted the certificate.
    pub probe: GateRule,
}

/// How we write to partners.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExchangeRules {
    /// Until when an answer is asked for.
    pub respond_within: Lapse,
    /// Between reminders.
    pub remind_every: Lapse,
    /// How many, before a person is asked.
    pub reminders: u32,
    /// How long the one-time code of a letter opens anything.
    pub code_lifetime: Lapse,
}

/// How we ask the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbeRules {
    /// Between probes of one destination.
    pub every: Lapse,
    /// Whether no certificate and a stranger's have to be refused too.
    pub controls: bool,
    /// Whether the four methods have to reach Jira.
    pub verbs: bool,
}

/// How connectors are switched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ActivationRules {
    /// Between the first connector and the rest.
    pub canary: Lapse,
    /// How long a connection with the old identity may finish its work.
    pub drain: Lapse,
    /// How long one attempt waits for a connector to show the new identity in use.
    pub confirm_within: Lapse,
    /// From activation to telling the partner that the old one may go.
    pub soak: Lapse,
}

/// How the old generation goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetireRules {
    /// What proves it gone.
    pub proof: RetireRule,
    /// Between probes with the old generation.
    pub every: Lapse,
}

/// How often a failing step is tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryRules {
    /// After the first failure; doubled with each further one.
    pub first: Lapse,
    /// Never longer than this.
    pub most: Lapse,
}

impl RetryRules {
    /// How long to wait after the `count`-th failure in a row.
    pub fn delay(&self, count: u32) -> Lapse {
        let doublings = count.saturating_sub(1).min(20);
        self.first.times(1 << doublings).min(self.most)
    }
}

/// A named list of rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Its name, the same as its file's.
    pub name: PolicyName,
    /// For whom it is, in one sentence.
    pub description: String,
    /// Rules for keys.
    pub key: KeyRules,
    /// Rules for certificates.
    pub certificate: CertificateRules,
    /// What has to be seen before a cut-over.
    pub gates: Gates,
    /// How long people and processes take.
    pub lead_time: LeadTimes,
    /// How we write to partners.
    pub exchange: ExchangeRules,
    /// How we ask the wire.
    pub probe: ProbeRules,
    /// How connectors are switched.
    pub activation: ActivationRules,
    /// How the old generation goes.
    pub retire: RetireRules,
    /// How often a failing step is tried again.
    pub retry: RetryRules,
}
