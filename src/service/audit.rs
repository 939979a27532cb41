//! The audit log, shown, judged and read out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Service, ServiceError};
use crate::{
    model::{
        IdentityName,
        audit::{Action, Author},
        rotation::RotationId,
    },
    records::{
        RecordsError,
        audit::{Chain, ChainFault, LogLine, SignedHead},
    },
};

/// Entries that are read at once.
const WINDOW: u64 = 256;

/// Entries that are shown at most.
const MOST_SHOWN: u32 = 1_000;

/// Something about the audit log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "audit")]
pub enum AuditRequest {
    /// The last entries that match, oldest first.
    Show(AuditFilter),
    /// Whether the log in the store is what was written.
    Verify,
    /// The log is about to be read out: where it ends, signed.
    Export,
    /// The next entries after a number, byte for byte.
    Lines {
        /// The number.
        after: u64,
    },
    /// The public key that it is signed with.
    Key,
}

impl AuditRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Show(_) => "audit-show",
            Self::Verify => "audit-verify",
            Self::Export => "audit-export",
            Self::Lines { .. } => "audit-lines",
            Self::Key => "audit-key",
        }
    }

    pub(super) fn is_read_only(&self) -> bool {
        !matches!(self, Self::Export)
    }
}

/// What is wanted of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditFilter {
    /// About this identity.
    pub identity: Option<IdentityName>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// What was done.
    pub action: Option<String>,
    /// Before the entry with this number.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

/// An answer about the audit log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "audit")]
pub enum AuditReply {
    /// Entries.
    Entries(AuditPage),
    /// What was found.
    Verified(AuditVerdict),
    /// Where the log ends.
    Head {
        /// How many entries.
        entries: u64,
        /// Signed.
        signed: SignedHead,
    },
    /// Entries, byte for byte.
    Lines {
        /// One JSON object each.
        lines: Vec<String>,
    },
}

/// `audit show`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditPage {
    /// 1.
    pub schema: u32,
    /// How many entries the log has.
    pub total: u64,
    /// Those that match, oldest first.
    pub entries: Vec<Value>,
    /// Where to look for older ones; `None` when there are none.
    pub before: Option<u64>,
}

/// `audit verify`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditVerdict {
    /// 1.
    pub schema: u32,
    /// How many entries are good, one after the other.
    pub entries: u64,
    /// How many of them are true checkpoints.
    pub checkpoints: u64,
    /// SHA-256 of the last good entry.
    pub digest: String,
    /// SHA-256 of the public key that the log names.
    pub key: Option<String>,
    /// When the end was signed.
    pub signed: Option<Timestamp>,
    /// What is wrong, naming the first entry that is; `None` when nothing is.
    pub fault: Option<String>,
}

impl AuditVerdict {
    /// What is to be said of a chain.
    pub fn new(chain: &Chain, closed: Result<Timestamp, String>) -> Self {
        Self {
            schema: 1,
            entries: chain.entries(),
            checkpoints: chain.checkpoints(),
            digest: chain.digest().to_string(),
            key: chain.key().map(|key| key.id().to_string()),
            signed: closed.as_ref().ok().copied(),
            fault: closed.err(),
        }
    }
}

impl Service {
    pub(super) async fn audit(
        &self,
        by: &Author,
        request: AuditRequest,
    ) -> Result<AuditReply, ServiceError> {
        Ok(match request {
            AuditRequest::Show(filter) => AuditReply::Entries(self.show_log(&filter)?),
            AuditRequest::Verify => AuditReply::Verified(self.verify_log().await?),
            AuditRequest::Export => {
                // That it was read out is the last thing that it tells to who reads it.
                self.records
                    .record(by, self.clock.now(), Action::LogExported)?;
                let (signed, entries) = self.signed_log()?;
                AuditReply::Head { entries, signed }
            }
            AuditRequest::Lines { after } => {
                let page = self.records.log_page(after, WINDOW)?;
                AuditReply::Lines {
                    lines: page.into_iter().map(|line| line.text).collect(),
                }
            }
            AuditRequest::Key => {
                let (signed, entries) = self.signed_log()?;
                AuditReply::Head { entries, signed }
            }
        })
    }

