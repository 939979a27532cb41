//! What a daemon says of itself while it serves nothing: the store is shut, or another has it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a daemon that runs does not serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has no secret with which to open the store.
    Sealed,
    /// Another machine leads the store that they share.
    Following,
}

/// `status` of a daemon that does not serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StandingView {
    /// 1.
    pub schema: u32,
    /// When this was said.
    pub now: Timestamp,
    /// Since when the daemon runs.
    pub daemon_since: Timestamp,
    /// What it is instead of serving.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// Why, in a sentence.
    pub why: String,
    /// Who or what can change that, one phrase each.
    pub can_move: Vec<String>,
    /// The command that does.
    pub command: String,
    /// Who leads, when it is known that somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<LeaderView>,
}

/// The machine that leads a store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeaderView {
    /// What it calls itself.
    pub machine: String,
    /// The number of its term.
    pub term: u64,
    /// Since when, by the database's clock.
    pub since: Timestamp,
}
