//! Keys: algorithms and the states of SP 800-57.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What kind of key pair.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384,
    /// RSA of 2048 bits.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA of 3072 bits.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// RSA of 4096 bits.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl KeyAlgorithm {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 6] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Ed25519,
    ];

    /// The word used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::Ed25519 => "ed25519",
        }
    }

    /// What a person should know before choosing it.
    pub fn caution(self) -> Option<&'static str> {
        match self {
            Self::Ed25519 => Some(
                "gateways and certification authorities rarely take Ed25519 client certificates; \
                 TLS 1.2 stacks without RFC 8422 refuse them",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no key algorithm.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "`{text}` is no key algorithm: choose ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096 or ed25519"
)]
pub struct UnknownKeyAlgorithm {
    /// What was given.
    pub text: String,
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownKeyAlgorithm;
    fn from_str(text: &str) -> Result<Self, UnknownKeyAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == text)
            .ok_or_else(|| UnknownKeyAlgorithm {
                text: super::one_line(text),
            })
    }
}

/// The state of a key (SP 800-57 part 1 revision 5, §7).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Made, and used for proof of possession and key confirmation only.
    PreActivation,
    /// Protects traffic.
    Active,
    /// Withheld for a while.
    Suspended,
    /// No longer presented, not yet destroyed.
    Deactivated,
    /// Known or feared to be in other hands.
    Compromised,
    /// Gone; its certificate and history remain.
    Destroyed,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PreActivation => "pre-activation",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
        })
    }
}
