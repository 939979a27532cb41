//! Putting a finished store in the place of another, in one step.
//!
//! The kernel exchanges two names (`renameat2` with `RENAME_EXCHANGE`): whenever the machine stops, there is a whole
//! store at the path, the old one or the new one. The old one is never removed: it lies beside, under a name that
//! says so, until somebody who has looked removes it.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::{Error, Result};
use crate::fault::step;
use crate::files::{self, IoContext};
use crate::header::Header;
use crate::load::LOADING_FILE;
use crate::lock::Lock;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Where the old store lies now; `None` when there was none.
    pub kept: Option<PathBuf>,
}

/// Puts the store in `fresh` at `path`, and keeps what lies there under another name beside it.
///
/// Neither may be open. Both are in one directory.
///
/// # Errors
/// [`Error::InUse`], [`Error::Loading`] when `fresh` is not full yet, [`Error::NotFound`] when there is nothing in it,
/// [`Error::Io`].
pub fn replace_store(path: &Path, fresh: &Path) -> Result<Replaced> {
    if fresh.join(LOADING_FILE).symlink_metadata().is_ok() {
        return Err(Error::Loading {
            path: fresh.to_owned(),
        });
    }
    if !Header::exists(fresh) {
        return Err(Error::NotFound {
            path: fresh.to_owned(),
        });
    }
    let _fresh = Lock::take(fresh)?;
    step();
    if path.symlink_metadata().is_err() {
        rename(fresh, path, RenameFlags::NOREPLACE)?;
        files::sync_parent(path)?;
        step();
        return Ok(Replaced { kept: None });
    }
    let _old = Lock::take(path)?;
    rename(fresh, path, RenameFlags::EXCHANGE)?;
    files::sync_parent(path)?;
    step();
    let kept = set_aside(fresh, path)?;
    step();
    Ok(Replaced { kept: Some(kept) })
}

/// Moves what lies at `from` to the first free name that tells what it was.
fn set_aside(from: &Path, store: &Path) -> Result<PathBuf> {
    for number in 1_u32.. {
        let mut name = store.as_os_str().to_owned();
        name.push(format!(".replaced-{number}"));
        let to = PathBuf::from(name);
        match rename(from, &to, RenameFlags::NOREPLACE) {
            Ok(()) => {
                files::sync_parent(&to)?;
                return Ok(to);
            }
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            }
            Err(error) => return Err(error),
        }
    }
    unreachable!("four thousand million stores do not fit beside each other")
}

/// Where a store that is to come to `path` is filled. What lies there already is an unfinished one, or one that was
/// exchanged and not yet put aside: then that is done now.
///
/// # Errors
/// [`Error::Io`].
pub fn room_beside(path: &Path) -> Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".incoming");
    let room = PathBuf::from(name);
    if Header::exists(&room) && room.join(LOADING_FILE).symlink_metadata().is_err() {
        set_aside(&room, path)?;
    }
    Ok(room)
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<()> {
    renameat_with(CWD, from, CWD, to, flags)
        .map_err(std::io::Error::from)
        .while_trying("put in place", to)
}
