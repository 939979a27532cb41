//! How often a secret may be tried at a sealed daemon.
//!
//! Whoever reaches the control socket could as well copy the store and guess elsewhere, so this guards no
//! secret. It keeps a script in a loop from keeping the machine busy with key derivations.

use jiff::Timestamp;

use crate::model::{Lapse, audit::Tries};

/// Seconds after the first wrong secret; doubled with each further one.
const FIRST_PAUSE: i64 = 1;

/// More would only overflow: the longest pause is reached long before.
const MOST_DOUBLINGS: u32 = 16;

/// The longest pause.
const LONGEST_PAUSE: Lapse = Lapse::seconds(60);

/// The wrong secrets so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    wrong: u32,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Attempts {
    /// How long the next attempt has to wait yet; `None` when it may be made now.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Lapse> {
        let pause = self.pause();
        let wait: Lapse = pause.after(self.last?).duration_since(now).into();
        // A clock that was set back must not lock anybody out for longer than the pause.
        (wait > Lapse::ZERO).then(|| wait.min(pause))
    }

    /// A secret was wrong.
    pub(super) fn failed(&mut self, now: Timestamp) {
        self.wrong = self.wrong.saturating_add(1);
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// What the audit log is told of them once it is open; `None` when there were none.
    pub(super) fn told(&self) -> Option<Tries> {
        Some(Tries {
            attempts: self.wrong.into(),
            since: self.first?,
            last: self.last?,
            why: "a secret that does not open the store was tried at the sealed daemon".into(),
        })
    }

    fn pause(&self) -> Lapse {
        let doublings = self.wrong.saturating_sub(1).min(MOST_DOUBLINGS);
        Lapse::seconds(FIRST_PAUSE << doublings).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_secret_doubles_the_pause_up_to_a_limit() {
        let mut now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut attempts = Attempts::default();
        assert_eq!(attempts.wait(now), None);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            attempts.failed(now);
            assert_eq!(attempts.wait(now), Some(Lapse::seconds(seconds)));
            assert!(
                attempts
                    .wait(Lapse::seconds(seconds - 1).after(now))
                    .is_some()
            );
            now = Lapse::seconds(seconds).after(now);
            assert_eq!(attempts.wait(now), None);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut attempts = Attempts::default();
        attempts.failed(now);
        assert_eq!(
            attempts.wait(Lapse::days(400).before(now)),
            Some(Lapse::seconds(1))
        );
    }
}
