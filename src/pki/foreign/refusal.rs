//! Why an object of a file was not read. Each says what to do, where there is something to do.

use crate::pki::{InspectError, KeyError};

/// An object that was recognised, and not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A certificate that cannot be read.
    #[error("the certificate cannot be read")]
    Certificate {
        /// Why.
        source: InspectError,
    },
    /// The base64 or the structure is broken, whatever the passphrase.
    #[error("the {what} is damaged; export it again from where it was made")]
    Damaged {
        /// What it would be.
        what: String,
    },
    /// The container is fine, the key in it is not.
    #[error("the private key is not usable")]
    Key {
        /// Why.
        source: KeyError,
    },
    /// Another key is stated beside it.
    #[error(
        "the private key and the public key beside it do not belong together; export it again from where it was made"
    )]
    KeyAndPublicKeyDiffer,
    /// Nothing that could be used, though we know what it is.
    #[error("this is {found}; {remedy}")]
    NotWanted {
        /// What it is.
        found: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// It is encrypted and no passphrase was given.
    #[error("it is encrypted ({protection}); give its passphrase")]
    PassphraseNeeded {
        /// How.
        protection: String,
    },
    /// Opening it would take longer, or more memory, than any honest file does.
    #[error(
        "its protection asks for {found} {what}, more than the {limit} that are spent on one file; encrypt it anew with fewer"
    )]
    TooCostly {
        /// Rounds, or bytes of memory.
        what: &'static str,
        /// How many are asked for.
        found: u64,
        /// How many are left of what is spent on one file.
        limit: u64,
    },
    /// A kind of key that no policy allows.
    #[error("the key is {name}: {reason}")]
    UnsupportedKey {
        /// Its kind.
        name: String,
        /// Why it is of no use here.
        reason: &'static str,
    },
    /// Encrypted in a way that is not read here.
    #[error(
        "it is protected by {protection}, which is not read here; open it with the program that wrote it and export it as PKCS#12 or PKCS#8"
    )]
    UnsupportedProtection {
        /// How.
        protection: String,
    },
    /// The passphrase does not open it. Formats without a checksum of their own cannot tell this from damage.
    #[error("the passphrase does not open it{}", if *.or_damaged { ", or it was damaged: this format cannot tell the two apart" } else { "" })]
    WrongPassphrase {
        /// Whether it may have been damaged instead.
        or_damaged: bool,
    },
}

impl Refusal {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// The word for tables and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "certificate-unreadable",
            Self::Damaged { .. } => "damaged",
            Self::Key { .. } => "key-invalid",
            Self::KeyAndPublicKeyDiffer => "key-halves-differ",
            Self::NotWanted { .. } => "not-wanted",
            Self::PassphraseNeeded { .. } => "passphrase-needed",
            Self::TooCostly { .. } => "too-costly",
            Self::UnsupportedKey { .. } => "key-unsupported",
            Self::UnsupportedProtection { .. } => "protection-unsupported",
            Self::WrongPassphrase { .. } => "wrong-passphrase",
        }
    }
}
