//! What a probe found, check by check: the same facts as the evidence, in the order in which a person reads them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Role;

/// What was looked at, from the name to Jira.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Name resolution.
    Name,
    /// The TCP connection.
    Connection,
    /// Version and suite.
    Tls,
    /// The server's certificate chain.
    ServerChain,
    /// Whether a certificate was asked for, and by whom it may be issued.
    Request,
    /// What became of ours.
    Certificate,
    /// Who answered the request.
    Answer,
    /// Who ought not to get in.
    Strangers,
    /// GET, POST, PUT and DELETE.
    Methods,
    /// A large request.
    LargeBody,
    /// The account at Jira.
    Account,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Tls => "TLS",
            Self::ServerChain => "server chain",
            Self::Request => "request",
            Self::Certificate => "certificate",
            Self::Answer => "answer",
            Self::Strangers => "strangers",
            Self::Methods => "methods",
            Self::LargeBody => "large body",
            Self::Account => "account",
        })
    }
}

/// How a check went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Good,
    /// Works, but somebody should look at it.
    Mind,
    /// Not as it should be.
    Bad,
    /// Not known.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "ok",
            Self::Mind => "mind",
            Self::Bad => "BAD",
            Self::Unknown => "?",
        })
    }
}

/// How sure we are of what a check means.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sureness {
    /// It was seen.
    Certain,
    /// What was seen means this nearly everywhere.
    Likely,
    /// What was seen can mean other things as well.
    Guess,
}

impl fmt::Display for Sureness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Guess => "a guess",
        })
    }
}

/// A check, what was seen, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen, on one line.
    pub seen: String,
    /// How sure we are.
    pub sureness: Sureness,
    /// Why we are no surer; `None` when certain.
    pub doubt: Option<String>,
    /// Who can mend it; `None` when nothing is to mend.
    pub owner: Option<Role>,
    /// What they should do; `None` when nothing is to mend.
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be, and seen.
    pub fn good(check: Check, seen: impl Into<String>) -> Self {
        Self {
            check,
            outcome: Outcome::Good,
            seen: seen.into(),
            sureness: Sureness::Certain,
            doubt: None,
            owner: None,
            remedy: None,
        }
    }

    /// The same with another outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The same, less sure.
    #[must_use]
    pub fn doubted(mut self, sureness: Sureness, why: impl Into<String>) -> Self {
        self.sureness = sureness;
        self.doubt = Some(why.into());
        self
    }

    /// The same with something to do.
    #[must_use]
    pub fn mend(mut self, owner: Role, remedy: impl Into<String>) -> Self {
        self.owner = Some(owner);
        self.remedy = Some(remedy.into());
        self
    }
}
