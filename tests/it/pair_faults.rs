//! A pair whose leaders die, or stand still beyond their lease, in the middle of a rotation: the other one takes over
//! and comes to the same end, and who comes back does nothing more.

use countersign_peers::Postgres;

use crate::{
    pair::prepared,
    world::{Drive, LEFT, Plan, RIGHT, World},
};

/// A bundle, which both machines can write: here they share a directory.
const BUNDLE: &str = "kind = \"bundle\"\npath = \"client.pem\"\nreload = { command = [\"true\"] }";

fn pair(server: &Postgres) -> World {
    prepared(
        server,
        Plan {
            drive: Drive::Pair,
            connectors: Plan::connector("poller", BUNDLE),
            ..Plan::default()
        },
    )
}

/// Both generations, with these faults: each for the next daemon that is started.
fn tell(world: &mut World, faults: &[(&'static str, &'static str)]) {
    world.with_faults(faults);
    world.start_faulty(LEFT);
    world.until_leads(LEFT);
    world.start_faulty(RIGHT);
    world.establish();
    world.replace();
}

#[test]
fn a_leader_that_dies_in_the_middle_of_a_rotation_is_followed_by_the_other() {
    let server = Postgres::start();
    let mut world = pair(&server);
    let faults = [
        ("4", "after"),
        ("3", "before"),
        ("3", "after"),
        ("5", "before"),
        ("4", "after"),
    ];
    tell(&mut world, &faults);
    assert_eq!(world.faults_left(), 0, "the story was over too soon");
    assert!(world.deaths() >= 4, "{} deaths", world.deaths());
    world.assert_replaced(true);
}

#[test]
fn a_leader_that_stood_still_beyond_its_lease_sends_nothing_when_it_wakes() {
    let server = Postgres::start();
    let mut world = pair(&server);
    // The first append of each tells that it leads; the fifth of the first one, that it is about to send a letter.
    tell(&mut world, &[("5", "stop"), ("5", "stop")]);
    assert!(world.deaths() >= 2, "{} times", world.deaths());
    let log = world.log_of(LEFT);
    assert!(log.contains("started to offer"), "{log}");
    for machine in [LEFT, RIGHT] {
        let log = world.log_of(machine);
        assert!(log.contains("does not lead any more"), "{log}");
    }
    // Three letters, each of them once.
    world.assert_replaced(false);
}
