//! Two machines that share a store in PostgreSQL: one leads, the other follows and takes over.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use countersign_peers::{Authority, Postgres, Purpose, Request};

use crate::world::{IDENTITY, LEFT, Plan, RIGHT, Shared, World, phase};

/// Short, so that nobody waits long for a machine that is dead, and long enough for a machine that is busy.
const LEASE: &str = "lease = \"8s\"";

/// An installation on two machines, with a store and nothing running.
pub(crate) fn prepared(server: &Postgres, plan: Plan) -> World {
    // A proof that is older than its repetition is made anew: a machine that needs longer than that for a few writes
    // would do nothing else.
    let policy = plan
        .policy
        .replace("[probe]\nevery = \"1s\"", "[probe]\nevery = \"20s\"");
    assert_ne!(policy, plan.policy, "the policy is written differently");
    World::prepared(Plan {
        policy,
        shared: Some(Shared {
            host: "127.0.0.1".to_owned(),
            port: server.addr().port(),
            more: LEASE.to_owned(),
        }),
        ..plan
    })
}

#[test]
fn the_other_machine_says_who_leads_refuses_changes_and_takes_over() {
    let server = Postgres::start();
    let world = prepared(&server, Plan::default());
    world.start_at(LEFT);
    world.until_leads(LEFT);
    world.start_at(RIGHT);
    world.until_follows(RIGHT, LEFT);

    let status = world.at_machine(RIGHT, &["status"]).expect(0);
    for words in ["following", "leader      left", "term", "for 8s"] {
        assert!(status.stdout.contains(words), "{words}: {status:#?}");
    }
    let refused = world
        .at_machine(RIGHT, &["rotation", "start", IDENTITY])
        .expect(3);
    assert!(refused.stderr.contains("left leads"), "{refused:#?}");
    assert!(
        refused.stderr.contains("run the command on left"),
        "{refused:#?}"
    );

    // In good order: nobody has to wait for the lease.
    world.add_identity();
    world.stop_at(LEFT);
    world.until_leads(RIGHT);
    assert_eq!(world.identity()["identity"], IDENTITY);
    world.start_at(LEFT);
    world.until_follows(LEFT, RIGHT);

    // And not.
    world.kill_at(RIGHT);
    world.until_leads(LEFT);
    // The rotation that began under the first leader is there under the third term.
    let story = world.rotation();
    assert_eq!(story["rotation"], format!("{IDENTITY}.1"), "{story:#}");
    // That a leader ends in the middle of a step is no failure of the step.
    assert!(
        !story["history"].to_string().contains("failed to"),
        "{story:#}"
    );
    assert_nothing_is_readable(&server, &world);
}

/// What the database's administrator finds.
fn assert_nothing_is_readable(server: &Postgres, world: &World) {
    let dump = String::from_utf8(server.dump()).unwrap();
    assert!(dump.contains("sealed"), "the dump is of something else");
    let contact = world.plan.contact.as_str();
    for word in [
        IDENTITY,
        "acme",
        "connector.align.test",
        contact,
        "PRIVATE KEY",
        "rotation/",
    ] {
        assert!(!dump.contains(word), "{word}");
        // Bytes are dumped as digits.
        let digits: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(&digits), "{word} in digits");
    }
}

#[test]
fn a_command_without_a_daemon_leads_or_says_who_does() {
    let server = Postgres::start();
    let world = prepared(&server, Plan::default());
    // Each one leads for as long as it runs.
    world.at_machine(LEFT, &["identity", "list"]).expect(0);
    world.at_machine(RIGHT, &["identity", "list"]).expect(0);
    world.at_machine(RIGHT, &["store", "verify"]).expect(0);
    world.start_at(LEFT);
    world.until_leads(LEFT);
    for arguments in [&["identity", "list"][..], &["renew"], &["store", "verify"]] {
        let refused = world.at_machine(RIGHT, arguments).expect(3);
        assert!(
            refused.stderr.contains("the store is led by left"),
            "{refused:#?}"
        );
    }
    let again = world.at_machine(RIGHT, &["store", "init"]);
    assert_eq!(again.code, Some(2), "{again:#?}");
}

#[test]
fn a_machine_takes_over_from_its_own_dead_self_at_once() {
    let server = Postgres::start();
    let world = World::prepared(Plan {
        shared: Some(Shared {
            host: "127.0.0.1".to_owned(),
            port: server.addr().port(),
            more: "lease = \"1h\"".to_owned(),
        }),
        ..Plan::default()
    });
    world.start_at(LEFT);
    world.until_leads(LEFT);
    world.kill_at(LEFT);
    world.start_at(LEFT);
    world.until_leads(LEFT);
}

#[test]
fn a_wrong_secret_is_told_of_when_the_daemon_starts_and_not_when_it_is_needed() {
    let server = Postgres::start();
    let world = prepared(&server, Plan::default());
    world.start_at(LEFT);
    world.until_leads(LEFT);
    world.file("store.key", "ab".repeat(32));
    let refused = world.at_machine(RIGHT, &["daemon"]).expect(3);
    assert!(refused.stderr.contains("does not open"), "{refused:#?}");
}

