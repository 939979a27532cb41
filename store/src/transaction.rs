//! What is to be done, all or nothing.
//!
//! A transaction is a list of operations with their conditions; nothing happens until
//! [`Store::transact`](crate::Store::transact) takes it. The operations are seen in order: a later
//! one meets what an earlier one of the same transaction left.

use std::fmt;

use zeroize::Zeroizing;

/// What must be true of a record for an operation on it, and so for its whole transaction, to go
/// through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: whatever is there is replaced or removed.
    Any,
    /// There is no such record.
    Absent,
    /// The record is there in just this version.
    ///
    /// Versions start again at 1 when a record was deleted and is made anew under the same id.
    Version(u64),
}

impl Expect {
    pub(crate) fn admits(self, found: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Version(version) => found == Some(version),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Absent => f.write_str("no such record"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// Operations that happen together or not at all.
#[derive(Default)]
pub struct Transaction {
    pub(crate) operations: Vec<Operation>,
    /// The number of transactions that there have been at least: what a restored store goes on from.
    pub(crate) after: u64,
}

pub(crate) enum Operation {
    Put {
        collection: String,
        id: String,
        bytes: Zeroizing<Vec<u8>>,
        expect: Expect,
    },
    /// Writes a record that was not there in a version of its own: of a backup, or of an older format.
    Load {
        collection: String,
        id: String,
        version: u64,
        bytes: Zeroizing<Vec<u8>>,
    },
    Delete {
        collection: String,
        id: String,
        expect: Expect,
    },
    Append {
        stream: String,
        expected: Option<u64>,
        bytes: Zeroizing<Vec<u8>>,
    },
}

impl Transaction {
    /// A transaction that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a record: version 1 if there was none, else the next version.
    pub fn put(
        &mut self,
        collection: &str,
        id: &str,
        bytes: impl Into<Zeroizing<Vec<u8>>>,
        expect: Expect,
    ) -> &mut Self {
        self.push(Operation::Put {
            collection: collection.to_owned(),
            id: id.to_owned(),
            bytes: bytes.into(),
            expect,
        })
    }

    /// Removes a record; one that is not there is removed already, if `expect` admits that.
    pub fn delete(&mut self, collection: &str, id: &str, expect: Expect) -> &mut Self {
        self.push(Operation::Delete {
            collection: collection.to_owned(),
            id: id.to_owned(),
            expect,
        })
    }

    /// Adds an event to the end of a journal, whatever its number will be.
    pub fn append(&mut self, stream: &str, bytes: impl Into<Zeroizing<Vec<u8>>>) -> &mut Self {
        self.push(Operation::Append {
            stream: stream.to_owned(),
            expected: None,
            bytes: bytes.into(),
        })
    }

    /// Adds an event to a journal as number `expected_next`, the first being 1; a journal that
    /// has meanwhile gone on refuses it.
    pub fn append_at(
        &mut self,
        stream: &str,
        expected_next: u64,
        bytes: impl Into<Zeroizing<Vec<u8>>>,
    ) -> &mut Self {
        self.push(Operation::Append {
            stream: stream.to_owned(),
            expected: Some(expected_next),
            bytes: bytes.into(),
        })
    }

    /// Has the store count this transaction as one that follows on that many: for a store that goes on in the place of
    /// another.
    pub fn go_on_after(&mut self, transactions: u64) -> &mut Self {
        self.after = transactions;
        self
    }

    /// The journals that it appends to.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        self.operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Append { stream, .. } => Some(stream.as_str()),
                _ => None,
            })
    }

    pub(crate) fn push(&mut self, operation: Operation) -> &mut Self {
        self.operations.push(operation);
        self
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("operations", &self.operations.len())
            .finish_non_exhaustive()
    }
}
