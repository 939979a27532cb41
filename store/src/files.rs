//! Files that are private from their first byte and durable before the call returns.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Names the operation and the path of an I/O error.
pub(crate) trait IoContext<T> {
    fn while_trying(self, operation: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn while_trying(self, operation: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io {
            operation,
            path: path.to_owned(),
            source,
        })
    }
}

/// Creates a directory that only its owner can enter; its parents must exist.
pub(crate) fn create_private_dir(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .while_trying("create directory", path)
}

/// Creates a file that only its owner can read and that did not exist before.
pub(crate) fn create_private(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .while_trying("create", path)
}

/// Writes a new private file and makes it, and its name, durable.
pub(crate) fn write_private(path: &Path, contents: &[u8]) -> Result<()> {
    let mut file = create_private(path)?;
    file.write_all(contents).while_trying("write", path)?;
    file.sync_all().while_trying("make durable", path)?;
    sync_parent(path)
}

/// Replaces a file as a whole: after a crash it is the old one or the new one.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    replace_by(&draft_of(path), path, contents)
}

/// Where a file lies before it takes the place of another: there for good if the machine stopped then.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// The same for what several processes of this machine may write at once, all of them the same.
pub(crate) fn replace_among_others(path: &Path, contents: &[u8]) -> Result<()> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("{}-{number}.new", std::process::id()));
    replace_by(&draft, path, contents)
}

fn replace_by(draft: &Path, path: &Path, contents: &[u8]) -> Result<()> {
    match fs::remove_file(draft) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).while_trying("remove", draft),
    }
    write_private(draft, contents)?;
    fs::rename(draft, path).while_trying("put in place", path)?;
    sync_parent(path)
}

/// Reads a file of at most `limit` bytes; a longer one gives `None`.
pub(crate) fn read_bounded(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut contents = Vec::new();
    File::open(path)?
        .take(limit as u64 + 1)
        .read_to_end(&mut contents)?;
    Ok((contents.len() <= limit).then_some(contents))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .while_trying("make durable", path)
}

/// Makes the name of this file durable.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Takes all rights from everybody but the owner.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mode = if fs::metadata(path)?.is_dir() {
        0o700
    } else {
        0o600
    };
    fs::set_permissions(path, Permissions::from_mode(mode))
}
