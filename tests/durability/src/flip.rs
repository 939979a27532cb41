//! Every byte of a small store changed in turn, and every file of it cut short.
//!
//! The lock file is left out: its content is a process id to be shown, and is never believed.

use std::path::Path;

use countersign_store::{EngineKind, Error, InitOptions, KeyFile, Store, Unlock};

use crate::image::Image;
use crate::judge::{Known, STORE, of_the_workload};
use crate::tally::{Case, Tally, judge_all};
use crate::workload;

/// How much the small store holds.
const TRANSACTIONS: u64 = 6;

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says it")]
pub enum FlipError {
    #[error("cannot make the store that is to be damaged")]
    Store(#[from] Error),
    #[error("cannot handle its files")]
    Io(#[from] std::io::Error),
}

/// A store at rest, closed in good order.
pub struct Small {
    engine: EngineKind,
    home: tempfile::TempDir,
    image: Image,
}

impl Small {
    /// Makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(engine: EngineKind) -> Result<Self, FlipError> {
        let home = tempfile::tempdir()?;
        let unlock = Unlock::KeyFile(KeyFile::generate(&home.path().join("key"))?);
        let root = home.path().join("root");
        std::fs::create_dir(&root)?;
        let options = InitOptions {
            engine,
            ..InitOptions::default()
        };
        let store = Store::init(&root.join(STORE), &unlock, &options)?;
        for number in 1..=TRANSACTIONS {
            workload::transact(&store, number)?;
        }
        drop(store);
        let image = Image::load(&root)?;
        Ok(Self {
            engine,
            home,
            image,
        })
    }

    fn key(&self) -> std::path::PathBuf {
        self.home.path().join("key")
    }

    /// Changes one byte of every `stride`, each in a copy of its own.
    ///
    /// # Errors
    /// When there is no room for the copies.
    pub fn flip(&self, stride: usize, seed: u64) -> std::io::Result<Tally> {
        let mut random = fastrand::Rng::with_seed(seed);
        self.judge(&self.key(), |file, content, send| {
            let mut from = 0;
            while from < content.len() {
                let at = from + random.usize(..stride.min(content.len() - from));
                let mut changed = content.to_vec();
                changed[at] ^= random.u8(1..);
                if !send(file, changed) {
                    return;
                }
                from += stride;
            }
        })
    }

    /// Cuts every file short, to one length of every `stride`.
    ///
    /// # Errors
    /// When there is no room for the copies.
    pub fn truncate(&self, stride: usize, seed: u64) -> std::io::Result<Tally> {
        let mut random = fastrand::Rng::with_seed(seed);
        self.judge(&self.key(), |file, content, send| {
            let mut from = 0;
            while from < content.len() {
                let length = from + random.usize(..stride.min(content.len() - from));
                if !send(file, content[..length].to_vec()) {
                    return;
                }
                from += stride;
            }
        })
    }

    fn judge(
        &self,
        key: &Path,
        mut damage: impl FnMut(&str, &[u8], &mut dyn FnMut(&str, Vec<u8>) -> bool),
    ) -> std::io::Result<Tally> {
        let files = self.image.files();
        let (tally, ()) = judge_all(&of_the_workload(self.engine, key), |send| {
            for (file, content) in files.iter().filter(|(file, _)| !file.ends_with("/lock")) {
                damage(file, content, &mut |file, changed| {
                    send(Case {
                        image: self.image.with(file, changed),
                        // What follows a dot may be a number.
                        kind: file.split('.').next().unwrap_or(file).to_owned(),
                        known: Known::Acknowledged(TRANSACTIONS),
                    })
                });
            }
        })?;
        Ok(tally)
    }
}
