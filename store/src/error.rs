//! What can go wrong in a store, split by who can put it right: the operator (wrong secret, in
//! use, not a store), the disk or engine, and damage to what is stored.
//!
//! Each message says what happened in this layer only; the cause is the `source`. Messages that an
//! operator will meet end in what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use crate::damage::{Damage, Fault, HeaderFault, Place};
use crate::engine::database::DatabaseError;
use crate::engine::lease::{Ended, Leader};
use crate::engine::{EngineError, EngineKind};
use crate::obstacle::Obstacle;
use crate::token::TokenFault;
use crate::transaction::Expect;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `init` found a complete store: nothing was touched.
    #[error("there is a store in {path} already: use it, or choose another directory")]
    AlreadyExists {
        /// The store's directory.
        path: PathBuf,
    },
    /// The canary written when opening did not read back as it was written.
    #[error(
        "the store in {path} did not read back what was just written to it: check the disk before going on"
    )]
    Canary {
        /// The store's directory.
        path: PathBuf,
    },
    /// A condition of a transaction on a record did not hold; nothing was changed.
    #[error("record {id:?} in {collection:?} is {} but {expected} was expected", Found(.found))]
    Conflict {
        /// The collection of the record.
        collection: String,
        /// The record's id.
        id: String,
        /// What the transaction demanded.
        expected: Expect,
        /// The version that is stored, if the record exists.
        found: Option<u64>,
    },
    /// Stored bytes are not what this store wrote there.
    #[error("{damage}: restore it from a backup")]
    Damaged {
        /// Where, and in what way.
        damage: Damage,
    },
    /// Where a shared store lies is not told well enough to be trusted.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An empty passphrase guards nothing.
    #[error("the passphrase is empty: choose one of several words")]
    EmptyPassphrase,
    /// A store that needs no migration.
    #[error("the store in {path} is in the current format: there is nothing to migrate")]
    CurrentFormat {
        /// The store's directory.
        path: PathBuf,
    },
    /// The engine refused or failed. After a failed write it is unknown whether the transaction
    /// took place: reopen the store and look.
    #[error("the {engine} engine in {path} failed to {operation}")]
    Engine {
        /// Which engine.
        engine: EngineKind,
        /// The engine's directory.
        path: PathBuf,
        /// What was being done.
        operation: &'static str,
        /// The engine's own words.
        #[source]
        source: Box<EngineError>,
    },
    /// The master key has been replaced more often than can be counted.
    #[error(
        "the master key of this store has been replaced as often as can be counted: back the store up and restore it into a new one"
    )]
    EpochsUsedUp,
    /// A key file is readable by others than its owner.
    #[error(
        "key file {path} may be read by others (mode {mode:04o}): run `chmod 600` on it, and replace the key if anybody could have read it"
    )]
    ExposedKeyFile {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The header is not one, or it was altered.
    #[error("the store's header {path} is damaged ({fault}): restore it from a backup")]
    HeaderDamaged {
        /// The header file.
        path: PathBuf,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// There is an engine but no header: without it nothing can be decrypted.
    #[error(
        "the store in {path} has lost its header: restore the header from a backup; do not remove the directory"
    )]
    HeaderMissing {
        /// The store's directory.
        path: PathBuf,
    },
    /// `init` was interrupted here; nothing was ever stored.
    #[error(
        "the store in {path} was never finished, and nothing is in it: remove the directory and run `store init` again"
    )]
    Incomplete {
        /// The store's directory.
        path: PathBuf,
    },
    /// Another process, or this one, has the store open.
    #[error("the store in {path} is in use by {}: talk to it, or stop it first", Holder(.pid))]
    InUse {
        /// The store's directory.
        path: PathBuf,
        /// The process that holds it, if its lock file says so.
        pid: Option<u32>,
    },
    /// A file of the store could not be read, written or made durable.
    #[error("cannot {operation} {path}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A journal did not end where the transaction expected; nothing was changed.
    #[error("journal {stream:?} goes on with event {found} but {expected} was expected")]
    JournalConflict {
        /// The journal.
        stream: String,
        /// The sequence number that the transaction wanted to write.
        expected: u64,
        /// The sequence number that comes next.
        found: u64,
    },
    /// A key derivation cost outside what this program will spend.
    #[error(
        "key derivation with {memory_kib} KiB, {iterations} iterations and {lanes} lanes is outside the accepted bounds"
    )]
    KdfCost {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        iterations: u32,
        /// Degree of parallelism.
        lanes: u32,
    },
    /// We led a shared store, and do so no more. Nothing was written since.
    #[error("this machine does not lead the store any more, and writes nothing: {ended}")]
    LeadershipLost {
        /// Why.
        ended: Ended,
    },
    /// Another machine leads a shared store.
    #[error("the store is led by {leader}: ask there, or wait until it has gone")]
    Led {
        /// Which one.
        leader: Leader,
    },
    /// A store that is still being filled, or was when the machine stopped.
    #[error(
        "the store in {path} is being restored or migrated, or that was interrupted: run that command again"
    )]
    Loading {
        /// The store's directory.
        path: PathBuf,
    },
    /// A key file does not hold a key.
    #[error(
        "{path} is not a key file: it must hold {} hexadecimal digits",
        crate::secret::KEY_FILE_DIGITS
    )]
    MalformedKeyFile {
        /// The file.
        path: PathBuf,
    },
    /// The store was written by a newer version of this program; nothing was touched.
    #[error(
        "the store in {path} has format {found}, and this program knows up to {supported}: use a newer countersign"
    )]
    NewerFormat {
        /// The store's directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that is understood.
        supported: u32,
    },
    /// A collection, id or stream name is empty or too long.
    #[error("a name of {length} bytes is not accepted: 1 to {limit} are")]
    NameLength {
        /// Its length in bytes.
        length: usize,
        /// The longest accepted.
        limit: usize,
    },
    /// `init` was given a directory with something else in it.
    #[error("{path} is not empty: a store needs a directory of its own")]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// There is no store here.
    #[error("there is no store in {path}: run `store init`")]
    NotFound {
        /// The directory.
        path: PathBuf,
    },
    /// The last slot that opens is not given up: without it the store is lost.
    #[error("slot {id} is the last that opens the store: add another one first")]
    LastSlot {
        /// The slot.
        id: u32,
    },
    /// There is no slot of this number.
    #[error("there is no slot {id}: `store slot list` shows those that there are")]
    NoSuchSlot {
        /// The number asked for.
        id: u32,
    },
    /// The store was written by an older version of this program; nothing was touched.
    #[error(
        "the store in {path} has format {found}, and this program writes format {current}: run `countersign store migrate`"
    )]
    OlderFormat {
        /// The store's directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The format that is written now.
        current: u32,
    },
    /// The operating system gave no random numbers.
    #[error("the system's random number generator failed")]
    Random {
        /// The system's answer.
        #[source]
        source: getrandom::Error,
    },
    /// An old master key cannot be given up: something is still sealed under it.
    #[error("not everything is sealed under the new master key yet: go on with `store rekey`")]
    ResealingUnfinished,
    /// A slot's label that does not fit on a line.
    #[error("a label is one line of at most {limit} bytes")]
    SlotLabel {
        /// The most bytes accepted.
        limit: usize,
    },
    /// A damaged slot cannot be given another master key.
    #[error(
        "slot {id} is damaged and cannot take part: remove it with `store slot remove {id}`, and add a new one for its secret"
    )]
    SlotUnusable {
        /// The slot.
        id: u32,
    },
    /// The secret opens no slot that is sound, and some are not.
    #[error(
        "the {kind} opens none of the sound slots in {path}, and these are damaged: {}: use the secret of another slot, or restore the file from a backup",
        Listed(.slots)
    )]
    SlotsDamaged {
        /// The header file.
        path: PathBuf,
        /// The damaged slots.
        slots: Vec<u32>,
        /// What was tried.
        kind: &'static str,
    },
    /// A token does not open the store, or is not taken for a slot.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// A record or event larger than the store takes.
    #[error("{length} bytes are too many for one record: {limit} are accepted")]
    TooLarge {
        /// Its length in bytes.
        length: usize,
        /// The most accepted.
        limit: usize,
    },
    /// There are as many slots as a header holds.
    #[error("there are {limit} slots already: remove one first")]
    TooManySlots {
        /// The most that there may be.
        limit: usize,
    },
    /// The disk does not take what is to be written. Reading goes on, and so does writing once the
    /// cause is gone. Whether the transaction took place is told by looking again.
    #[error("the store in {path} cannot be written, {obstacle}; nothing needs to be restarted")]
    Unwritable {
        /// The engine's directory.
        path: PathBuf,
        /// What is in the way.
        obstacle: Obstacle,
        /// The engine's own words.
        #[source]
        source: Box<EngineError>,
    },
    /// No slot opens with this secret.
    #[error(
        "the {kind} does not open the store in {path}: check for a typing error or another keyboard layout, or use the secret of another slot"
    )]
    WrongSecret {
        /// The store's directory.
        path: PathBuf,
        /// What was tried: "passphrase" or "key file".
        kind: &'static str,
    },
}

struct Listed<'a>(&'a [u32]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, id) in self.0.iter().enumerate() {
            write!(f, "{}{id}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Found<'a>(&'a Option<u64>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "at version {version}"),
            None => f.write_str("absent"),
        }
    }
}

struct Holder<'a>(&'a Option<u32>);

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}
