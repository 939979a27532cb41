//! Reading a log with suspicion: pure, over lines, from the store or from a file, with nothing at hand but them.

use serde::Deserialize;

use super::head::{Head, LogKey, SignedHead};
use crate::{
    model::{
        KeyId,
        audit::{Action, Digest, Entry},
    },
    pki::digest_of,
};

/// What is wrong with a log, and with which entry it begins.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainFault {
    /// Its content is not what the next entry follows on.
    #[error("entry {entry} was altered, or what followed it was replaced")]
    Altered {
        /// Which.
        entry: u64,
    },
    /// The log does not begin as a log does.
    #[error("entry 1 is not the beginning of a log")]
    NotTheBeginning,
    /// An earlier head says otherwise.
    #[error(
        "entry {entry} is not the one that was signed at {at}: this log is another, or was rewritten"
    )]
    Rewritten {
        /// Which.
        entry: u64,
        /// When the earlier head was signed.
        at: jiff::Timestamp,
    },
    /// A signature does not fit: something before it was rewritten, or it was made by somebody else.
    #[error(
        "entry {entry} is a checkpoint that does not vouch for what stands before it; up to entry {vouched} an earlier one does"
    )]
    FalseCheckpoint {
        /// Which.
        entry: u64,
        /// The last entry that the checkpoint before vouches for.
        vouched: u64,
    },
    /// What is signed at the end is another entry.
    #[error(
        "entry {entry} is not the one that was signed at the end; up to entry {vouched} a checkpoint vouches for the log"
    )]
    FalseEnd {
        /// Which.
        entry: u64,
        /// The last entry that a checkpoint vouches for.
        vouched: u64,
    },
    /// An earlier head is none of this log.
    #[error("the earlier head is of another log, or its signature is false")]
    ForeignHead,
    /// The head's signature does not fit.
    #[error("the signature at the end is not by the key that entry 1 names, over this log")]
    FalseHead,
    /// The log is signed with another key than the one that is trusted.
    #[error("entry 1 names the key {found}, and not the trusted one, {trusted}")]
    OtherKey {
        /// What the log names.
        found: KeyId,
        /// What it should name.
        trusted: KeyId,
    },
    /// Entries are missing, doubled or in another order.
    #[error("entry {expected} is not where it belongs: entry {found} stands in its place")]
    OutOfOrder {
        /// What should stand there.
        expected: u64,
        /// What does.
        found: u64,
    },
    /// There is less than an earlier head vouched for.
    #[error(
        "entry {entry} is missing: {entries} entries were signed at {at}; this is an older log, or it was cut"
    )]
    Older {
        /// The first that is missing.
        entry: u64,
        /// How many there were.
        entries: u64,
        /// When the earlier head was signed.
        at: jiff::Timestamp,
    },
    /// There is less than the head vouches for.
    #[error("entry {entry} is missing: the signed head counts {entries}")]
    Truncated {
        /// The first that is missing.
        entry: u64,
        /// How many there should be.
        entries: u64,
    },
    /// There is more than the head vouches for.
    #[error("entry {entry} is not covered by the signature at the end, which counts {entries}")]
    Unsigned {
        /// The first that is too many.
        entry: u64,
        /// How many there should be.
        entries: u64,
    },
    /// The bytes are no entry.
    #[error("entry {entry} cannot be read")]
    Unreadable {
        /// Which.
        entry: u64,
    },
}

/// What must be true of every entry, whatever it tells.
#[derive(Deserialize)]
struct Link {
    sequence: u64,
    previous: Digest,
    action: String,
}

