//! Memory for keys: wiped when it is given up, and locked so that it is not swapped out.
//!
//! Each key has a page of its own, since locks are on pages and do not add up: on a shared page, the
//! first key that is wiped would unlock its neighbours. Where the system refuses the lock
//! (`RLIMIT_MEMLOCK`), keys are held all the same, and [`keys_are_locked`] says so.

use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroize;

/// A page on every system that this runs on; on one with larger pages a key shares its page.
const PAGE: usize = 4096;
const KEY: usize = 32;

static REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether every key so far has been in locked memory. If not, keys may be written to swap: raise
/// the limit of locked memory (`LimitMEMLOCK=` of a service, `ulimit -l` of a shell).
#[must_use]
pub fn keys_are_locked() -> bool {
    !REFUSED.load(Ordering::Relaxed)
}

#[repr(align(4096))]
struct Page([u8; PAGE]);

/// Room for one key.
pub(crate) struct Locked {
    page: Box<Page>,
}

impl Locked {
    /// Zeros, to be written in place.
    pub(crate) fn new() -> Self {
        let page = Box::new(Page([0; PAGE]));
        match region::lock(page.0.as_ptr(), PAGE) {
            // Never unlocked: the allocator gives the page to somebody else, who may have secrets too, and
            // where the whole process is locked, unlocking would make a hole. Pages are used again, so
            // their number is bounded by that of the keys that there are at a time.
            Ok(lock) => std::mem::forget(lock),
            Err(_) => REFUSED.store(true, Ordering::Relaxed),
        }
        Self { page }
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY] {
        // A page is longer than a key.
        self.page
            .0
            .first_chunk()
            .expect("a page has room for a key")
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; KEY] {
        self.page
            .0
            .first_chunk_mut()
            .expect("a page has room for a key")
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says that this process has locked, in KiB.
    fn locked_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmLck:"));
        let number = line.unwrap().split_whitespace().nth(1);
        number.unwrap().parse().unwrap()
    }

    #[test]
    fn a_key_is_on_a_locked_page_of_its_own() {
        let keys = [Locked::new(), Locked::new()];
        assert!(keys_are_locked(), "the limit of locked memory is too low");
        for key in &keys {
            assert_eq!(key.bytes().as_ptr() as usize % PAGE, 0);
        }
        assert!(locked_kib() >= 8);
    }
}
