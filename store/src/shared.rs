//! A store that lies in a database, for machines of which one leads.
//!
//! The directory of such a store holds no records: only the lock, which keeps this machine to one
//! process; the file that names the database; and a copy of the header. The header's own place is the database,
//! so that a slot that was added on one machine is there on the other. The copy is taken anew before
//! each use, and serves those who want to know about the slots without leading.
//!
//! To have such a store open means to lead. Whoever finds another leader alive is told who it is.

use std::path::Path;

use crate::engine::EngineError;
use crate::engine::leadership::Leadership;
use crate::engine::lease::Leader;
use crate::error::{Error, Result};
use crate::secret::Unlock;
use crate::store::{InitOptions, Inner, Store, engine_error};

impl Store {
    /// Whether we still lead, if the store is one that other machines share.
    #[must_use]
    pub fn leadership(&self) -> Option<Leadership> {
        self.inner.engine.leadership()
    }

    /// Who leads the shared store of this directory, if anybody does.
    ///
    /// # Errors
    /// [`Error::Engine`] when the database cannot be asked.
    pub fn leader(dir: &Path) -> Result<Option<Leader>> {
        built::leader(dir)
    }

    /// Whether this secret would open the shared store of this directory; nothing is written there.
    ///
    /// # Errors
    /// [`Error::WrongSecret`], [`Error::HeaderDamaged`], [`Error::Engine`].
    pub fn try_secret(dir: &Path, unlock: &Unlock) -> Result<()> {
        built::try_secret(dir, unlock)
    }
}

impl Error {
    /// Whether it may go away by itself, with nobody doing anything about the store: a database that
    /// cannot be reached now.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Engine { source, .. } => {
                matches!(&**source, EngineError::Postgres(error) if error.is_passing())
            }
            _ => false,
        }
    }

    /// Whether a view was lost, and another one would show something else.
    pub(crate) fn is_overtaken(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Engine { source, .. } => {
                matches!(&**source, EngineError::Postgres(error) if error.is_overtaken())
            }
            _ => false,
        }
    }
}

impl Inner {
    /// Tells the others with whom the store is shared how its header reads now.
    pub(crate) fn announce(&self, header: &[u8]) -> Result<()> {
        self.engine
            .publish_header(header)
            .map_err(|source| engine_error(self.kind(), self.dir(), "write its header", source))
    }
}

/// Makes a store in the database that is named in `dir`, and leads it. With a mark it is not there for
/// others before it is announced.
pub(crate) fn init(
    dir: &Path,
    unlock: &Unlock,
    options: &InitOptions,
    mark: Option<&str>,
) -> Result<Store> {
    built::init(dir, unlock, options, mark)
}

/// Leads the store in the database that is named in `dir`.
pub(crate) fn open(dir: &Path, unlock: &Unlock) -> Result<Store> {
    built::open(dir, unlock)
}

/// Takes a fresh copy of the header of the store in the database that is named in `dir`.
pub(crate) fn refresh(dir: &Path) -> Result<()> {
    built::refresh(dir)
}

/// What an engine says about leaders is no fault of the engine.
pub(crate) fn plainly(source: EngineError) -> Result<Error, EngineError> {
    built::plainly(source)
}

#[cfg(feature = "postgres")]
pub(crate) use built::{create_engine, open_engine};

#[cfg(feature = "postgres")]
mod built {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::sync::Arc;

    use super::*;
    use crate::engine::postgres::{PostgresEngine, PostgresError, Site, Visit};
    use crate::engine::{Change, EngineKind};
    use crate::files::{self, IoContext};
    use crate::header::{HEADER_FILE, Header, Unverified};
    use crate::keyring::Keyring;
    use crate::lock::Lock;
    use crate::store::{Inner, engine_error, make_room};
    use crate::vault::ROOT_KEY;

    const KIND: EngineKind = EngineKind::Postgres;

    /// Different for each start of each machine.
    const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

    pub(super) fn init(
        dir: &Path,
        unlock: &Unlock,
        options: &InitOptions,
        mark: Option<&str>,
    ) -> Result<Store> {
        let failed = |source| engine_error(KIND, dir, "be created", source);
        if Header::exists(dir) {
            return Err(Error::AlreadyExists {
                path: dir.to_owned(),
            });
        }
        let keyring = Keyring::create(dir, KIND, unlock, &options.slot())?;

        make_room(dir)?;
        let lock = Lock::take(dir)?;
        let engine = create_engine(dir).map_err(failed)?;
        let inner = Inner::new(Box::new(engine), keyring, dir, lock);
        let (_, root) = inner.vault().seal_root(&inner.first_root())?;
        inner.apply(&[Change {
            key: ROOT_KEY.to_vec(),
            value: Some(root),
        }])?;
        inner.sing()?;
        let text = inner.keyring.encode()?;
        if let Some(mark) = mark {
            files::write_private(&dir.join(mark), b"")?;
            files::replace(&dir.join(HEADER_FILE), &text)?;
        } else {
            inner.put_header(&text)?;
        }
        Ok(Store {
            inner: Arc::new(inner),
        })
    }