/// A log as far as it was read and found good.
#[derive(Clone, Debug)]
pub struct Chain {
    entries: u64,
    digest: Digest,
    checkpoints: u64,
    /// The last entry that a checkpoint vouches for.
    vouched: u64,
    log: Option<(String, LogKey)>,
    trusted: Option<KeyId>,
    earlier: Option<SignedHead>,
    /// What the earlier head says, once the log has named its key.
    expected: Option<Head>,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self {
            entries: 0,
            digest: Digest::NONE,
            checkpoints: 0,
            vouched: 0,
            log: None,
            trusted: None,
            earlier: None,
            expected: None,
        }
    }

    /// Believes this key alone, instead of whichever the log names.
    pub fn trusting(self, key: KeyId) -> Self {
        Self {
            trusted: Some(key),
            ..self
        }
    }

    /// Expects to find what an earlier head vouched for: nothing else shows that a log is not an older one.
    pub fn since(self, earlier: SignedHead) -> Self {
        Self {
            earlier: Some(earlier),
            ..self
        }
    }

    /// How many entries were read.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How many of them are checkpoints.
    pub fn checkpoints(&self) -> u64 {
        self.checkpoints
    }

    /// The digest of the last entry.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The key that the log names.
    pub fn key(&self) -> Option<&LogKey> {
        self.log.as_ref().map(|(_, key)| key)
    }

    /// Takes the next entry, byte for byte as it was written.
    pub fn take(&mut self, line: &[u8]) -> Result<(), ChainFault> {
        let entry = self.entries + 1;
        let link: Link =
            serde_json::from_slice(line).map_err(|_| ChainFault::Unreadable { entry })?;
        if link.sequence != entry {
            return Err(ChainFault::OutOfOrder {
                expected: entry,
                found: link.sequence,
            });
        }
        if link.previous != self.digest {
            return Err(match self.entries {
                0 => ChainFault::NotTheBeginning,
                altered => ChainFault::Altered { entry: altered },
            });
        }
        match (link.action.as_str(), &self.log) {
            ("log-begun", None) => {
                self.log = Some(self.begun(line)?);
                if let Some(earlier) = &self.earlier {
                    self.expected = Some(self.own(earlier).ok_or(ChainFault::ForeignHead)?);
                }
            }
            ("log-begun", Some(_)) | (_, None) => return Err(ChainFault::NotTheBeginning),
            ("checkpoint", Some(_)) => {
                let vouched = self.vouched;
                self.checkpoint(line)
                    .ok_or(ChainFault::FalseCheckpoint { entry, vouched })?;
                self.checkpoints += 1;
                self.vouched = self.entries;
            }
            _ => {}
        }
        self.entries = entry;
        self.digest = digest_of(line);
        match &self.expected {
            Some(head) if head.entries == entry && head.digest != self.digest => {
                Err(ChainFault::Rewritten { entry, at: head.at })
            }
            _ => Ok(()),
        }
    }

    /// Whether the log ends where a signed head says, and does not end too early for an earlier one.
    pub fn close(&self, signed: &SignedHead) -> Result<Head, ChainFault> {
        let head = self.own(signed).ok_or(ChainFault::FalseHead)?;
        self.complete()?;
        let read = self.entries;
        match head.entries {
            entries if entries > read => Err(ChainFault::Truncated {
                entry: read + 1,
                entries,
            }),
            entries if entries < read => Err(ChainFault::Unsigned {
                entry: entries + 1,
                entries,
            }),
            _ if head.digest != self.digest => Err(ChainFault::FalseEnd {
                entry: read,
                vouched: self.vouched,
            }),
            _ => Ok(head),
        }
    }

    /// Whether everything is there that an earlier head vouched for.
    pub fn complete(&self) -> Result<(), ChainFault> {
        match &self.expected {
            Some(head) if head.entries > self.entries => Err(ChainFault::Older {
                entry: self.entries + 1,
                entries: head.entries,
                at: head.at,
            }),
            _ => Ok(()),
        }
    }

    fn begun(&self, line: &[u8]) -> Result<(String, LogKey), ChainFault> {
        let entry = serde_json::from_slice(line).map_err(|_| ChainFault::NotTheBeginning)?;
        let Entry {
            action:
                Action::LogBegun {
                    log,
                    key: named,
                    public_key,
                },
            ..
        } = entry
        else {
            return Err(ChainFault::NotTheBeginning);
        };
        let key = LogKey::from_pem(&public_key)
            .filter(|key| key.id() == named)
            .ok_or(ChainFault::NotTheBeginning)?;
        match self.trusted {
            Some(trusted) if trusted != key.id() => Err(ChainFault::OtherKey {
                found: key.id(),
                trusted,
            }),
            _ => Ok((log, key)),
        }
    }

    /// A checkpoint vouches for the entry before it.
    fn checkpoint(&self, line: &[u8]) -> Option<()> {
        let entry: Entry = serde_json::from_slice(line).ok()?;
        let Action::Checkpoint { head, signature } = &entry.action else {
            return None;
        };
        let (log, key) = self.log.as_ref()?;
        let head = key.verified(head, signature)?;
        (head.log == *log && head.entries == self.entries && head.digest == self.digest)
            .then_some(())
    }

    /// What a head says, if it is of this log and by its key.
    fn own(&self, signed: &SignedHead) -> Option<Head> {
        let (log, key) = self.log.as_ref()?;
        key.verified(&signed.head, &signed.signature)
            .filter(|head| head.log == *log)
    }
}
