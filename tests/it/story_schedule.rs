//! Nobody begins these rotations: the lead times do.

use crate::world::{Drive, Plan, World};

/// Lead times that are longer than what is left to the first certificate, and shorter than the life of the second.
fn two_months_before_the_end(policy: &str) -> String {
    let early = policy
        .replace("margin = \"1s\"", "margin = \"60d\"")
        .replace("validity = \"30d\"", "validity = \"300d\"");
    assert!(early.contains("60d") && early.contains("300d"), "{early}");
    early
}

fn without_connectors(drive: Drive) -> Plan {
    Plan {
        drive,
        connectors: String::new(),
        ..Plan::default()
    }
}

#[test]
fn the_daemon_begins_a_rotation_when_the_lead_times_of_a_policy_that_changed_say_so() {
    let mut world = World::prepared(without_connectors(Drive::Daemon));
    world.start_daemon();
    world.establish();
    assert_eq!(world.identity()["due"]["due"], "at", "it is not time yet");
    world.plan.policy = two_months_before_the_end(&world.plan.policy);
    world.write_configuration();
    world.await_letter("offer.1.jira.2.");
    let rotation = world.rotation();
    assert_eq!(
        (&rotation["reason"], &rotation["from"]),
        (&"scheduled".into(), &1.into()),
        "{rotation:#}"
    );
    assert_eq!(world.identity()["due"]["due"], "in-progress");
}

#[test]
fn cron_begins_a_rotation_when_the_lead_times_say_so_and_once() {
    let mut world = World::prepared(without_connectors(Drive::Cron));
    world.establish();
    let renewed = |world: &World| world.run(&["--json", "renew"]).expect(4).json();
    assert_eq!(world.run(&["renew"]).code, Some(0), "nothing is due");
    world.plan.policy = two_months_before_the_end(&world.plan.policy);
    world.write_configuration();
    world.poll("its time has come", 10, || {
        (world.rotation()["reason"] == "scheduled").then_some(())
    });
    assert_eq!(
        renewed(&world)["started"],
        serde_json::json!([]),
        "it is in progress"
    );
    let generations = world.identity()["generations"].as_array().unwrap().len();
    assert_eq!(generations, 2);
}
