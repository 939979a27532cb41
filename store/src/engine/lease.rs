//! Who leads: decisions about a lease, without a clock and without a database.
//!
//! Of the machines that share a store one leads, for as long as it shows signs of life. Each term of
//! leadership has a number, the *epoch*, which only grows. The database checks it with everything that is
//! written: whoever comes back with an old number is refused there, whatever it believes.
//!
//! What a leader believes matters for what the database never sees: letters and connections. So its
//! own deadline lies before the one by the database's clock: it counts from when a sign of life was
//! *sent*, in time that goes on while the machine sleeps, and gives away a tenth for clocks that run unevenly.

use std::fmt;
use std::time::Duration;

/// Who leads a store, as the database tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// The machine, by the name that it was given.
    pub machine: String,
    /// Its term.
    pub epoch: u64,
    /// Since when, in microseconds since 1970, by the database's clock.
    pub since_micros: i64,
    /// When it is taken for dead if no further sign of life comes.
    pub lapses_in: Duration,
}

impl fmt::Display for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.machine)
    }
}

/// Why a leadership is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// No sign of life reached the database in time.
    #[error("no sign of life reached the database in time")]
    Lapsed,
    /// Another term began.
    #[error("{by} leads in its place")]
    Superseded {
        /// Who leads now.
        by: String,
    },
}

/// Time that goes on whatever happens to the clocks of people, and while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) Duration);

impl Moment {
    fn plus(self, span: Duration) -> Self {
        Self(self.0 + span)
    }
}

/// The lease as it lies in the database; instants in microseconds by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) epoch: i64,
    pub(crate) machine: String,
    pub(crate) instance: String,
    pub(crate) since: i64,
    pub(crate) expires: i64,
    pub(crate) now: i64,
}

/// What a machine that would lead may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Take the lease from this epoch on, unless somebody else is quicker.
    Take { after: i64 },
    /// Nothing, while this one is alive.
    Follow(Leader),
}

impl Row {
    /// What `instance` may do. What held the lease under the same name cannot be alive any more:
    /// an instance is named after a lock that it holds.
    pub(crate) fn claim(&self, instance: &str) -> Claim {
        if self.expires <= self.now || self.instance == instance {
            Claim::Take { after: self.epoch }
        } else {
            Claim::Follow(self.leader())
        }
    }

    pub(crate) fn leader(&self) -> Leader {
        let left = self.expires.saturating_sub(self.now);
        Leader {
            machine: self.machine.clone(),
            epoch: self.epoch.unsigned_abs(),
            since_micros: self.since,
            lapses_in: Duration::from_micros(u64::try_from(left).unwrap_or(0)),
        }
    }
}

/// A term of leadership, seen by the leader.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    lease: Duration,
    until: Moment,
    ended: Option<Ended>,
}

impl Term {
    /// A term that was taken by a message sent at this moment.
    pub(crate) fn taken(lease: Duration, sent: Moment) -> Self {
        Self {
            lease,
            until: deadline(lease, sent),
            ended: None,
        }
    }

    /// A sign of life was sent at `sent`, and the database has confirmed it, by now at `now`. One that comes
    /// too late revives nothing: what was stopped stays stopped, and a new term has to be taken.
    pub(crate) fn renewed(&mut self, sent: Moment, now: Moment) {
        if self.standing(now).is_ok() {
            self.until = self.until.max(deadline(self.lease, sent));
        }
    }

    /// It is over. The first reason stays.
    pub(crate) fn end(&mut self, why: Ended) {
        self.ended.get_or_insert(why);
    }

    /// Whether we lead at this moment. Once it was denied it is denied for ever.
    pub(crate) fn standing(&mut self, now: Moment) -> Result<(), Ended> {
        if self.ended.is_none() && now >= self.until {
            self.ended = Some(Ended::Lapsed);
        }
        match &self.ended {
            None => Ok(()),
            Some(why) => Err(why.clone()),
        }
    }
}

fn deadline(lease: Duration, sent: Moment) -> Moment {
    sent.plus(lease - lease / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn row(expires: i64, now: i64) -> Row {
        Row {
            epoch: 7,
            machine: "left".into(),
            instance: "l".into(),
            since: 1,
            expires,
            now,
        }
    }

    #[test]
    fn a_lease_is_taken_when_it_has_lapsed_and_not_before() {
        assert_eq!(row(100, 100).claim("r"), Claim::Take { after: 7 });
        assert_eq!(row(100, 101).claim("r"), Claim::Take { after: 7 });
        let Claim::Follow(leader) = row(100, 99).claim("r") else {
            panic!("it is alive")
        };
        assert_eq!(
            (leader.machine.as_str(), leader.epoch, leader.lapses_in),
            ("left", 7, Duration::from_micros(1))
        );
    }

    #[test]
    fn a_machine_need_not_wait_for_its_own_dead_self() {
        assert_eq!(row(100, 1).claim("l"), Claim::Take { after: 7 });
    }

    #[test]
    fn a_leader_stops_before_the_database_gives_its_lease_away() {
        let mut term = Term::taken(LEASE, at(100));
        assert_eq!(term.standing(at(108)), Ok(()));
        assert_eq!(term.standing(at(109)), Err(Ended::Lapsed));
    }

    #[test]
    fn signs_of_life_carry_a_leader_on_from_when_they_were_sent() {
        let mut term = Term::taken(LEASE, at(100));
        term.renewed(at(105), at(108));
        assert_eq!(term.standing(at(113)), Ok(()));
        // One that overtook another does not take back what the later one gave.
        term.renewed(at(101), at(113));
        assert_eq!(term.standing(at(113)), Ok(()));
        assert_eq!(term.standing(at(114)), Err(Ended::Lapsed));
    }

    #[test]
    fn a_sign_of_life_that_is_confirmed_too_late_revives_nobody() {
        let mut term = Term::taken(LEASE, at(100));
        term.renewed(at(108), at(200));
        assert_eq!(term.standing(at(101)), Err(Ended::Lapsed));
    }

    #[test]
    fn what_has_ended_stays_ended_for_the_first_reason() {
        let mut term = Term::taken(LEASE, at(100));
        let by = "right".to_owned();
        term.end(Ended::Superseded { by: by.clone() });
        term.end(Ended::Lapsed);
        term.renewed(at(101), at(101));
        assert_eq!(term.standing(at(101)), Err(Ended::Superseded { by }));
    }
}
