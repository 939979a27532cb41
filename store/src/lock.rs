//! One opener at a time: an advisory lock for as long as the store is open.
//!
//! The lock is on a file of its own that is never removed (removing it would let two openers lock
//! two files of the same name). The kernel drops the lock with the process, however that ends; the
//! process id inside is only there to be shown.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::files::IoContext;

/// The name of the lock file in a store's directory.
pub(crate) const LOCK_FILE: &str = "lock";

/// Held for as long as the store is open.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the store in `dir`, or says who has it.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .while_trying("open", &path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::InUse {
                    path: dir.to_owned(),
                    pid: holder(&mut file),
                });
            }
            Err(errno) => return Err(std::io::Error::from(errno)).while_trying("lock", &path),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .while_trying("write", &path)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has just forked, and that has not come
        // to its `exec` yet, shares the descriptor and would hold the lock a moment longer.
        // Should it fail, closing it is.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_given_up_even_while_a_child_still_shares_its_descriptor() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let shared = lock.file.try_clone().unwrap();
        assert!(matches!(Lock::take(dir.path()), Err(Error::InUse { .. })));
        drop(lock);
        Lock::take(dir.path()).unwrap();
        drop(shared);
    }
}
