//! The audit log's vocabulary: who did what, why, and on what evidence.
//!
//! An entry is a fact in the past. It is written in the same transaction as the change that it tells of,
//! and holds the digest of the entry before it, so that whoever has the log can see that nothing was
//! altered, removed or put elsewhere. No entry holds a secret, and whatever text comes from outside is a
//! [`Line`]: escaped and bounded.

mod action;
mod actor;
mod entry;
mod evidence;
mod key;
mod told;

pub use action::Action;
pub use actor::{Actor, ActorKind, Author, Claims};
pub use entry::{Digest, Entry, ParseDigestError};
pub use evidence::{
    ConfigurationFile, ExportOutcome, ProbeEvidence, Receiver, SlotChange, Stage, Tries,
};
pub use key::OneKey;
pub use told::told;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text from outside as the log keeps it: one line, escaped, bounded.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Line(String);

impl Line {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self(super::one_line(text))
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
