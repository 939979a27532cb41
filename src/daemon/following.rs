//! A daemon whose store is led by another machine: ready to take over, and doing nothing else.
//!
//! It asks for the lease again and again, and is given it when the leader has gone or has shown no sign of life
//! for as long as the lease says. To ask is to try: there is no moment between seeing that nobody leads and
//! leading.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tracing::{info, warn};

use crate::{
    config::Config,
    model::Lapse,
    records::{Ended, Leader, Leadership, Records, RecordsError, Unlock},
    service::{LeaderView, ServiceError, Standing, StandingView},
};

/// How often a leader looks whether it still is one.
const LOOK: Duration = Duration::from_millis(200);

/// The longest pause between two attempts, however long the lease: a leader may give it back at any time.
const OFTEN: Duration = Duration::from_secs(5);

/// The shortest pause between two attempts.
const SHORTEST: Duration = Duration::from_millis(200);

/// A daemon that would lead.
pub struct Following {
    /// As it was when the daemon came to follow; read anew when it takes over.
    pub config: Config,
    /// Since when.
    pub since: Timestamp,
    /// What opens the store when it is our turn.
    pub secret: Arc<Unlock>,
    /// Why it does not lead, when it did.
    pub why: Option<String>,
    /// What the last attempt met.
    seen: Mutex<Seen>,
}

/// What stands in the way.
#[derive(Clone, Debug)]
enum Seen {
    /// Nothing is known yet.
    Nothing,
    /// Somebody leads.
    Leader(Leader),
    /// The database could not be asked.
    Fault(String),
}

/// How an attempt to lead ends for good.
pub(super) enum Turn {
    /// The store is open, and ours.
    Ours(Box<Records>),
    /// The secret does not open it any more.
    Shut(String),
}

impl Following {
    /// From now on.
    pub fn new(config: Config, since: Timestamp, secret: Arc<Unlock>, why: Option<String>) -> Self {
        Self {
            config,
            since,
            secret,
            why,
            seen: Mutex::new(Seen::Nothing),
        }
    }

    /// Tries to lead until it is our turn.
    pub(super) async fn turn(&self) -> Turn {
        loop {
            let (store, secret) = (self.config.store.clone(), self.secret.clone());
            let attempt = tokio::task::spawn_blocking(move || {
                Records::open(&store.path, &secret)?.witnessed(store.witness.as_deref())
            })
            .await;
            let seen = match attempt {
                Ok(Ok(records)) => return Turn::Ours(Box::new(records)),
                Ok(Err(error)) if error.is_wrong_secret() => return Turn::Shut(error.to_string()),
                Ok(Err(error)) => Seen::of(&error),
                Err(panic) => Seen::Fault(format!("the attempt to lead failed: {panic}")),
            };
            self.note(&seen);
            tokio::time::sleep(pause(&seen, self.lease())).await;
        }
    }

    fn lease(&self) -> Duration {
        let database = self.config.store.database.as_ref();
        database.map_or(Duration::ZERO, |database| database.lease.length())
    }

    fn note(&self, seen: &Seen) {
        let mut last = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*last, seen) {
            (Seen::Leader(old), Seen::Leader(new)) if old.epoch == new.epoch => {}
            (Seen::Fault(old), Seen::Fault(new)) if old == new => {}
            (_, Seen::Leader(leader)) => {
                info!(term = leader.epoch, "following: {leader} leads");
            }
            (_, Seen::Fault(fault)) => warn!("following: {fault}"),
            (_, Seen::Nothing) => {}
        }
        *last = seen.clone();
    }

    /// What `status` says.
    pub(super) fn view(&self, daemon_since: Timestamp, now: Timestamp) -> StandingView {
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let lease = Lapse::seconds(i64::try_from(self.lease().as_secs()).unwrap_or(i64::MAX));
        let (leader, why, moves, command) = match seen {
            Seen::Nothing => (
                None,
                "it is just asking who leads".to_owned(),
                "itself, in a moment".to_owned(),
                "countersign status".to_owned(),
            ),
            Seen::Leader(leader) => (
                Some(LeaderView {
                    machine: leader.machine.clone(),
                    term: leader.epoch,
                    since: Timestamp::from_microsecond(leader.since_micros).unwrap_or(now),
                }),
                format!("{leader} leads"),
                format!(
                    "itself, when {leader} gives the lead back or shows no sign of life for {lease}"
                ),
                format!("run the command on {leader}"),
            ),
            Seen::Fault(fault) => (
                None,
                fault,
                "whoever sees to the database".to_owned(),
                "countersign status".to_owned(),
            ),
        };
        let why = match &self.why {
            Some(before) => format!("{why} ({before})"),
            None => why,
        };
        StandingView {
            schema: 1,
            now,
            daemon_since,
            standing: Standing::Following,
            since: self.since,
            why,
            can_move: vec![moves],
            command,
            leader,
        }
    }
}

impl Seen {
    fn of(error: &RecordsError) -> Self {
        match error.leader() {
            Some(leader) => Self::Leader(leader.clone()),
            None => Self::Fault(ServiceError::from_error(error).message),
        }
    }
}

/// When to try again: when the lease lapses, or before, since a leader may give it back.
fn pause(seen: &Seen, lease: Duration) -> Duration {
    let often = (lease / 5).min(OFTEN);
    let pause = match seen {
        Seen::Leader(leader) => often.min(leader.lapses_in),
        Seen::Nothing | Seen::Fault(_) => often,
    };
    pause.max(SHORTEST)
}

/// Returns when we do not lead any more; never, if the store is nobody else's.
pub(super) async fn lost(leadership: Option<Leadership>) -> Ended {
    let Some(leadership) = leadership else {
        return std::future::pending().await;
    };
    loop {
        if let Err(ended) = leadership.standing() {
            return ended;
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(lapses_in: Duration) -> Seen {
        Seen::Leader(Leader {
            machine: "left".to_owned(),
            epoch: 1,
            since_micros: 0,
            lapses_in,
        })
    }

    #[test]
    fn the_next_attempt_comes_when_the_lease_lapses_and_no_later() {
        let lease = Duration::from_secs(15);
        assert_eq!(pause(&led(lease), lease), Duration::from_secs(3));
        let left = Duration::from_millis(700);
        assert_eq!(pause(&led(left), lease), left);
        assert_eq!(pause(&led(Duration::ZERO), lease), SHORTEST);
        assert_eq!(
            pause(&Seen::Fault(String::new()), lease),
            Duration::from_secs(3)
        );
    }
}
