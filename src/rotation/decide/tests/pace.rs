//! How often the wire is asked.

use super::{super::*, world::*};
use crate::model::{Lapse, rotation::Outcome};

/// Lives through a rotation in which everything goes well, but every probe takes so long.
/// Gives how often the wire was asked.
fn probes_of_a_rotation(each_takes: Lapse) -> usize {
    let policy = policy();
    let mut state = State::planned(Some(4), scope("acme/test:one acme/production:two"));
    let mut probes = 0;
    for _ in 0..60 {
        if let Some((_, outcome)) = state.rotation.outcome {
            assert_eq!(outcome, Outcome::Completed);
            return probes;
        }
        state = match state.decision(&policy).next {
            Next::Run { step } => {
                let started = state.started(&step);
                match step {
                    Step::Probe { .. } | Step::ProveRefusal { .. } => {
                        probes += 1;
                        started.ended_after(&step, each_takes)
                    }
                    _ => started.ended(&step, 0).unwrap(),
                }
            }
            Next::AwaitPartner {
                destination, what, ..
            } if what.starts_with("acknowledge") => state.must(state.acknowledged(&destination)),
            Next::WaitUntil { until, .. } => state.at(until),
            _ => state.fail("nothing of this kind is to be waited for"),
        };
    }
    state.fail("it does not come to an end")
}

#[test]
fn a_probe_that_takes_longer_than_the_interval_between_probes_is_not_repeated_for_ever() {
    let every = policy().probe.every;
    let quick = probes_of_a_rotation(Lapse::seconds(1));
    let slow = probes_of_a_rotation(every.times(3));
    // One destination's evidence ages while the other is asked.
    assert!(slow <= 2 * quick, "{slow} probes, where {quick} are enough");
}
