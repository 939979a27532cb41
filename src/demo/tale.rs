//! What happens, told as it happens: when, by whom, what.

use std::{sync::Arc, time::Instant};

/// Takes the lines of the story.
pub trait Narrator: Send + Sync {
    /// A line without its end.
    fn say(&self, line: &str);
}

/// A narrator who knows when the story began.
#[derive(Clone)]
pub(super) struct Tale {
    narrator: Arc<dyn Narrator>,
    begun: Instant,
}

impl Tale {
    /// A story that begins now.
    pub(super) fn begin(narrator: Arc<dyn Narrator>) -> Self {
        Self {
            narrator,
            begun: Instant::now(),
        }
    }

    /// Tells what somebody did.
    pub(super) fn say(&self, who: &str, what: &str) {
        let seconds = self.seconds();
        self.narrator
            .say(&format!("{seconds:>7.2} s  {who:<9}  {what}"));
    }

    /// Seconds since the story began.
    pub(super) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}
