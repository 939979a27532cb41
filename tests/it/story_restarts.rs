//! The daemon is away now and then, in good order or not, and nobody but its own log knows.

use crate::world::{IDENTITY, Load, Plan, World, phase};

/// Loops that call at once.
const LOOPS: u64 = 16;
/// Steps in which, or shortly after which, the daemon is ended. `story_kills` ends it in the midst of each.
const STEPS: [&str; 4] = [
    "offer the certificate",
    "publish to connector",
    "activate at",
    "tell acme",
];

#[test]
fn a_rotation_goes_on_over_restarts_of_the_daemon_and_no_request_fails_because_it_is_away() {
    let mut world = World::prepared(Plan::default());
    world.start_daemon();
    let load = world.load_at_socket("poller", LOOPS);
    world.establish();
    restart(&world, &load, true);

    world.ok(&["rotation", "start", IDENTITY]);
    let offer = world.await_letter("offer.1.jira.2.");
    restart(&world, &load, false);
    world.install(&offer);
    world.acknowledge(&offer);
    for (count, step) in STEPS.iter().enumerate() {
        let started = format!("started to {step}");
        world.wait_until(&started, 30, |rotation| {
            let history = rotation["history"].as_array().unwrap();
            history
                .iter()
                .any(|event| event["fact"].as_str().unwrap().starts_with(&started))
        });
        restart(&world, &load, count % 2 == 1);
    }
    let notice = world.await_letter("removal-notice.1.jira.2.");
    restart(&world, &load, false);
    world.remove(&notice);
    world.wait_until("the rotation is completed", 40, phase("completed"));
    world.assert_replaced();
    assert!(load.end() > 0);
}

/// Ends the daemon, lets the connector call without it for a while, and starts it again.
fn restart(world: &World, load: &Load, politely: bool) {
    if politely {
        world.stop_daemon();
    } else {
        world.kill_daemon();
    }
    let begun = load.begun();
    world.poll("the connector calls by itself", 10, || {
        (load.begun() > begun + LOOPS).then_some(())
    });
    load.assert_unharmed();
    world.start_daemon();
}
