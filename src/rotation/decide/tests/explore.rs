//! All that can happen to a small rotation; much of what can happen to a larger one.

use std::collections::{HashMap, VecDeque};

use super::{
    super::*,
    world::{State, policy, scope},
};

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
                leg.probe.as_ref().map(|r| r.verdict),
                leg.refusal.as_ref().map(|r| r.verdict),
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
fn exhaust(first: State, policy: &Policy, ends: &[Outcome]) -> usize {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut states = vec![first.clone()];
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    known.insert(abstracted(&first, policy), 0);
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
    let count = exhaust(first, &policy(), &ends);
    eprintln!("{count}");
}

#[test]
fn every_state_of_a_first_generation_has_an_exit() {
    let first = State::planned(None, scope("acme/test:one"));
    let count = exhaust(first, &policy(), &[Outcome::Completed, Outcome::Abandoned]);
    eprintln!("{count}");
}
