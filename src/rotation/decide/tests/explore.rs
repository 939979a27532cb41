//! All that can happen to a small rotation; much of what can happen to a larger one.

use std::collections::{HashMap, VecDeque};

use super::{
    super::*,
    world::{State, policy, scope},
};
use crate::model::rotation::{Event, Rotation};

/// What two states have in common that have the same future: everything but the instants.
fn abstracted(state: &State, policy: &Policy) -> String {
    let rotation = &state.rotation;
    let legs: Vec<_> = rotation
        .legs
        .iter()
        .map(|(destination, leg)| {
            let waived: Vec<_> = leg.waivers.iter().map(|w| w.gate).collect();
            let flags = [
                leg.offer.is_some(),
                leg.offer_in_doubt,
                leg.acknowledgement.is_some(),
                leg.declined.is_some(),
                leg.confirmed.is_some(),
                leg.proven.is_some(),
                leg.activated.is_some(),
                leg.notice.is_some(),
                leg.retired.is_some(),
                leg.withdrawn.is_some(),
                leg.left,
            ];
            let verdicts = (
                leg.probe.as_ref().map(|p| p.report.verdict),
                leg.refusal.as_ref().map(|p| p.report.verdict),
            );
            format!(
                "{destination}{flags:?}{waived:?}{verdicts:?}{}",
                leg.reminders.len()
            )
        })
        .collect();
    let connectors: Vec<_> = rotation
        .connectors
        .iter()
        .map(|(name, c)| {
            let flags = [
                c.switched.is_some(),
                c.activation.is_some(),
                c.rolled_back.is_some(),
                c.restored.is_some(),
                c.left,
            ];
            format!("{name}{flags:?}")
        })
        .collect();
    let troubles: Vec<_> = rotation
        .troubles
        .iter()
        .map(|(step, trouble)| format!("{step}{:?}", trouble.failure.kind))
        .collect();
    let decision = state.decision(policy);
    let kinds: Vec<_> = std::iter::once(&decision.next)
        .chain(decision.destinations.values())
        .map(|next| match next {
            Next::Run { step } => format!("{step}"),
            Next::WaitUntil { why, .. } => why.clone(),
            Next::AwaitPartner { what, .. } => what.clone(),
            Next::AwaitOperator { answers, .. } => answers.join(""),
            other => format!("{:?}", std::mem::discriminant(other)),
        })
        .collect();
    format!(
        "{}{}{:?}{:?}{:?}{:?}{legs:?}{connectors:?}{troubles:?}{kinds:?}",
        state.mishaps,
        state.has_expired(),
        rotation.outcome.map(|(_, outcome)| outcome),
        rotation.requested.is_some(),
        rotation.in_doubt,
        rotation.ending.as_ref().map(|ending| &ending.decision),
    )
}

/// How many things go otherwise than in the story, at whatever moments.
const MISHAPS: usize = 3;

/// Visits every state that can be reached with so many mishaps. From each there must be a way to an end,
/// and each kind of end in `ends` must be reached.
fn exhaust(first: &State, policy: &Policy, ends: &[Outcome]) -> usize {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut states = vec![first.clone()];
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    known.insert(abstracted(first, policy), 0);
    let mut waiting = VecDeque::from([0]);
    while let Some(at) = waiting.pop_front() {
        let state = states[at].clone();
        for future in state
            .futures(policy)
            .into_iter()
            .chain(state.interferences())
            .filter(|future| future.mishaps <= MISHAPS)
        {
            let name = abstracted(&future, policy);
            let to = *known.entry(name).or_insert_with(|| {
                states.push(future);
                before.push(Vec::new());
                waiting.push_back(states.len() - 1);
                states.len() - 1
            });
            before[to].push(at);
        }
    }
    let ended = |at: &usize| states[*at].rotation.outcome.is_some();
    let mut leads_out = vec![false; states.len()];
    let mut back: Vec<usize> = (0..states.len()).filter(ended).collect();
    while let Some(at) = back.pop() {
        if !std::mem::replace(&mut leads_out[at], true) {
            back.extend(&before[at]);
        }
    }
    if let Some(stuck) = leads_out.iter().position(|out| !out) {
        states[stuck].fail("there is no way out");
    }
    for end in ends {
        assert!(
            states
                .iter()
                .any(|s| s.rotation.outcome.is_some_and(|(_, o)| o == *end)),
            "{end:?} is never reached"
        );
    }
    states.len()
}

