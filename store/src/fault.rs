//! For tests of the whole product: death at a chosen append.
//!
//! Only with the feature `fault-injection`, and only when the environment asks for it:
//!
//! - `COUNTERSIGN_ABORT_AT_APPEND=N`: at the N-th transaction of this process, counted from 1, that
//!   appends to a journal and whose conditions hold;
//! - `COUNTERSIGN_ABORT_WHEN=before|after|stop`: before anything of it reaches the engine (the default),
//!   or after all of it is durable and before the caller learns of it; `stop` is `after`, but the
//!   process does not die: it stands still until somebody lets it go on (SIGCONT);
//! - `COUNTERSIGN_ABORT_AT_STEP=N`: at the N-th step of putting a new store in the place of another.
//! - `COUNTERSIGN_ABORT_AT_STREAM=PREFIX`: counting only transactions that append to a journal whose name
//!   begins so.

/// On which side of the append.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// One transaction on its way to the engine.
pub(crate) struct Passage {
    #[cfg(feature = "fault-injection")]
    fatal: Option<When>,
}

impl Passage {
    /// Counts a transaction in, if it appends to a journal that is meant.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn enter<'a>(mut streams: impl Iterator<Item = &'a str>) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};

        static APPENDS: AtomicU64 = AtomicU64::new(0);
        let prefix = std::env::var("COUNTERSIGN_ABORT_AT_STREAM").unwrap_or_default();
        let fatal = streams
            .any(|stream| stream.starts_with(&prefix))
            .then(|| APPENDS.fetch_add(1, Ordering::Relaxed) + 1)
            .filter(|&count| chosen().is_some_and(|(fatal, _)| fatal == count))
            .and_then(|_| chosen().map(|(_, when)| when));
        Self { fatal }
    }

    /// Aborts the process if this is the chosen moment of the chosen transaction.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn reach(&self, moment: When) {
        if self.fatal == Some(moment) {
            if stands_still() {
                use rustix::process::{Signal, getpid, kill_process};
                // Were it refused, the process would die, and the test would see it.
                if kill_process(getpid(), Signal::STOP).is_ok() {
                    return;
                }
            }
            std::process::abort();
        }
    }

    #[cfg(not(feature = "fault-injection"))]
    pub(crate) fn enter<'a>(_streams: impl Iterator<Item = &'a str>) -> Self {
        Self {}
    }

    #[cfg(not(feature = "fault-injection"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn reach(&self, _moment: When) {}
}

/// Aborts the process if this is the chosen step. Between any two of them something was made durable.
#[cfg(feature = "fault-injection")]
pub(crate) fn step() {
    use std::sync::atomic::{AtomicU64, Ordering};

    static STEPS: AtomicU64 = AtomicU64::new(0);
    let step = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    let chosen = std::env::var("COUNTERSIGN_ABORT_AT_STEP").ok();
    if chosen.and_then(|chosen| chosen.parse().ok()) == Some(step) {
        std::process::abort();
    }
}

#[cfg(not(feature = "fault-injection"))]
pub(crate) fn step() {}

#[cfg(feature = "fault-injection")]
fn stands_still() -> bool {
    std::env::var("COUNTERSIGN_ABORT_WHEN").is_ok_and(|when| when == "stop")
}

#[cfg(feature = "fault-injection")]
fn chosen() -> Option<(u64, When)> {
    use std::sync::OnceLock;

    static CHOSEN: OnceLock<Option<(u64, When)>> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let count = std::env::var("COUNTERSIGN_ABORT_AT_APPEND")
            .ok()?
            .parse()
            .ok()?;
        let after = std::env::var("COUNTERSIGN_ABORT_WHEN")
            .is_ok_and(|when| matches!(when.as_str(), "after" | "stop"));
        Some((count, if after { When::After } else { When::Before }))
    })
}
