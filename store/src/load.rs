//! Filling a new store with what another one held: from a backup, or from an older format.
//!
//! Whatever happens on the way, nobody takes what is half full for a store: as long as the file `loading` lies beside
//! the header, it does not open.

use std::fs;
use std::path::{Path, PathBuf};

use crate::backup::Item;
use crate::engine::ENGINE_DIR;
use crate::engine::database::Database;
use crate::error::Result;
use crate::fault::step;
use crate::files::{self, IoContext};
use crate::header::{HEADER_FILE, Header};
use crate::lock::LOCK_FILE;
use crate::secret::Unlock;
use crate::store::{InitOptions, Store, UNFINISHED_FILE};
use crate::transaction::{Operation, Transaction};
use crate::vault::{Entry, Record};

/// There while a store is being filled.
pub(crate) const LOADING_FILE: &str = "loading";

/// How many pieces are written at once, and how many bytes.
const PIECES: usize = 500;
const BYTES: usize = 4 * 1024 * 1024;

/// A new store that is being filled.
pub struct Loader {
    store: Store,
    dir: PathBuf,
    pending: Transaction,
    bytes: usize,
    /// How many transactions the store has seen at least, so that it goes on where the other one stopped.
    after: u64,
}

impl Loader {
    /// Makes a new store in `dir`, which does not exist or is what an interrupted loader left: that is removed.
    ///
    /// # Errors
    /// As [`Store::init`].
    pub fn begin(dir: &Path, unlock: &Unlock, options: &InitOptions, after: u64) -> Result<Self> {
        clear(dir)?;
        step();
        let store = Store::init_marked(dir, unlock, options, Some(LOADING_FILE))?;
        step();
        Ok(Self {
            store,
            dir: dir.to_owned(),
            pending: Transaction::new(),
            bytes: 0,
            after,
        })
    }

    /// Takes in a piece.
    ///
    /// # Errors
    /// As [`Store::transact`].
    pub fn add(&mut self, item: Item) -> Result<()> {
        match item {
            Item::Record { collection, record } => self.record(&collection, record),
            Item::Entry { stream, entry } => self.entry(&stream, entry),
        }
    }

    fn record(&mut self, collection: &str, record: Record) -> Result<()> {
        let Record { id, version, bytes } = record;
        self.bytes += bytes.len();
        self.pending.push(Operation::Load {
            collection: collection.to_owned(),
            id,
            version,
            bytes,
        });
        self.flush_if(PIECES)
    }

    fn entry(&mut self, stream: &str, entry: Entry) -> Result<()> {
        let Entry { sequence, bytes } = entry;
        self.bytes += bytes.len();
        self.pending.append_at(stream, sequence, bytes);
        self.flush_if(PIECES)
    }

    fn flush_if(&mut self, pieces: usize) -> Result<()> {
        if self.pending.operations.len() < pieces && self.bytes < BYTES {
            return Ok(());
        }
        let mut transaction = std::mem::take(&mut self.pending);
        transaction.after = self.after;
        self.bytes = 0;
        self.store.transact(transaction)?;
        step();
        Ok(())
    }

    /// The store, full and durable; from here on it opens.
    ///
    /// `last` is written with the rest: what the store is to know of how it came about.
    ///
    /// # Errors
    /// As [`Store::transact`]; [`Error::Io`](crate::Error::Io).
    pub fn finish(mut self, last: Transaction) -> Result<Store> {
        self.flush_if(0)?;
        self.store.transact(Transaction {
            after: self.after,
            ..last
        })?;
        let inner = &self.store.inner;
        inner.announce(&inner.keyring.encode()?)?;
        step();
        let mark = self.dir.join(LOADING_FILE);
        fs::remove_file(&mark).while_trying("remove", &mark)?;
        files::sync_dir(&self.dir)?;
        step();
        Ok(self.store)
    }
}

/// Removes what an interrupted loader left in `dir`, and nothing else: without its header first, so that it can be taken
/// for a store at no moment, and with its mark last, so that it is recognised until it is gone.
fn clear(dir: &Path) -> Result<()> {
    let mark = dir.join(LOADING_FILE);
    let marked = mark.symlink_metadata().is_ok();
    // It was interrupted before it had its mark.
    let begun = !Header::exists(dir) && dir.join(UNFINISHED_FILE).symlink_metadata().is_ok();
    if !marked && !begun {
        return Ok(());
    }
    let header = dir.join(HEADER_FILE);
    let engine = dir.join(ENGINE_DIR);
    let gone = |removed: std::io::Result<()>| match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_file(&header)).while_trying("remove", &header)?;
    files::sync_dir(dir)?;
    step();
    gone(fs::remove_dir_all(&engine)).while_trying("remove", &engine)?;
    step();
    for path in [
        files::draft_of(&header),
        dir.join(UNFINISHED_FILE),
        dir.join(LOCK_FILE),
    ] {
        gone(fs::remove_file(&path)).while_trying("remove", &path)?;
    }
    gone(fs::remove_file(&mark)).while_trying("remove", &mark)?;
    if Database::is_named_in(dir) {
        // Where the store lies stays known.
        return Ok(());
    }
    fs::remove_dir(dir).while_trying("remove", dir)
}
