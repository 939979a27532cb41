//! Sealed, versioned, journalled bytes over an embedded engine.
//!
//! A [`Store`] keeps *records* (bytes under a collection and an id, with a version) and *journals*
//! (numbered events, appended and never rewritten). A [`Transaction`] writes any number of both, all
//! or nothing, under conditions that are checked as it is done. What the bytes mean is the
//! caller's business.
//!
//! ```
//! use countersign_store::{Expect, InitOptions, KdfCost, Passphrase, Store, Transaction, Unlock};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().join("store");
//! let unlock = Unlock::Passphrase(Passphrase::new("correct horse".to_owned().into()));
//! # let options = InitOptions { kdf: KdfCost::throwaway(), ..InitOptions::default() };
//! let store = Store::init(&dir, &unlock, &options)?;
//!
//! let mut transaction = Transaction::new();
//! transaction
//!     .put("keys", "wildcard/1", b"a private key".to_vec(), Expect::Absent)
//!     .append_at("rotation/wildcard/1", 1, b"prepared".to_vec());
//! store.transact(transaction)?; // both are on disk now, or neither is
//!
//! assert_eq!(store.journal("rotation/wildcard/1")?.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # On disk
//!
//! | file | holds |
//! |---|---|
//! | `store.json` | the header: format, engine, key slots; checksummed, and authenticated under the master key |
//! | `engine/` | the engine's files: sealed values under hashed keys |
//! | `lock` | locked while the store is open; holds the process id of who has it |
//! | `unfinished` | only while a store is being made; it has a header last, or it is none |
//!
//! A random *master key* is sealed in each slot, under a passphrase (Argon2id, RFC 9106, with its
//! cost recorded) or a key file. From the master key and the store's random id, HKDF-SHA-256 makes a
//! key for each use. Values are sealed with XChaCha20-Poly1305 under random nonces; associated data
//! binds each to its kind, its place in the engine and the number of its master key, and its name is
//! sealed in with it, so that none can take the place of another. They lie under random ids. An
//! *index*, a tree sealed node by node, knows by name where each value is and with which nonce it was
//! last sealed; each node knows it of the nodes under it, and the root of the topmost. The modules
//! `vault` and `index` have the layouts; a header that states a newer format than this crate knows is
//! refused and nothing is written. Stores of format 1 can be read by [`Format1`].
//!
//! # What a thief learns
//!
//! With the files and no secret: the engine, how many slots there are, of which kind and at which
//! cost; how many values there are in all, and their sizes in steps of 256 bytes; how often the master
//! key was replaced. With several copies from different times: which values changed in between. Not
//! which values belong together, how many collections and journals there are, or in what order
//! anything was written, but for what the engine's own files betray of that. No name, no content, no
//! date. A passphrase can be guessed at, at the cost recorded in its slot; a key file cannot.
//!
//! Against who can read this process's memory, the store protects nothing: keys are there while it
//! is open. They are wiped when it is closed.
//!
//! # What is promised
//!
//! - **Durable.** When [`Store::transact`] returns, the transaction is on disk (see
//!   [`EngineKind::caveat`] for what one engine makes of it afterwards).
//! - **Whole.** A transaction happens completely or not at all, whenever the process dies; and a reader
//!   sees all of it or nothing.
//! - **Authentic.** Every byte that is returned is what was written there. Anything altered, moved, or
//!   brought from another store is [`Error::Damaged`], which names the place; it neither
//!   panics nor takes the rest with it ([`Store::survey`], [`Store::verify`]). Nothing is
//!   ever built on damaged bytes.
//! - **Fresh.** Whatever is read is known to be the latest: a value, or a part of the index, that was
//!   removed, moved, or put back to an older version of itself is noticed by whoever comes by it, and
//!   [`Store::verify`] comes by everything. What is damaged is named and takes nothing else with it;
//!   under a damaged part of the index, [`Store::survey`] still finds what is authentic.
//! - **One opener.** A second one gets [`Error::InUse`] with the process id of the first.
//! - **Tried.** Opening writes a canary and reads it back before the store is handed out.
//!
//! Not promised: an older copy of *all* files is a sound store, once it was closed in between.
//! [`Store::transactions`] never decreases and can be kept elsewhere.

mod backup;
mod crypto;
mod damage;
mod engine;
mod error;
mod fault;
mod files;
mod format1;
mod header;
mod index;
mod kdf;
mod keyring;
mod lineage;
mod load;
mod lock;
mod memory;
mod migrate;
mod obstacle;
mod plan;
mod rekey;
mod replace;
mod reseal;
mod secret;
mod shared;
mod slot;
mod slots;
mod snapshot;
mod store;
#[cfg(test)]
mod suite;
mod survey;
mod token;
mod transaction;
mod vault;
mod witness;

pub use backup::{
    Again, Backup, BackupError, BackupFault, BackupFile, BackupIdentity, BackupRecipients, Head,
    Item, Manifest, Taking, UnreadableIdentity, UnreadableRecipient, Whole,
};
pub use engine::database::{Database, DatabaseError, DatabaseFault, Lease};
pub use engine::leadership::Leadership;
pub use engine::lease::{Ended, Leader};
#[cfg(feature = "postgres")]
pub use engine::postgres::PostgresError;
pub use engine::{EngineError, EngineKind, UnknownEngine};
pub use error::{Damage, Error, Fault, HeaderFault, Place, Result};
pub use format1::Format1;
pub use header::FORMAT as CURRENT_FORMAT;
pub use kdf::KdfCost;
pub use lineage::{Lineage, STORE_COLLECTION};
pub use load::Loader;
pub use memory::keys_are_locked;
pub use migrate::Migration;
pub use obstacle::Obstacle;
pub use replace::{Replaced, replace_store, room_beside};
pub use reseal::{ResealState, Resealed};
pub use secret::{KeyFile, Passphrase, UnknownSecret, Unlock};
pub use slot::{SlotInfo, SlotKind, SlotOptions};
pub use snapshot::{Label, Snapshot};
pub use store::{InitOptions, Store};
pub use survey::{Survey, Verification};
pub use token::{Pin, PinState, Token, TokenFault, TokenKey, TokenName, TokenPlace};
pub use transaction::{Expect, Transaction};
pub use vault::{Entry, Record};
pub use witness::{MARK_EVERY, Mark, Witness, WitnessError};
