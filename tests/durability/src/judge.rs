//! What a store makes of the files that it finds.

use std::any::Any;
use std::error::Error as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use countersign_store::{EngineKind, Error, InitOptions, KeyFile, Store, Unlock};
use tempfile::TempDir;

use crate::image::Image;
use crate::workload::{self, Contents};

/// What was known outside when the power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// That a store is being made; nobody was told that it is there.
    Nothing,
    /// That this many transactions are durable; one more may have been under way.
    Acknowledged(u64),
}

/// How it went, from good to bad.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything acknowledged is there, and nothing else; `verify` finds nothing, and it can be
    /// written to.
    Sound,
    /// There is no store, nobody was told that there is one, and one can be made or the error says
    /// what to do.
    NotMadeYet,
    /// It was refused, or the damage was found: what it holds is not all to be had, and it says so.
    Found(String),
    /// It did not open.
    DidNotOpen(String),
    /// Something acknowledged is not there, and it does not say so.
    Lost(String),
    /// A panic came out of it.
    Panicked(String),
    /// It gave out what was never written there.
    Wrong(String),
}

/// What looks at the files in a directory, and says what it makes of them.
pub type Judge = dyn Fn(&Path, Known) -> Verdict + Send + Sync;

/// A place for images.
pub struct Bench {
    directory: TempDir,
}

impl Bench {
    /// A bench.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new() -> std::io::Result<Self> {
        // In memory, if there is such a place: what is synced here is never needed again.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            tempfile::tempdir_in(memory)?
        } else {
            tempfile::tempdir()?
        };
        Ok(Self { directory })
    }

    /// Puts the image into files, and has them judged.
    ///
    /// # Errors
    /// Those of the file system, in making the image.
    pub fn judge(&self, judge: &Judge, image: &Image, known: Known) -> std::io::Result<Verdict> {
        let root = self.directory.path().join("root");
        fs::create_dir(&root)?;
        image.write(&root)?;
        let judged = catch_unwind(AssertUnwindSafe(|| judge(&root, known)));
        let verdict = judged.unwrap_or_else(|panic| Verdict::Panicked(text_of(&*panic)));
        fs::remove_dir_all(&root)?;
        Ok(verdict)
    }
}

/// Opens what is found as the store of the [workload], and compares it with what is known.
pub fn of_the_workload(engine: EngineKind, key: &Path) -> impl Fn(&Path, Known) -> Verdict + use<> {
    let opener = Opener {
        key: key.to_owned(),
        engine,
    };
    move |root, known| opener.open_and_read(&root.join(STORE), known)
}

/// The secret that opens a store, and the engine that it was made with.
struct Opener {
    key: PathBuf,
    engine: EngineKind,
}

impl Opener {
    fn unlock(&self) -> Result<Unlock, Error> {
        Ok(Unlock::KeyFile(KeyFile::read(&self.key)?))
    }

    fn open_and_read(&self, dir: &Path, known: Known) -> Verdict {
        let opened = self.unlock().and_then(|unlock| Store::open(dir, &unlock));
        let (store, acknowledged) = match (opened, known) {
            (Ok(store), Known::Nothing) => (store, 0),
            (Ok(store), Known::Acknowledged(count)) => (store, count),
            (Err(Error::Incomplete { .. }), Known::Nothing) => return Verdict::NotMadeYet,
            (Err(Error::NotFound { .. }), Known::Nothing) => {
                let options = InitOptions {
                    engine: self.engine,
                    ..InitOptions::default()
                };
                let made = self
                    .unlock()
                    .and_then(|unlock| Store::init(dir, &unlock, &options));
                return match made {
                    Ok(_) | Err(Error::Incomplete { .. }) => Verdict::NotMadeYet,
                    Err(error) => Verdict::DidNotOpen(chain(&error)),
                };
            }
            (Err(error), _) => return Verdict::DidNotOpen(chain(&error)),
        };
        read(&store, acknowledged).unwrap_or_else(|error| Verdict::Found(chain(&error)))
    }
}

/// Where in an image the store is.
pub const STORE: &str = "store";

fn read(store: &Store, acknowledged: u64) -> Result<Verdict, Error> {
    let found = store.verify()?;
    if let Some(damage) = found.damage.first() {
        let wrong = wrong_among_the_readable(store, acknowledged + 1)?;
        return Ok(wrong.unwrap_or_else(|| Verdict::Found(damage.to_string())));
    }
    let contents = Contents::read(store)?;
    let count = contents.transactions();
    if !contents.is_made_of_what_was_written(acknowledged + 1) {
        return Ok(Verdict::Wrong(format!("after {count} of {acknowledged}")));
    }
    let (records, events) = contents.counts();
    if count < acknowledged {
        return Ok(Verdict::Lost(format!(
            "{count} of {acknowledged} are there"
        )));
    }
    if count > acknowledged + 1
        || contents != Contents::after(count)
        || (found.records, found.entries) != (records, events)
    {
        return Ok(Verdict::Lost(format!("{count} is not whole")));
    }
    // It must also be able to go on.
    workload::transact(store, count + 1)?;
    if let Some(damage) = store.verify()?.damage.first() {
        return Ok(Verdict::Found(format!("after going on: {damage}")));
    }
    Ok(Verdict::Sound)
}

/// Damage was found; what can be read nevertheless must be what was written.
fn wrong_among_the_readable(store: &Store, count: u64) -> Result<Option<Verdict>, Error> {
    let readable = Contents::salvage(store)?;
    Ok((!readable.is_made_of_what_was_written(count))
        .then(|| Verdict::Wrong("beside damage that was found".to_owned())))
}

/// An error and its causes on one line.
pub fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "without a word".to_owned())
}
