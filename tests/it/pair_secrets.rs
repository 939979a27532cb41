//! What opens the store that two machines share: a slot that one of them changed is changed for the other, and a master
//! key that one of them began to replace is replaced by whoever leads next.

use std::{fs, process::Stdio};

use countersign::records::{KeyFile, Unlock};
use countersign_peers::{Postgres, eventually};
use countersign_store::{Expect, Store, Transaction};
use serde_json::Value;

use crate::{
    pair::prepared,
    world::{LEFT, Plan, RIGHT, World},
};

/// Enough that a rekey takes several stretches.
const RECORDS: usize = 1500;

const SECRET: &str = "correct horse battery staple";
const OTHER: &str = "battery horse staple correct";

/// Says in a machine's configuration what opens its store.
fn opened_by(world: &World, machine: &str, how: &str) {
    let name = format!("{machine}.toml");
    let text = fs::read_to_string(world.path(&name)).unwrap();
    let (before, rest) = text.split_once("key-file = \"store.key\"").unwrap();
    world.file(&name, format!("{before}{how}{rest}"));
}

/// Runs a command about slots where somebody leads; the numbers of the slots afterwards.
#[track_caller]
fn slot(world: &World, machine: &'static str, command: &str) -> Vec<u64> {
    let arguments: Vec<&str> = command.split(' ').collect();
    world.at_machine(machine, &arguments).expect(0);
    let listed = world.at_machine(machine, &["--json", "store", "slot", "list"]);
    let listed = listed.expect(0).json();
    assert_eq!(listed["verified"], true, "{listed}");
    let slots = listed["slots"].as_array().unwrap();
    slots
        .iter()
        .map(|slot| slot["id"].as_u64().unwrap())
        .collect()
}

/// The left machine leads, and the right one follows with a slot that the left one made for it.
fn follow_with_a_secret_of_its_own(world: &World) {
    world.start_at(LEFT);
    world.until_leads(LEFT);
    let add = "store slot add --label right --new-key-file right.key";
    assert_eq!(slot(world, LEFT, add), [1, 2]);
    opened_by(world, RIGHT, "key-file = \"right.key\"");
    world.start_at(RIGHT);
    world.until_follows(RIGHT, LEFT);
}

#[test]
fn a_slot_that_was_changed_at_one_machine_is_changed_at_the_other() {
    let server = Postgres::start();
    let world = prepared(&server, Plan::default());
    world.file("secret", SECRET);
    world.file("other", OTHER);
    follow_with_a_secret_of_its_own(&world);
    let refused = world
        .at_machine(RIGHT, &["store", "slot", "list"])
        .expect(3);
    assert!(refused.stderr.contains("left leads"), "{refused:#?}");
    world.stop_at(LEFT);
    world.until_leads(RIGHT);

    let add = "store slot add --label olga --passphrase-file secret";
    assert_eq!(slot(&world, RIGHT, add), [1, 2, 3]);
    let change = "store slot change 3 --passphrase-file other";
    assert_eq!(slot(&world, RIGHT, change), [1, 2, 3]);
    assert_eq!(slot(&world, RIGHT, "store slot remove 1 --yes"), [2, 3]);

    // What opened the store at the first machine opens it no more, and neither does what was in force in between.
    for gone in ["key-file = \"store.key\"", "passphrase-file = \"secret\""] {
        world.write_configuration();
        opened_by(&world, LEFT, gone);
        let refused = world.at_machine(LEFT, &["daemon"]).expect(3);
        assert!(refused.stderr.contains("does not open"), "{refused:#?}");
    }
    world.write_configuration();
    opened_by(&world, LEFT, "passphrase-file = \"other\"");
    world.start_at(LEFT);
    world.until_follows(LEFT, RIGHT);
    world.stop_at(RIGHT);
    world.until_leads(LEFT);
    let log = world.at_machine(LEFT, &["audit", "show"]).expect(0).stdout;
    for words in ["right", "olga"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    world.stop_at(LEFT);
    world.at_machine(LEFT, &["store", "verify"]).expect(0);
}

#[test]
fn a_machine_whose_slot_was_taken_away_is_no_standby_and_says_so_at_once() {
    let server = Postgres::start();
    let world = prepared(&server, Plan::default());
    follow_with_a_secret_of_its_own(&world);
    assert_eq!(slot(&world, LEFT, "store slot remove 2 --yes"), [1]);
    world.poll("right is sealed", 20, || {
        let status = world.at_machine(RIGHT, &["--json", "status"]);
        (status.code == Some(3) && status.stdout.contains("sealed")).then_some(())
    });
    let unlock = ["store", "unlock", "--key-file", "store.key"];
    world.at_machine(RIGHT, &unlock).expect(0);
    world.until_follows(RIGHT, LEFT);
    world.stop_at(LEFT);
    world.until_leads(RIGHT);
}

/// As it lies in the database.
fn header(server: &Postgres) -> Value {
    let text = server
        .sql("SELECT convert_from(value, 'UTF8') FROM countersign.meta WHERE name = 'header'");
    serde_json::from_str::<Value>(&text).unwrap()["header"].take()
}

fn fill(world: &World) {
    let key = Unlock::KeyFile(KeyFile::read(&world.path("store.key")).unwrap());
    let store = Store::open(&world.path("left-store"), &key).unwrap();
    let mut transaction = Transaction::new();
    for number in 0..RECORDS {
        let id = format!("{number:06}");
        transaction.put("padding", &id, id.clone().into_bytes(), Expect::Absent);
    }
    store.transact(transaction).unwrap();
}

#[test]
fn a_rekey_goes_on_with_the_other_machine_when_the_leader_is_killed_in_the_middle() {
    let server = Postgres::start();
    let world = prepared(&server, Plan::default());
    fill(&world);
    world.start_at(LEFT);
    world.until_leads(LEFT);
    world.start_at(RIGHT);
    world.until_follows(RIGHT, LEFT);

    let mut rekey = world
        .command(&["store", "rekey"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let copy = world.path("left-store/store.json");
    eventually("the new master key is there", || {
        let text = fs::read_to_string(&copy).ok()?;
        text.contains("\"retiring\":1").then_some(())
    });
    world.kill_at(LEFT);
    let _ = rekey.wait();
    let middle = header(&server);
    assert_eq!(middle["epoch"], 2, "{middle}");
    assert_eq!(
        middle["retiring"], 1,
        "it was too quick to be killed in between: {middle}"
    );

    world.until_leads(RIGHT);
    world.poll("the old master key is gone", 30, || {
        header(&server)["retiring"].is_null().then_some(())
    });
    assert_eq!(header(&server)["epoch"], 2, "no third master key was made");
    let log = world.log_of(RIGHT);
    assert!(log.contains("the master key has been replaced"), "{log}");

    // The one that began it opens the store with the secret that it has always had.
    world.start_at(LEFT);
    world.until_follows(LEFT, RIGHT);
    world.stop_at(RIGHT);
    world.until_leads(LEFT);
    world.at_machine(LEFT, &["issuer", "show", "ca"]).expect(0);
    world.at_machine(LEFT, &["audit", "verify"]).expect(0);
    world.stop_at(LEFT);
    world.at_machine(LEFT, &["store", "verify"]).expect(0);
}
