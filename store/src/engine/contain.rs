//! An engine's panic is an error like any other.
//!
//! Both engines trust what lies in their files, and give up by panicking when it makes no sense.
//! What a disk has done to a file must not end the process that could tell of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::EngineError;

/// Does `work` on `file`. What it was working with must not be used after a panic: it may be in
/// any state.
pub(super) fn contain<T>(
    file: &Path,
    work: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(EngineError::Panicked {
            file: file.to_owned(),
            said: words(&*panic),
        })
    })
}

/// Lets go of what may panic when it is dropped, as it does when it panicked before.
pub(super) fn discard<T>(value: T) {
    // What it had to say was said by the error that led here.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    let words = words.unwrap_or("nothing").lines().next().unwrap_or("");
    words.chars().take(200).collect()
}
