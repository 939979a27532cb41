//! Whether what is being said may still be said.

use std::fmt::Debug;

/// Asked before every byte that goes out, so that a program which was paused in the middle of a letter, and
/// in whose place another has gone on meanwhile, does not send the rest when it wakes.
pub trait Fence: Debug + Send + Sync {
    /// Whether it is still ours to speak. Answers at once, and errs on the side of no.
    fn is_open(&self) -> bool;
}
