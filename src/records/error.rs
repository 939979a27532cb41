//! What can go wrong between a record and its meaning.

use std::path::PathBuf;

use crate::{
    model::{
        GenerationNumber, IdentityName, KeyState,
        rotation::{IllegalTransition, RotationId},
    },
    pki::KeyError,
};

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The store lies in a database, and the configuration does not say so.
    #[error(
        "the store of {} lies in a database, which the configuration does not name: put [store.postgres] back, or choose another path",
        .directory.display()
    )]
    Elsewhere {
        /// The store's directory.
        directory: PathBuf,
    },
    /// The history cannot have happened.
    #[error(
        "the journal of rotation {rotation} is not a possible history; nothing is done with it until `countersign store verify` and a person have looked"
    )]
    ImpossibleHistory {
        /// Whose.
        rotation: RotationId,
        /// What cannot be.
        #[source]
        source: IllegalTransition,
    },
    /// The fact cannot follow on what is known.
    #[error("that is not possible now")]
    IllegalFact {
        /// Why.
        #[source]
        source: IllegalTransition,
    },
    /// The key is one that we had, by the word of the witness.
    #[error(
        "the key was {state} here before, and the store was put back since: its witness knows it. A key that has ended serves nobody again; make a new one"
    )]
    KeyDead {
        /// What became of it.
        state: KeyState,
    },
    /// The key is one that we have already.
    #[error(
        "the key belongs to generation {number} of {identity} already; a key serves one identity, once"
    )]
    KeyKnown {
        /// Whose.
        identity: IdentityName,
        /// Which.
        number: GenerationNumber,
    },
    /// The audit log's own key cannot be made or used. What cannot be told of is not done.
    #[error("the audit log cannot be signed")]
    LogKey(#[from] KeyError),
    /// A record lies under the name of another one.
    #[error("the {collection} record {id} is that of {own}")]
    Misplaced {
        /// Where.
        collection: &'static str,
        /// Under which name.
        id: String,
        /// Of what it speaks.
        own: String,
    },
    /// There is no such journal.
    #[error("there is no rotation {rotation}; `countersign identity list` shows what there is")]
    NoSuchRotation {
        /// Which was asked for.
        rotation: RotationId,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] countersign_store::Error),
    /// The store is older than its witness knows it to have been.
    #[error(
        "the store in {store} has seen {found} transactions, and its witness {witness} knows of {known}: it was put back to an older state. Restore the latest backup (`countersign store restore`), or answer for it: `countersign store accept-rollback --reason WHY`"
    )]
    RolledBack {
        /// The store's directory.
        store: PathBuf,
        /// The witness.
        witness: PathBuf,
        /// How many transactions the store has seen.
        found: u64,
        /// How many the witness knows of.
        known: u64,
    },
    /// The witness cannot be asked or told.
    #[error(transparent)]
    Witness(#[from] countersign_store::WitnessError),
    /// The bytes are authentic but have a form that this version does not know.
    #[error(
        "the {collection} record {id} has a form that this version does not know; a newer countersign may have written it"
    )]
    Unreadable {
        /// Where.
        collection: &'static str,
        /// Which.
        id: String,
        /// What was not understood.
        #[source]
        source: serde_json::Error,
    },
}

impl RecordsError {
    /// Somebody else changed the same record in the meantime: look again and decide anew.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(countersign_store::Error::Conflict { .. }))
    }
}
