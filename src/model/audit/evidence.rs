//! What actions are told with.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, Line};
use crate::model::Verdict;

/// What was tried in vain, once or several times.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Tries {
    /// How often.
    pub attempts: u64,
    /// The first attempt.
    pub since: Timestamp,
    /// The last attempt.
    pub last: Timestamp,
    /// What was wrong.
    pub why: Line,
}

/// A probe in short; the whole report is in the rotation's journal under the same id.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ProbeEvidence {
    /// Its name, which stands in the other side's logs, too.
    pub id: Line,
    /// What it concludes.
    pub verdict: Verdict,
    /// In a sentence.
    pub summary: Line,
}

/// What a private key is written into.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "into")]
pub enum Receiver {
    /// One file with key and chain.
    Bundle {
        /// Which.
        path: Line,
    },
    /// The directory of a generation.
    Directory {
        /// In which.
        path: Line,
    },
    /// A connection to the connectors' socket, as the kernel names its other end.
    Socket {
        /// The user.
        uid: u32,
        /// The process.
        pid: Option<i32>,
    },
}

/// What became of an export.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum ExportOutcome {
    /// All of it was written.
    Delivered,
    /// It was broken off: a part may have left.
    Failed {
        /// Why.
        why: Line,
    },
}

/// How a key slot was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotChange {
    /// It is new.
    Added,
    /// It opens nothing any more.
    Removed,
    /// It has another secret, or another cost.
    Changed,
}

/// How far something long is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It has begun.
    Begun,
    /// It is done.
    Finished,
}

/// A file that a configuration consists of.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationFile {
    /// Where it lies.
    pub path: Line,
    /// SHA-256 of what was read.
    pub digest: Digest,
}