    fn signed_log(&self) -> Result<(SignedHead, u64), ServiceError> {
        let signed = self.records.signed_head(self.clock.now())?;
        signed.ok_or_else(|| {
            ServiceError::refused("the audit log is empty: nothing was changed since it exists")
        })
    }

    fn show_log(&self, filter: &AuditFilter) -> Result<AuditPage, ServiceError> {
        let total = self.records.log_entries()?;
        let limit = filter.limit.min(MOST_SHOWN) as usize;
        let mut end = filter
            .before
            .map_or(total, |before| before.saturating_sub(1))
            .min(total);
        let (mut entries, mut before) = (Vec::new(), None);
        while end > 0 && before.is_none() {
            let start = end.saturating_sub(WINDOW);
            let lines = self.records.log_page(start, end - start)?;
            let mut any_young = false;
            for line in lines.iter().rev() {
                let entry: Value = serde_json::from_str(&line.text).map_err(|source| {
                    RecordsError::Unreadable {
                        collection: "audit",
                        id: line.sequence.to_string(),
                        source,
                    }
                })?;
                let young = filter.since.is_none_or(|since| is_since(&entry, since));
                any_young |= young;
                if young && filter.matches(&entry) {
                    if entries.len() == limit {
                        before = Some(line.sequence + 1);
                        break;
                    }
                    entries.push(entry);
                }
            }
            // Clocks are set back now and then: one entry that is too old proves nothing of those before it.
            if !any_young {
                break;
            }
            end = start;
        }
        entries.reverse();
        Ok(AuditPage {
            schema: 1,
            total,
            entries,
            before,
        })
    }

    async fn verify_log(&self) -> Result<AuditVerdict, ServiceError> {
        let (signed, entries) = self.signed_log()?;
        let mut chain = Chain::new();
        let closed = loop {
            let page = match self.records.log_page(chain.entries(), WINDOW) {
                Ok(page) => page,
                Err(error) => break Err(super::error::chain(&error)),
            };
            if let Err(fault) = taken(&mut chain, &page, entries) {
                break Err(fault.to_string());
            }
            if chain.entries() >= entries {
                break match chain.close(&signed) {
                    Ok(head) => Ok(head.at),
                    Err(fault) => Err(fault.to_string()),
                };
            }
            // Others have their turn: a log may be long.
            tokio::task::yield_now().await;
        };
        Ok(AuditVerdict::new(&chain, closed))
    }
}

/// Takes a page up to the entry at which the log ended when this was asked for.
fn taken(chain: &mut Chain, page: &[LogLine], entries: u64) -> Result<(), ChainFault> {
    let before = chain.entries();
    for line in page.iter().filter(|line| line.sequence <= entries) {
        chain.take(line.text.as_bytes())?;
    }
    if chain.entries() == before {
        return Err(ChainFault::Truncated {
            entry: before + 1,
            entries,
        });
    }
    Ok(())
}

fn is_since(entry: &Value, since: Timestamp) -> bool {
    let at = entry["at"].as_str().and_then(|at| at.parse().ok());
    at.is_none_or(|at: Timestamp| at >= since)
}

impl AuditFilter {
    fn matches(&self, entry: &Value) -> bool {
        let action = self
            .action
            .as_ref()
            .is_none_or(|action| entry["action"] == action.as_str());
        action
            && self
                .identity
                .as_ref()
                .is_none_or(|identity| is_about(entry, identity))
    }
}

/// By its own name, or by that of its rotation; a refusal is about what it says first.
fn is_about(entry: &Value, identity: &IdentityName) -> bool {
    let rotation = entry["rotation"].as_str().and_then(|id| id.parse().ok());
    entry["identity"] == identity.as_str()
        || rotation.is_some_and(|id: RotationId| id.identity == *identity)
        || entry["about"].as_str().is_some_and(|about| {
            about
                .split_whitespace()
                .any(|word| word == identity.as_str())
        })
}
