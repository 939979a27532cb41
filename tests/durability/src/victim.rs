//! A process that has a store open and does what it is told, while its disk is taken from it.
//!
//! One line is asked, one is answered: `ok` and how many transactions are there, or `refused` and
//! the error with its causes.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use countersign_store::{EngineKind, Error, InitOptions, KeyFile, Store, Unlock};

use crate::judge::chain;
use crate::workload::{self, Contents};

/// What it can be asked.
#[derive(Clone, Copy, Debug)]
pub enum Request {
    /// The next transaction.
    Transact,
    /// Everything, compared with what must be there.
    Read,
    /// Fill the disk to the last byte.
    Fill,
    /// Give the space back.
    Free,
    /// Close the store.
    Close,
    /// Open it again.
    Open,
    /// Bound the size of files to what they have now.
    Limit,
    /// Give that up.
    Unlimit,
}

impl Request {
    const ALL: [Self; 8] = [
        Self::Transact,
        Self::Read,
        Self::Fill,
        Self::Free,
        Self::Close,
        Self::Open,
        Self::Limit,
        Self::Unlimit,
    ];

    fn name(self) -> String {
        format!("{self:?}")
    }
}

/// The process, from outside. It ends when this is dropped.
pub struct Victim {
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Victim {
    /// Starts `command`, the end of which is the program; its store is made in `dir`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command, dir: &Path, engine: EngineKind) -> io::Result<Self> {
        let mut child = command
            .arg("serve")
            .arg(dir)
            .arg(engine.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let asks = child.stdin.take();
        let answers = child.stdout.take().map(BufReader::new);
        let answers = answers.ok_or(io::ErrorKind::BrokenPipe)?;
        let mut victim = Self {
            child,
            asks,
            answers,
        };
        match victim.answer()?.as_str() {
            "ready" => Ok(victim),
            other => Err(io::Error::other(other.to_owned())),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for one thing.
    ///
    /// # Errors
    /// When it is gone.
    pub fn ask(&mut self, request: Request) -> io::Result<String> {
        if let Some(asks) = &mut self.asks {
            writeln!(asks, "{}", request.name())?;
        }
        self.answer()
    }

    fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::Error::other(format!(
                "it ended: {}",
                self.child.wait()?
            )));
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.asks = None;
        let _ = self.child.wait();
    }
}

/// The process, from inside.
///
/// # Errors
/// When it cannot begin, or nobody listens.
pub fn serve(dir: &Path, engine: EngineKind) -> Result<(), ServeError> {
    let key = dir.join("key");
    let unlock = Unlock::KeyFile(KeyFile::generate(&key)?);
    let options = InitOptions {
        engine,
        ..InitOptions::default()
    };
    let at = dir.join("store");
    let mut served = Served {
        store: Some(Store::init(&at, &unlock, &options)?),
        at,
        unlock,
        ballast: dir.join("ballast"),
        limit: rustix::process::getrlimit(rustix::process::Resource::Fsize),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let request = Request::ALL
            .into_iter()
            .find(|request| request.name() == line);
        let answer = match request.map(|request| served.do_it(request)) {
            Some(Ok(count)) => format!("ok {count}"),
            Some(Err(error)) => format!("refused {error}"),
            None => format!("refused {line:?} is not understood"),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

/// Why it could not begin.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says it")]
pub enum ServeError {
    #[error("cannot make the store")]
    Store(#[from] Error),
    #[error("nobody listens")]
    Io(#[from] io::Error),
}

struct Served {
    store: Option<Store>,
    at: PathBuf,
    unlock: Unlock,
    ballast: PathBuf,
    limit: rustix::process::Rlimit,
}

impl Served {
    fn do_it(&mut self, request: Request) -> Result<u64, String> {
        match request {
            Request::Transact => {
                let next = self.count()? + 1;
                let done = workload::transact(self.store()?, next);
                done.map(|()| next).map_err(|error| chain(&error))
            }
            Request::Read => {
                let store = self.store()?;
                let found = store.verify().map_err(|error| chain(&error))?;
                if let Some(damage) = found.damage.first() {
                    return Err(damage.to_string());
                }
                let contents = Contents::read(store).map_err(|error| chain(&error))?;
                let count = contents.transactions();
                if contents == Contents::after(count) {
                    Ok(count)
                } else {
                    Err(format!(
                        "what is there is not what {count} transactions wrote"
                    ))
                }
            }
            Request::Fill => {
                let filled = File::create(&self.ballast).map(|mut file| {
                    // Down to the last byte: at the end, one at a time.
                    for piece in [1 << 16, 1 << 12, 1] {
                        let piece = vec![0; piece];
                        while file.write_all(&piece).is_ok() {}
                    }
                    0
                });
                filled.map_err(|error| error.to_string())
            }
            Request::Free => fs::remove_file(&self.ballast)
                .map(|()| 0)
                .map_err(|error| error.to_string()),
            Request::Close => {
                self.store = None;
                Ok(0)
            }
            Request::Open => {
                let opened = Store::open(&self.at, &self.unlock);
                self.store = Some(opened.map_err(|error| chain(&error))?);
                self.count()
            }
            Request::Limit => self.limit(Some(
                largest(&self.at.join("engine")).map_err(|error| error.to_string())?,
            )),
            Request::Unlimit => self.limit(self.limit.current),
        }
    }

    fn store(&self) -> Result<&Store, String> {
        self.store.as_ref().ok_or_else(|| "it is closed".to_owned())
    }

    fn count(&self) -> Result<u64, String> {
        let contents = Contents::read(self.store()?).map_err(|error| chain(&error))?;
        Ok(contents.transactions())
    }

    fn limit(&self, current: Option<u64>) -> Result<u64, String> {
        let limit = rustix::process::Rlimit {
            current,
            maximum: self.limit.maximum,
        };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit)
            .map(|()| 0)
            .map_err(|error| error.to_string())
    }
}

fn largest(dir: &Path) -> io::Result<u64> {
    let mut largest = 0;
    for entry in fs::read_dir(dir)? {
        largest = largest.max(entry?.metadata()?.len());
    }
    Ok(largest)
}