#[test]
fn every_state_of_a_rotation_has_an_exit() {
    let first = State::planned(Some(1), scope("acme/test:one"));
    let ends = [Outcome::Completed, Outcome::Abandoned, Outcome::RolledBack];
    let states = exhaust(&first, &policy(), &ends);
    assert!(states > 10_000, "only {states} states were visited");
}

#[test]
fn every_state_of_a_first_generation_has_an_exit() {
    let first = State::planned(None, scope("acme/test:one"));
    let states = exhaust(&first, &policy(), &[Outcome::Completed, Outcome::Abandoned]);
    assert!(states > 5_000, "only {states} states were visited");
}

/// A small generator of our own, so that a walk can be walked again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const SCOPES: [&str; 7] = [
    "acme/test:one",
    "acme/test:one,two acme/production:three",
    "acme/test acme/production:three",
    "acme/production:three,one",
    "acme/test:one zeta/production:two",
    "acme/test",
    "",
];

/// From here on everything works, and everybody answers: it has to come to an end.
fn brought_home(mut state: State, policy: &Policy) -> State {
    for _ in 0..300 {
        if state.rotation.outcome.is_some() {
            return state;
        }
        let futures = state.futures(policy);
        let (asked, calm) = (state.decision(policy).next, state.mishaps);
        let best = |future: &&State| future.mishaps == calm;
        let people =
            matches!(asked, Next::AwaitPartner { ref what, .. } if what.starts_with("acknowledge"));
        // A partner who is asked to acknowledge does so; what was proposed first is done first.
        let next = match people {
            true => futures.iter().filter(best).nth(1),
            false => futures.iter().find(best),
        };
        state = next
            .unwrap_or_else(|| state.fail("nothing can follow"))
            .clone();
    }
    state.fail("it does not come to an end")
}

#[test]
fn a_rotation_whose_surroundings_change_comes_home_from_everywhere() {
    let policy = policy();
    let mut ends = [0; 3];
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let from = (dice.roll(3) > 0).then_some(4);
        let mut state = State::planned(from, scope(SCOPES[dice.roll(SCOPES.len())]));
        for _ in 0..dice.roll(120) {
            if state.rotation.outcome.is_some() {
                break;
            }
            let mut futures = state.futures(&policy);
            // Mostly the story goes on.
            match dice.roll(8) {
                0 => futures.extend(state.interferences()),
                1 => {
                    let mut moved = state.clone();
                    moved.scope = scope(SCOPES[dice.roll(SCOPES.len())]);
                    futures = vec![moved];
                }
                2..=4 => futures.retain(|future| future.mishaps == state.mishaps),
                _ => {}
            }
            state = futures[dice.roll(futures.len())].clone();
        }
        if state.scope.destinations.is_empty() {
            state.scope = scope(SCOPES[1]);
        }
        let home = brought_home(state, &policy);
        ends[home.rotation.outcome.map_or(0, |(_, o)| o as usize)] += 1;
        replays(&home);
    }
    assert!(ends.iter().all(|end| *end > 10), "{ends:?}");
}

/// What is read back from the journal, up to any point, is what was lived through.
fn replays(state: &State) {
    let history = state.history();
    let stored: Vec<Event> = history
        .iter()
        .map(|event| serde_json::from_slice(&serde_json::to_vec(event).unwrap()).unwrap())
        .collect();
    assert_eq!(stored, history);
    let mut lived = Rotation::begin(&stored[0]).unwrap();
    for end in 1..stored.len() {
        lived = lived.after(&stored[end]).unwrap();
        assert_eq!(Rotation::replay(&stored[..=end]).unwrap().unwrap(), lived);
    }
    assert_eq!(lived, state.rotation);
}
