//! Who was not listened to at the control socket, until the audit log has it.
//!
//! The first attempt of a user is told at once. Whoever comes again and again is told of once a minute, with how
//! often: each entry is written durably, and nobody who has no business here may keep the disk busy.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{
    Lapse,
    audit::{Actor, Tries},
};

/// Between two entries about one user.
const PAUSE: Lapse = Lapse::seconds(60);

/// So many users are kept apart. More at once is an attack on the log, and stands in the daemon's own log alone.
const KNOWN: usize = 32;

/// Those who came.
#[derive(Debug, Default)]
pub(super) struct Strangers(BTreeMap<u32, Stranger>);

#[derive(Debug)]
struct Stranger {
    /// As they came last.
    actor: Actor,
    /// What is not told of yet.
    untold: Option<Tries>,
    told: Option<Timestamp>,
}

impl Stranger {
    /// Whether an entry about them is too young for another.
    fn rests(&self, now: Timestamp) -> bool {
        // A clock that was set back must not keep anything from being told.
        self.told
            .is_some_and(|told| told <= now && now < PAUSE.after(told))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.untold.is_some() && !self.rests(now)
    }
}

impl Strangers {
    /// Somebody came.
    pub(super) fn came(&mut self, actor: Actor, now: Timestamp) {
        if self.0.len() >= KNOWN && !self.0.contains_key(&actor.uid) {
            self.0
                .retain(|_, known| known.untold.is_some() || known.rests(now));
            if self.0.len() >= KNOWN {
                return;
            }
        }
        let known = self.0.entry(actor.uid).or_insert_with(|| Stranger {
            actor: actor.clone(),
            untold: None,
            told: None,
        });
        known.actor = actor;
        let tries = known.untold.get_or_insert_with(|| Tries {
            attempts: 0,
            since: now,
            last: now,
            why: "the control socket serves the daemon's own user and root".into(),
        });
        tries.attempts += 1;
        tries.last = now;
    }

    /// What is to be told now, and counts as told.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<(Actor, Tries)> {
        self.take(now, |known| known.is_due(now))
    }

    /// Everything that is not told of yet: the store is about to be closed, or was just opened.
    pub(super) fn all(&mut self, now: Timestamp) -> Vec<(Actor, Tries)> {
        self.take(now, |_| true)
    }

    fn take(&mut self, now: Timestamp, wanted: impl Fn(&Stranger) -> bool) -> Vec<(Actor, Tries)> {
        let wanted = self.0.values_mut().filter(|known| wanted(known));
        wanted
            .filter_map(|known| {
                let tries = known.untold.take()?;
                known.told = Some(now);
                Some((known.actor.clone(), tries))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit::{ActorKind, Claims};

    fn user(uid: u32) -> Actor {
        Actor {
            by: ActorKind::Peer,
            uid,
            gid: uid,
            pid: None,
            login: None,
            claims: Claims::default(),
        }
    }

    fn noon() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_once_a_minute_with_how_often() {
        let mut strangers = Strangers::default();
        strangers.came(user(7), noon());
        let told = strangers.due(noon());
        assert_eq!((told.len(), told[0].1.attempts), (1, 1));
        for second in 1..60 {
            let now = Lapse::seconds(second).after(noon());
            strangers.came(user(7), now);
            assert!(strangers.due(now).is_empty());
        }
        // Somebody else has nothing to do with it.
        let now = Lapse::seconds(59).after(noon());
        strangers.came(user(8), now);
        assert_eq!(strangers.due(now)[0].0.uid, 8);
        let now = Lapse::seconds(60).after(noon());
        let told = strangers.due(now);
        assert_eq!((told[0].0.uid, told[0].1.attempts), (7, 59));
        assert_eq!(told[0].1.since, Lapse::seconds(1).after(noon()));
        assert!(strangers.due(now).is_empty());
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_from_being_told() {
        let mut strangers = Strangers::default();
        strangers.came(user(7), noon());
        strangers.due(noon());
        let before = Lapse::days(400).before(noon());
        strangers.came(user(7), before);
        assert_eq!(strangers.due(before).len(), 1);
    }

    #[test]
    fn a_crowd_is_bounded_and_makes_room_when_it_was_told_of_and_a_minute_is_over() {
        let mut strangers = Strangers::default();
        for uid in 0..1_000 {
            strangers.came(user(uid), noon());
        }
        assert_eq!(strangers.due(noon()).len(), KNOWN);
        // However many names somebody has, the log grows no faster.
        strangers.came(user(2_000), noon());
        assert!(strangers.due(noon()).is_empty());
        let later = PAUSE.after(noon());
        strangers.came(user(2_000), later);
        assert_eq!(strangers.due(later)[0].0.uid, 2_000);
    }
}
