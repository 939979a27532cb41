//! One entry: its place in the chain, who, when, and what.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Action, Actor, Author};

/// SHA-256 over the very bytes of an entry. Shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// What the first entry follows on.
    pub const NONE: Self = Self([0; 32]);

    /// Wraps a digest computed elsewhere.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text that is no digest.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{text}` is no SHA-256 digest of 64 hexadecimal digits")]
pub struct ParseDigestError {
    /// What was given.
    pub text: String,
}

impl FromStr for Digest {
    type Err = ParseDigestError;
    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| ParseDigestError {
            text: crate::model::one_line(text),
        })?;
        Ok(Self(digest))
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;
    fn try_from(text: String) -> Result<Self, ParseDigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// An entry of the log.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// 1.
    pub schema: u32,
    /// Its number, from 1, without gaps.
    pub sequence: u64,
    /// The digest of the entry before; of the first, [`Digest::NONE`].
    pub previous: Digest,
    /// When it was written.
    pub at: Timestamp,
    /// Who acted.
    pub who: Actor,
    /// What was asked for, when it was done because somebody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What was done.
    #[serde(flatten)]
    pub action: Action,
}

impl Entry {
    /// The entry that follows on one with this number and digest.
    pub fn after(
        sequence: u64,
        previous: Digest,
        at: Timestamp,
        author: &Author,
        action: Action,
    ) -> Self {
        Self {
            schema: 1,
            sequence: sequence + 1,
            previous,
            at,
            who: author.actor.clone(),
            request: author.request.map(str::to_owned),
            action,
        }
    }
}
