//! What certifies our keys.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::IssuerName;

/// The three ways of being certified.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKind {
    /// An authority whose keys lie in the store.
    LocalCa,
    /// The partner's own authority: a request goes out, a chain comes back.
    PartnerCa,
    /// The key signs for itself.
    SelfSigned,
}

impl fmt::Display for IssuerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::LocalCa => "local-ca",
            Self::PartnerCa => "partner-ca",
            Self::SelfSigned => "self-signed",
        })
    }
}

/// An issuer as the configuration describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// Its name.
    pub name: IssuerName,
    /// How it certifies.
    pub kind: IssuerKind,
    /// The domains in which names may lie; never empty.
    pub approved_domains: Vec<String>,
    /// The roots that a chain from the partner's authority must lead to, DER; empty: not checked.
    pub anchors: Vec<Vec<u8>>,
}
