//! Identities read from a file that somebody replaces.
//!
//! The file is looked at at intervals instead of watched: that works alike on network file systems, on volumes that
//! swap symbolic links, and for writers that rename as well as those that write in place. It is opened once and read
//! whole from that one handle, so a reading never mixes two files; a half-written one does not parse, and is read
//! again until it does.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use super::Running;
use crate::bundle::MAX_BUNDLE;
use crate::protocol::Report;
use crate::{Bundle, BundleError, Publisher};

/// Everybody may read what is presented: certificates are public.
const REPORT_MODE: u32 = 0o644;

/// A file with a combined PEM bundle, looked at at intervals.
#[derive(Debug, Clone)]
pub struct BundleFile {
    path: PathBuf,
    report: Option<PathBuf>,
    every: Duration,
}

/// Why the file gives no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum FileError {
    #[error("{} holds no identity", path.display())]
    Bundle { path: PathBuf, source: BundleError },
    #[error("{} cannot be read: check that it exists and that this program may read it", path.display())]
    Read { path: PathBuf, source: io::Error },
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl BundleFile {
    /// Looks at this file every second, and reports nowhere.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            report: None,
            every: Duration::from_secs(1),
        }
    }

    /// How often to look.
    #[must_use]
    pub const fn every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self
    }

    /// Writes what is presented to `<path>.report.json`, readable for all, so that the daemon can see it.
    #[must_use]
    pub fn report(self) -> Self {
        let mut name = self.path.clone().into_os_string();
        name.push(".report.json");
        self.report_to(name)
    }

    /// As [`report`](Self::report), to a file of any name in a directory that this program may write in.
    #[must_use]
    pub fn report_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.report = Some(path.into());
        self
    }

    /// Follows the file in a task of its own. Must be called within a tokio runtime.
    #[must_use]
    pub fn spawn(self, publisher: Publisher) -> Running {
        Running::new(tokio::spawn(self.follow(publisher)))
    }

    async fn follow(self, mut publisher: Publisher) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut news = publisher.news();
        let mut taken = None;
        let mut written = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look(&mut publisher, &mut taken).await,
                // The publisher keeps the other end of the news, so this cannot fail while it lives.
                _ = news.changed() => {}
            }
            news.mark_unchanged();
            self.tell(&publisher, &mut written).await;
        }
    }

    /// Reads the file if it is not the one that was taken last.
    async fn look(&self, publisher: &mut Publisher, taken: &mut Option<Stamp>) {
        let (path, known) = (self.path.clone(), *taken);
        let read = tokio::task::spawn_blocking(move || read(&path, known)).await;
        match read {
            Ok(Ok(None)) => {}
            Ok(Ok(Some((stamp, bundle)))) => {
                *taken = Some(stamp);
                publisher.publish(bundle);
            }
            // A refused file is not remembered: the next look may find it whole, with the same stamp.
            Ok(Err(refused)) => {
                *taken = None;
                publisher.refuse(&refused);
            }
            Err(stopped) => tracing::error!(%stopped, "the reading task stopped"),
        }
    }

    /// Writes the report if it says anything new.
    async fn tell(&self, publisher: &Publisher, written: &mut Option<Report>) {
        let Some(path) = self.report.clone() else {
            return;
        };
        let report = publisher.status().report();
        if written.as_ref() == Some(&report) {
            return;
        }
        let sent = report.clone();
        let wrote = tokio::task::spawn_blocking(move || write(&path, &sent)).await;
        match wrote {
            Ok(Ok(())) => {
                *written = Some(report);
                publisher.source_fault(None);
            }
            Ok(Err(error)) => {
                let path = self.report.as_deref().unwrap_or(&self.path).display();
                publisher.source_fault(Some(&format!(
                    "the report cannot be written to {path}: {error}"
                )));
            }
            Err(stopped) => tracing::error!(%stopped, "the writing task stopped"),
        }
    }
}

fn read(path: &Path, known: Option<Stamp>) -> Result<Option<(Stamp, Bundle)>, FileError> {
    let (stamp, text) = match text(path, known) {
        Ok(Some(read)) => read,
        Ok(None) => return Ok(None),
        Err(source) => {
            return Err(FileError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    match Bundle::from_pem(&text) {
        Ok(bundle) => Ok(Some((stamp, bundle))),
        Err(source) => Err(FileError::Bundle {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The content of the file, one byte more than a bundle may have at most; none if it is the known one.
fn text(path: &Path, known: Option<Stamp>) -> io::Result<Option<(Stamp, Zeroizing<Vec<u8>>)>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let stamp = Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    };
    if known == Some(stamp) {
        return Ok(None);
    }
    // Of the full size from the start: a vector that grows leaves copies of the key behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BUNDLE + 2));
    file.take(MAX_BUNDLE as u64 + 1).read_to_end(&mut text)?;
    Ok(Some((stamp, text)))
}

/// Replaces the report in one step. It is not synced: one lost in a power cut is written again at the next start.
fn write(path: &Path, report: &Report) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(REPORT_MODE);
    let opened = match options.open(&new) {
        // Left by one who was killed here.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(&new)?;
            options.open(&new)
        }
        opened => opened,
    };
    let mut file = opened?;
    file.set_permissions(std::fs::Permissions::from_mode(REPORT_MODE))?;
    let mut text = serde_json::to_vec(report)?;
    text.push(b'\n');
    file.write_all(&text)?;
    drop(file);
    std::fs::rename(&new, path)
}