    pub(super) fn open(dir: &Path, unlock: &Unlock) -> Result<Store> {
        let failed = |source| engine_error(KIND, dir, "open", source);
        let lock = Lock::take(dir)?;
        let visit = Visit::pay(dir).map_err(failed)?;
        visit.expect_store().map_err(failed)?;
        let engine = match visit.lead(instance(dir)?) {
            Err(EngineError::Postgres(error @ PostgresError::Led { .. })) => {
                // Whoever follows learns that the secret opens nothing any more now, and not on the day when it is needed.
                if let Some(text) = news(&visit, dir)? {
                    Unverified::decode(dir, &text)?.open(dir, unlock)?;
                    files::replace_among_others(&dir.join(HEADER_FILE), &text)?;
                }
                return Err(failed(error.into()));
            }
            engine => engine.map_err(failed)?,
        };
        // Under our own term: nobody else puts another header there any more.
        copy_header(&visit, dir)?;
        let keyring = Keyring::open(dir, unlock)?;
        let inner = Inner::new(Box::new(engine), keyring, dir, lock);
        inner.sing()?;
        Ok(Store {
            inner: Arc::new(inner),
        })
    }

    /// Leads an empty database, in which there is no store, before anything is written there.
    pub(crate) fn create_engine(dir: &Path) -> Result<PostgresEngine, EngineError> {
        let path = || dir.to_owned();
        let visit = Visit::pay(dir)?;
        visit.build()?;
        match visit.site()? {
            Site::Bare | Site::Prepared => {}
            Site::Store => return Err(Error::AlreadyExists { path: path() }.into()),
            Site::Headless => return Err(Error::HeaderMissing { path: path() }.into()),
        }
        let engine = visit.lead(instance(dir)?)?;
        engine.begin()?;
        Ok(engine)
    }

    /// Leads a database that somebody else has left.
    pub(crate) fn open_engine(dir: &Path) -> Result<PostgresEngine, EngineError> {
        Visit::pay(dir)?.lead(instance(dir)?)
    }

    /// Takes a fresh copy of the header, as far as the database can be reached.
    pub(crate) fn refresh(dir: &Path) -> Result<()> {
        let failed = |source| engine_error(KIND, dir, "give its header", source);
        let visit = Visit::pay(dir).map_err(failed)?;
        match visit.expect_store().map_err(failed) {
            Ok(()) => copy_header(&visit, dir),
            Err(error) if error.is_passing() && Header::exists(dir) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn leader(dir: &Path) -> Result<Option<Leader>> {
        let failed = |source| engine_error(KIND, dir, "tell who leads", source);
        let visit = Visit::pay(dir).map_err(failed)?;
        visit.expect_store().map_err(failed)?;
        visit.leader().map_err(failed)
    }

    pub(super) fn try_secret(dir: &Path, unlock: &Unlock) -> Result<()> {
        let failed = |source| engine_error(KIND, dir, "give its header", source);
        let visit = Visit::pay(dir).map_err(failed)?;
        visit.expect_store().map_err(failed)?;
        copy_header(&visit, dir)?;
        Unverified::read(dir)?.open(dir, unlock).map(drop)
    }

    pub(super) fn plainly(source: EngineError) -> Result<Error, EngineError> {
        match source {
            EngineError::Postgres(PostgresError::Led { leader }) => Ok(Error::Led { leader }),
            EngineError::Postgres(PostgresError::Lost { ended }) => {
                Ok(Error::LeadershipLost { ended })
            }
            // What the disk has against it is the engine's to tell, with what to do.
            EngineError::Files(error) if !matches!(error, Error::Io { .. }) => Ok(error),
            other => Err(other),
        }
    }

    /// Takes the header from the database.
    fn copy_header(visit: &Visit, dir: &Path) -> Result<()> {
        match news(visit, dir)? {
            Some(text) => files::replace_among_others(&dir.join(HEADER_FILE), &text),
            None => Ok(()),
        }
    }

    /// The header in the database, unless it reads as our copy of it does.
    fn news(visit: &Visit, dir: &Path) -> Result<Option<Vec<u8>>> {
        let text = visit
            .header()
            .map_err(|source| engine_error(KIND, dir, "give its header", source))?
            .ok_or_else(|| Error::HeaderMissing {
                path: dir.to_owned(),
            })?;
        let copy = fs::read(dir.join(HEADER_FILE));
        Ok(Some(text).filter(|text| !copy.is_ok_and(|copy| copy == *text)))
    }

    /// Names the lock that this process holds: the same name again means that whoever had it before is
    /// dead. A copy of the directory, and a copy of the whole machine, have other names.
    fn instance(dir: &Path) -> Result<String> {
        let boot = fs::read_to_string(BOOT_ID).while_trying("read", Path::new(BOOT_ID))?;
        let found = fs::metadata(dir).while_trying("inspect", dir)?;
        Ok(format!("{} {} {}", boot.trim(), found.dev(), found.ino()))
    }
}

#[cfg(not(feature = "postgres"))]
mod built {
    use super::*;
    use crate::engine::EngineKind;
    use crate::store::engine_error;

    pub(super) fn init(dir: &Path, _: &Unlock, _: &InitOptions, _: Option<&str>) -> Result<Store> {
        Err(not_built(dir))
    }

    pub(super) fn open(dir: &Path, _: &Unlock) -> Result<Store> {
        Err(not_built(dir))
    }

    pub(super) fn leader(dir: &Path) -> Result<Option<Leader>> {
        Err(not_built(dir))
    }

    pub(super) fn try_secret(dir: &Path, _: &Unlock) -> Result<()> {
        Err(not_built(dir))
    }

    pub(super) fn refresh(dir: &Path) -> Result<()> {
        Err(not_built(dir))
    }

    pub(super) fn plainly(source: EngineError) -> Result<Error, EngineError> {
        Err(source)
    }

    fn not_built(dir: &Path) -> Error {
        let engine = EngineKind::Postgres;
        engine_error(engine, dir, "open", EngineError::NotBuilt { engine })
    }
}
