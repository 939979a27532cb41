//! An identity outlives its keys: it is a row of generations and three slots that point into it.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CertificateFacts, IdentityName, InvalidName, IssuerName, KeyAlgorithm, KeyId, KeyState,
    PolicyName,
};

/// Counts the generations of one identity from 1; never used twice.
// u32, since a generation a second for a century would fit.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenerationNumber(u32);

impl GenerationNumber {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// The one that follows.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The count.
    pub fn count(self) -> u32 {
        self.0
    }
}

impl fmt::Display for GenerationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for GenerationNumber {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.parse() {
            Ok(count) if count > 0 => Ok(Self(count)),
            _ => Err(InvalidName {
                what: "a generation (a number from 1)",
                text: super::one_line(text),
            }),
        }
    }
}

/// What the certificate is to say of us.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SubjectRequest {
    /// Common name; also the first dNSName when it is a host name.
    pub common_name: String,
    /// Organisation, if one is to be named.
    pub organization: Option<String>,
    /// dNSName entries.
    pub dns_names: Vec<String>,
}

/// Which generations are in use (SPIRE's current and next, and the one that is being retired).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Slots {
    /// Presented wherever no rotation says otherwise.
    pub current: Option<GenerationNumber>,
    /// Being made ready.
    pub next: Option<GenerationNumber>,
    /// No longer presented; its key exists until the partners refuse it.
    pub previous: Option<GenerationNumber>,
}

/// The client as partners know it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Our name for it.
    pub name: IdentityName,
    /// What certifies it.
    pub issuer: IssuerName,
    /// The rules that it lives by.
    pub policy: PolicyName,
    /// What its certificates say.
    pub subject: SubjectRequest,
    /// The kind of key that the next generation gets.
    pub key_algorithm: KeyAlgorithm,
    /// Since when.
    pub created_at: Timestamp,
    /// The generations in use.
    pub slots: Slots,
    /// The youngest generation ever begun; `None` before the first.
    pub newest: Option<GenerationNumber>,
    /// The generation that the rotation in progress brings; at most one by construction.
    pub rotation: Option<GenerationNumber>,
}

/// Where a key was made, and so what can be known of who else has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrigin {
    /// In the store, which it has not left but by deliveries that are on record.
    #[default]
    Made,
    /// Elsewhere: it lay in a file before it was taken in, and copies of that may exist.
    Adopted,
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Made => "made",
            Self::Adopted => "adopted",
        })
    }
}

/// One key pair with its request and certificate. The private key lies in a record of its own.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Whose.
    pub identity: IdentityName,
    /// Which.
    pub number: GenerationNumber,
    /// The kind of key.
    pub key_algorithm: KeyAlgorithm,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// Where the key stands.
    pub key_state: KeyState,
    /// Where the key was made.
    #[serde(default)]
    pub origin: KeyOrigin,
    /// The certification request, DER (RFC 2986); empty for a key that came with its certificate.
    #[serde(with = "hexadecimal")]
    pub request: Vec<u8>,
    /// The certificates, DER, leaf first; empty while the request waits for its issuer.
    pub chain: Vec<HexBytes>,
    /// What the leaf says.
    pub leaf: Option<CertificateFacts>,
    /// When the key was made, or taken in.
    pub created_at: Timestamp,
    /// When the key was destroyed.
    pub destroyed_at: Option<Timestamp>,
}

/// Bytes that records and JSON carry in hexadecimal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HexBytes(#[serde(with = "hexadecimal")] pub Vec<u8>);

/// As `hex::serde` has it. That one makes its text digit by digit, which is felt where a thousand chains are written.
mod hexadecimal {
    pub(super) use hex::serde::deserialize;
    use serde::{Serializer, ser::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let mut digits = vec![0; 2 * bytes.len()];
        hex::encode_to_slice(bytes, &mut digits).map_err(S::Error::custom)?;
        to.serialize_str(std::str::from_utf8(&digits).map_err(S::Error::custom)?)
    }
}
