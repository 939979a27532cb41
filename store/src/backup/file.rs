//! The file of a backup: it has a name when it is whole and durable, and none before.
//!
//! While it is written it has no name at all (`O_TMPFILE`), so that whoever is killed leaves nothing behind. Where the
//! file system has no such files it lies under a name of ours, locked for as long as its writer lives; what is not
//! locked any more was left by somebody who was killed, and the next backup in that directory removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, linkat, openat};

/// How the name of every draft begins.
const PREFIX: &str = ".countersign-backup-";

/// How often a draft is made anew that somebody took for abandoned before it was locked.
const TRIES: usize = 16;

/// A backup that is being written. Dropped before it is [kept](Self::keep), it is gone.
#[derive(Debug)]
pub struct BackupFile {
    path: PathBuf,
    draft: Draft,
    swept: Vec<PathBuf>,
}

#[derive(Debug)]
enum Draft {
    Nameless(File),
    Named(tempfile::NamedTempFile),
}

impl BackupFile {
    /// Begins the file that is to be called `path`, and removes what killed backups have left in its directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is something of that name; those of the file system.
    pub fn begin(path: &Path) -> io::Result<Self> {
        Self::begin_with(path, |directory| match nameless(directory) {
            Some(file) => Ok(Draft::Nameless(file)),
            None => named(directory).map(Draft::Named),
        })
    }

    /// The same as on a file system that has no files without a name.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_named(path: &Path) -> io::Result<Self> {
        Self::begin_with(path, |directory| named(directory).map(Draft::Named))
    }

    fn begin_with(path: &Path, draft: impl FnOnce(&Path) -> io::Result<Draft>) -> io::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let directory = directory_of(path);
        let swept = sweep(directory);
        Ok(Self {
            path: path.to_owned(),
            draft: draft(directory)?,
            swept,
        })
    }

    /// What killed backups had left, and was removed.
    #[must_use]
    pub fn swept(&self) -> &[PathBuf] {
        &self.swept
    }

    /// Makes it durable, and gives it its name.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when somebody else has taken the name meanwhile: theirs is not touched. Those
    /// of the file system; then there is nothing of that name, or the whole backup.
    pub fn keep(self) -> io::Result<()> {
        let Self { path, draft, .. } = self;
        let file = match draft {
            Draft::Nameless(file) => {
                file.sync_all()?;
                linkat(CWD, link_to(&file), CWD, &path, AtFlags::SYMLINK_FOLLOW)?;
                // That it has a name is a property of the file, too.
                file.sync_all()?;
                file
            }
            Draft::Named(draft) => {
                draft.as_file().sync_all()?;
                draft.persist_noclobber(&path)?
            }
        };
        drop(file);
        File::open(directory_of(&path))?.sync_all()
    }
}

impl Write for BackupFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.draft {
            Draft::Nameless(file) => file.write(bytes),
            Draft::Named(draft) => draft.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.draft {
            Draft::Nameless(file) => file.flush(),
            Draft::Named(draft) => draft.flush(),
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file without a name, for us alone; none where that, or naming it later, is not to be had.
fn nameless(directory: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let file = File::from(openat(CWD, directory, flags, mode).ok()?);
    // Without /proc the end of a long backup would be the first to know.
    let linked = fs::metadata(link_to(&file)).ok()?;
    same(&linked, &file.metadata().ok()?).then_some(file)
}

/// What of an open file can be given a name without a privilege.
fn link_to(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// A file under a name of ours, for us alone, locked.
fn named(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    for _ in 0..TRIES {
        // tempfile makes files with mode 0600.
        let draft = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempfile_in(directory)?;
        match flock(draft.as_file(), FlockOperation::NonBlockingLockExclusive) {
            // Who sweeps was here first.
            Err(rustix::io::Errno::WOULDBLOCK) => continue,
            // A file system that cannot lock: nobody sweeps there either.
            Err(_) => return Ok(draft),
            Ok(()) => {}
        }
        let there = draft.path().symlink_metadata();
        if there.is_ok_and(|there| {
            draft
                .as_file()
                .metadata()
                .is_ok_and(|ours| same(&there, &ours))
        }) {
            return Ok(draft);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes drafts of ours that nobody writes any more. What cannot be removed hinders no backup.
fn sweep(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = entry.file_name();
            name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
        })
        .map(|entry| entry.path())
        .filter(|path| remove_abandoned(path).is_ok_and(|removed| removed))
        .collect()
}

fn remove_abandoned(path: &Path) -> io::Result<bool> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(false);
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // Locked by us, it is nobody's; but its name may be another file's by now, or that of a backup that was kept.
    if !same(&path.symlink_metadata()?, &found) {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

fn same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [fn(&Path) -> io::Result<BackupFile>; 2] =
        [BackupFile::begin, BackupFile::begin_named];

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_backup_has_its_name_when_it_is_kept_and_leaves_nothing_when_it_is_not() {
        let directory = tempfile::tempdir().unwrap();
        for (number, begin) in KINDS.into_iter().enumerate() {
            let path = directory.path().join(format!("{number}.age"));
            let mut given_up = begin(&path).unwrap();
            given_up.write_all(b"half").unwrap();
            drop(given_up);
            assert!(!path.exists());
            let mut kept = begin(&path).unwrap();
            kept.write_all(b"whole").unwrap();
            assert!(!path.exists());
            kept.keep().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"whole");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(names(directory.path()), ["0.age", "1.age"]);
    }

    #[test]
    fn a_name_that_somebody_took_meanwhile_stays_theirs() {
        for begin in KINDS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("backup.age");
            let late = begin(&path).unwrap();
            let mut first = begin(&path).unwrap();
            first.write_all(b"first").unwrap();
            first.keep().unwrap();
            let refused = late.keep().unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(
                begin(&path).unwrap_err().kind(),
                io::ErrorKind::AlreadyExists
            );
            assert_eq!(fs::read(&path).unwrap(), b"first");
            assert_eq!(names(directory.path()), ["backup.age"]);
        }
    }

    #[test]
    fn what_a_killed_backup_left_is_removed_and_what_a_living_one_writes_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let living = BackupFile::begin_named(&directory.path().join("living.age")).unwrap();
        let left = directory.path().join(format!("{PREFIX}killed"));
        File::create(&left).unwrap();
        // Neither is ours, whatever it is called.
        let link = directory.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink("elsewhere", &link).unwrap();
        fs::create_dir(directory.path().join(format!("{PREFIX}directory"))).unwrap();

        let next = BackupFile::begin(&directory.path().join("next.age")).unwrap();
        assert_eq!(next.swept(), [left]);
        living.keep().unwrap();
        next.keep().unwrap();
        let directory_and_link = ["directory", "link"].map(|name| format!("{PREFIX}{name}"));
        let kept = ["living.age", "next.age"].map(str::to_owned);
        assert_eq!(names(directory.path()), [directory_and_link, kept].concat());
    }
}