#[test]
fn a_standby_without_a_secret_is_sealed_until_it_is_given_one() {
    let server = Postgres::start();
    let world = prepared(&server, Plan::default());
    world.start_at(LEFT);
    world.until_leads(LEFT);
    let key = world.path("store.key");
    let elsewhere = world.path("elsewhere.key");
    std::fs::rename(&key, &elsewhere).unwrap();
    world.start_at(RIGHT);
    world.poll("right is sealed", 20, || {
        let status = world.at_machine(RIGHT, &["--json", "status"]);
        (status.code == Some(3) && status.stdout.contains("sealed")).then_some(())
    });
    let unlock = ["store", "unlock", "--key-file", "elsewhere.key"];
    world.at_machine(RIGHT, &unlock).expect(0);
    world.until_follows(RIGHT, LEFT);
    world.stop_at(LEFT);
    world.until_leads(RIGHT);
}

#[test]
fn a_story_survives_a_database_that_is_restarted_and_one_that_is_away() {
    let mut server = Postgres::start();
    let delivery = "kind = \"bundle\"\npath = \"client.pem\"\nreload = { command = [\"true\"] }";
    let plan = Plan {
        connectors: Plan::connector("poller", delivery),
        ..Plan::default()
    };
    let mut world = prepared(&server, plan);
    world.start_at(LEFT);
    world.until_leads(LEFT);
    world.add_identity();
    restart(&world, &mut server);
    let offer = world.await_letter("offer.1.jira.1.");
    take_away(&world, &mut server);
    world.install(&offer);
    world.acknowledge(&offer);
    restart(&world, &mut server);
    world.wait_until("the first generation is in use", 40, phase("completed"));
    take_away(&world, &mut server);
    assert_eq!(world.generation(1)["key_state"], "active");
    // A lead that was lost while a letter was on its way leaves it in doubt: it may come twice, under one name.
    let letters = world.message_ids();
    let names: std::collections::BTreeSet<_> = letters.iter().collect();
    assert_eq!(names.len(), 1, "{letters:?}");
}

/// Ends the server as a power cut does, and starts it again.
fn restart(world: &World, server: &mut Postgres) {
    server.crash();
    server.launch();
    world.until_leads(LEFT);
}

/// Keeps the server away beyond the lease: the leader stops, and begins anew when it is back.
fn take_away(world: &World, server: &mut Postgres) {
    server.crash();
    world.poll("left does not lead any more", 30, || {
        world
            .status_at(LEFT)
            .filter(|status| status["standing"] == "following")
    });
    server.launch();
    world.until_leads(LEFT);
}

/// A network between a machine and the database that can be cut.
struct Cable {
    name: String,
    near: Ipv4Addr,
}

impl Cable {
    /// A namespace for the machine, and a pair of interfaces.
    fn lay() -> Self {
        let pid = std::process::id();
        let (high, low) = ((pid >> 6) as u8, ((pid & 63) * 4) as u8);
        let cable = Self {
            name: format!("cs{pid}"),
            near: Ipv4Addr::new(10, 213, high, low + 1),
        };
        let (name, far) = (&cable.name, Ipv4Addr::new(10, 213, high, low + 2));
        ip(&["netns", "add", name]);
        ip(&[
            "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name,
        ]);
        ip(&["addr", "add", &format!("{}/30", cable.near), "dev", name]);
        ip(&["link", "set", name, "up"]);
        ip(&[
            "-n",
            name,
            "addr",
            "add",
            &format!("{far}/30"),
            "dev",
            "eth0",
        ]);
        ip(&["-n", name, "link", "set", "eth0", "up"]);
        ip(&["-n", name, "link", "set", "lo", "up"]);
        cable
    }

    fn cut(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "down"]);
    }

    fn mend(&self) {
        ip(&["-n", &self.name, "link", "set", "eth0", "up"]);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
        let _ = Command::new("ip")
            .args(["link", "del", &self.name])
            .status();
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("ip cannot be run ({error}); run scripts/test, or: apt-get install -y iproute2")
        });
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}

#[test]
fn a_leader_that_is_cut_off_stops_and_the_other_goes_on() {
    let cable = Cable::lay();
    let address = IpAddr::V4(cable.near);
    let root = Authority::root("Database root");
    let identity = root.issue(&Request::new(Purpose::Server, &address.to_string()));
    let server = Postgres::at(address, &identity);
    let plan = Plan {
        shared: Some(Shared {
            host: address.to_string(),
            port: server.addr().port(),
            more: format!("{LEASE}\nanchors = \"database-root.pem\""),
        }),
        ..Plan::default()
    };
    let world = World::new(plan);
    world.file("database-root.pem", root.pem());
    world.prepare();
    world.start_within(LEFT, &["ip", "netns", "exec", &cable.name], &[]);
    world.until_leads(LEFT);
    world.start_at(RIGHT);
    world.until_follows(RIGHT, LEFT);

    cable.cut();
    world.until_leads(RIGHT);
    world.add_identity();
    world.await_letter("offer.1.jira.1.");
    // The one that was cut off has stopped by itself, and says why.
    let status = world.poll("left has stopped", 30, || {
        world
            .status_at(LEFT)
            .filter(|status| status["standing"] == "following")
    });
    let why = status["why"].as_str().unwrap();
    assert!(why.contains("this machine led before"), "{why}");
    let refused = world
        .at_machine(LEFT, &["rotation", "start", IDENTITY])
        .expect(3);
    assert!(refused.stderr.contains("following"), "{refused:#?}");

    cable.mend();
    world.until_follows(LEFT, RIGHT);
    world.stop_at(RIGHT);
    world.until_leads(LEFT);
    assert_eq!(world.identity()["identity"], IDENTITY);
    let letters = world.message_ids();
    assert_eq!(letters.len(), 1, "{letters:?}");
}
