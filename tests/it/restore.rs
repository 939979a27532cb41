//! What a restore brings back after a rotation, told by an attacker who has an old backup and an operator's ear.

use std::{fs, path::Path};

use countersign_peers::{Authority, Clients, Nginx, Purpose, Request, age};
use serde_json::Value;

use crate::world::{Drive, IDENTITY, Plan, World, phase, sha1};

/// An installation with a witness, and a recipient for its backups. `renew` drives it.
fn world() -> World {
    let plan = Plan {
        drive: Drive::Cron,
        connectors: String::new(),
        ..Plan::default()
    };
    let world = World::new(plan);
    let recipient = age::keygen(&world.path("backup.key"));
    let text = fs::read_to_string(world.path("countersign.toml")).unwrap();
    let text = text.replace("[store]\n", "[store]\nwitness = \"elsewhere/witness\"\n");
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.file(
        "countersign.toml",
        format!("{text}\n[backup]\nrecipients = [\"{recipient}\"]\n"),
    );
    world.prepare();
    world
}

/// A world in which the first generation was backed up, and then replaced and destroyed.
fn rotated() -> World {
    let mut world = world();
    world.establish();
    world.ok(&["store", "backup", "old.age"]);
    world.replace();
    assert_eq!(world.generation(1)["key_state"], "destroyed");
    world
}

const RESTORE: [&str; 5] = ["store", "restore", "old.age", "--identity", "backup.key"];

fn rehearsed(world: &World, code: i32) -> Value {
    let command = [&["--json"], &RESTORE[..], &["--dry-run"]].concat();
    world.run(&command).expect(code).json()
}

fn restored(world: &World, flags: &[&str]) -> Value {
    let command = [
        &["--json"],
        &RESTORE[..],
        &["--reason", "the disk died"],
        flags,
    ]
    .concat();
    world.run(&command).expect(0).json()
}

/// The first generation is dead in the restored store: by its record, in its slots, and on the list of those revoked.
#[track_caller]
fn assert_dead(world: &World) {
    let identity = world.identity();
    assert_eq!(
        identity["generations"][0]["key_state"], "destroyed",
        "{identity:#}"
    );
    assert_eq!(identity["slots"]["current"], Value::Null, "{identity:#}");
    let probe = ["probe", IDENTITY, "--destination", "acme/production"];
    let refused = world.run(&probe);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("no current generation"),
        "{refused:?}"
    );
}

#[test]
fn a_key_that_was_destroyed_since_does_not_come_back_by_the_word_of_the_store() {
    let world = rotated();
    fs::remove_file(world.path("elsewhere/witness")).unwrap();
    let rehearsal = rehearsed(&world, 1);
    assert_eq!(rehearsal["keys"][0]["restored"], "destroyed");
    assert_eq!(rehearsal["keys"][0]["why"], "died-since");
    assert_eq!(rehearsal["keys"][0]["by"], "store");
    // The living key of today would be lost: that has to be said.
    assert_eq!(rehearsal["forgotten"][0]["generation"], 2);
    let command = [&RESTORE[..], &["--reason", "the disk died"]].concat();
    let refused = world.run(&command).expect(1);
    assert!(refused.stderr.contains("--forget-keys"), "{refused:?}");
    assert_eq!(
        world.generation(2)["key_state"],
        "active",
        "nothing was changed"
    );

    restored(&world, &["--forget-keys"]);
    assert_dead(&world);
    // The next generation does not take the number of the one that was lost.
    world.ok(&["rotation", "start", IDENTITY]);
    world.await_letter("offer.1.jira.3.");
}

#[test]
fn a_key_that_was_destroyed_since_does_not_come_back_by_the_word_of_the_witness() {
    let world = rotated();
    fs::remove_dir_all(world.path("store")).unwrap();
    let rehearsal = rehearsed(&world, 0);
    assert_eq!(rehearsal["keys"][0]["by"], "witness");
    assert_eq!(rehearsal["needs_unwitnessed"], false);
    restored(&world, &[]);
    assert_dead(&world);
}

#[test]
fn a_key_that_ended_is_not_taken_in_again_by_a_store_that_was_put_back_to_before_it() {
    let mut world = world();
    let authority = Authority::root("Old authority");
    world.partner_root = Some(authority.pem());
    let old = authority.issue(&Request::new(Purpose::Client, "connector.align.test"));
    let mut gateway = world.gateway.gateway().clone();
    gateway.clients = Clients::Pinned(vec![sha1(&old.certificate_pem())]);
    world.gateway = Nginx::start(gateway);
    let text = fs::read_to_string(world.path("countersign.toml")).unwrap();
    world.write_configuration();
    let fresh = fs::read_to_string(world.path("countersign.toml")).unwrap();
    let backup = text.split_once("[backup]").unwrap().1;
    let fresh = fresh.replace("[store]\n", "[store]\nwitness = \"elsewhere/witness\"\n");
    world.file("countersign.toml", format!("{fresh}\n[backup]{backup}"));
    world.file("old.pem", old.key_pem() + &old.chain_pem());
    let adopt = [
        "identity", "adopt", IDENTITY, "old.pem", "--issuer", "ca", "--policy", "quick",
    ];

    world.ok(&["store", "backup", "old.age"]);
    world.ok(&adopt);
    world.replace();
    assert_eq!(world.generation(1)["key_state"], "destroyed");
    fs::remove_dir_all(world.path("store")).unwrap();
    restored(&world, &[]);

    // The backup has never heard of this key; the witness has.
    let refused = world.run(&adopt).expect(1);
    assert!(refused.stderr.contains("was in use before"), "{refused:?}");
    assert_eq!(
        world.json(&["identity", "list"])["identities"],
        serde_json::json!([])
    );
    // With the witness gone nobody knows.
    fs::remove_file(world.path("elsewhere/witness")).unwrap();
    world.ok(&adopt);
}

#[test]
fn without_store_and_witness_a_key_comes_back_suspended_and_the_wire_has_to_speak_for_it() {
    let world = rotated();
    fs::remove_dir_all(world.path("store")).unwrap();
    fs::remove_file(world.path("elsewhere/witness")).unwrap();
    assert_eq!(rehearsed(&world, 1)["needs_unwitnessed"], true);
    let command = [&RESTORE[..], &["--reason", "the disk died"]].concat();
    let refused = world.run(&command).expect(1);
    assert!(refused.stderr.contains("--unwitnessed"), "{refused:?}");
    assert!(!world.path("store").exists());

    restored(&world, &["--unwitnessed"]);
    assert_eq!(world.generation(1)["key_state"], "suspended");
    // The partner has removed the old certificate: it is not put back into force.
    let refused = world.run(&["identity", "reinstate", IDENTITY]).expect(1);
    assert!(refused.stderr.contains("stays suspended"), "{refused:?}");
    assert_eq!(world.generation(1)["key_state"], "suspended");
    // A named person may answer for it.
    world.ok(&[
        "identity",
        "reinstate",
        IDENTITY,
        "--reason",
        "agreed by telephone",
    ]);
    assert_eq!(world.generation(1)["key_state"], "active");
    world.run(&["identity", "reinstate", IDENTITY]).expect(1);
    world.ok(&["store", "backup", "new.age"]);
    let plain = age::decrypt(&world.path("backup.key"), &world.path("new.age")).unwrap();
    assert!(String::from_utf8_lossy(&plain).contains("agreed by telephone"));
}

#[test]
fn what_is_suspended_is_presented_to_no_connector_before_the_wire_has_accepted_it() {
    let mut world = world();
    let text = fs::read_to_string(world.path("countersign.toml")).unwrap();
    world.establish();
    world.ok(&["store", "backup", "old.age"]);
    fs::remove_dir_all(world.path("store")).unwrap();
    fs::remove_file(world.path("elsewhere/witness")).unwrap();
    let connector = Plan::connector("poller", "kind = \"bundle\"\npath = \"bundle.pem\"");
    world.file("countersign.toml", format!("{text}\n{connector}"));
    restored(&world, &["--unwitnessed"]);
    world.run(&["renew"]);
    assert!(
        !world.path("bundle.pem").exists(),
        "a suspended key was handed out"
    );
    // It is still accepted at the gateway.
    world.ok(&["identity", "reinstate", IDENTITY]);
    assert_eq!(world.generation(1)["key_state"], "active");
    world.run(&["renew"]);
    assert!(world.path("bundle.pem").exists());
}

#[test]
fn an_older_copy_of_the_whole_store_is_refused_and_accepted_only_without_its_dead() {
    let mut world = world();
    world.establish();
    copy(&world.path("store"), &world.path("copy"));
    world.replace();
    fs::remove_dir_all(world.path("store")).unwrap();
    copy(&world.path("copy"), &world.path("store"));

    for command in [
        &["status"][..],
        &["renew"],
        &["daemon"],
        &["identity", "list"],
    ] {
        let refused = world.run(command).expect(2);
        assert!(refused.stderr.contains("accept-rollback"), "{refused:?}");
    }
    let accepted = world.json(&["store", "accept-rollback", "--reason", "no backup is newer"]);
    assert_eq!(accepted["destroyed"].as_array().unwrap().len(), 1);
    assert_dead(&world);
    world
        .run(&["store", "accept-rollback", "--reason", "again"])
        .expect(1);
    // The state that was lost turns up again: it is an older one now.
    world.ok(&["status"]);
}

#[test]
fn a_missing_witness_is_told_of_once_and_a_foreign_one_is_refused() {
    let world = world();
    fs::remove_file(world.path("elsewhere/witness")).unwrap();
    let told = world.run(&["status"]).expect(0);
    assert!(told.stderr.contains("there was no witness"), "{told:?}");
    let silent = world.run(&["status"]).expect(0);
    assert!(!silent.stderr.contains("witness"), "{silent:?}");
    let other = self::world();
    fs::copy(
        other.path("elsewhere/witness"),
        world.path("elsewhere/witness"),
    )
    .unwrap();
    let refused = world.run(&["status"]).expect(2);
    assert!(refused.stderr.contains("another store"), "{refused:?}");
}

#[test]
fn no_letter_is_written_twice_when_the_store_of_today_knows_of_it() {
    let mut world = world();
    world.establish();
    world.ok(&["rotation", "start", IDENTITY]);
    world.ok(&["store", "backup", "old.age"]);
    world.await_letter("offer.1.jira.2.");
    let sent = world.message_ids();
    let rehearsal = rehearsed(&world, 1);
    assert!(
        rehearsal["letters_carried_over"].as_u64() > Some(0),
        "{rehearsal:#}"
    );
    assert_eq!(rehearsal["held"], serde_json::json!([]));
    restored(&world, &["--forget-keys"]);
    // The second generation was made after the backup: it is another one now, and its letter another letter.
    let again = world.await_letter("offer.1.jira.2.");
    world.run(&["renew"]);
    let ids = world.message_ids();
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    assert!(ids.len() >= sent.len());
    drop(again);
}

#[test]
fn where_nobody_knows_which_letters_went_out_a_rotation_waits_for_a_person() {
    let mut world = world();
    world.establish();
    world.ok(&["rotation", "start", IDENTITY]);
    world.await_letter("offer.1.jira.2.");
    world.ok(&["store", "backup", "old.age"]);
    // Something happens after the backup, and the store is lost.
    world.ok(&["rotation", "retry", IDENTITY]);
    fs::remove_dir_all(world.path("store")).unwrap();
    let sent = world.message_ids();
    let done = restored(&world, &[]);
    assert_eq!(done["held"], serde_json::json!(["jira.2"]));
    let waits = world.run(&["renew"]);
    assert_eq!(waits.code, Some(4), "{waits:?}");
    assert_eq!(world.rotation()["next"]["next"], "await-operator");
    assert_eq!(world.message_ids(), sent);

    world.ok(&["rotation", "retry", IDENTITY]);
    let offer = world.await_letter("offer.1.jira.2.");
    world.install(&offer);
    world.acknowledge(&offer);
    let notice = world.await_letter("removal-notice.1.jira.2.");
    world.remove(&notice);
    world.wait_until("the rotation is completed", 40, phase("completed"));
}

#[test]
fn a_rotation_whose_old_key_has_died_since_the_backup_comes_to_its_end() {
    let mut world = world();
    world.establish();
    world.ok(&["rotation", "start", IDENTITY]);
    let offer = world.await_letter("offer.1.jira.2.");
    world.install(&offer);
    world.acknowledge(&offer);
    let notice = world.await_letter("removal-notice.1.jira.2.");
    world.ok(&["store", "backup", "old.age"]);
    world.remove(&notice);
    world.wait_until("the rotation is completed", 40, phase("completed"));
    fs::remove_dir_all(world.path("store")).unwrap();
    let done = restored(&world, &[]);
    assert_eq!(done["held"], serde_json::json!(["jira.2"]));
    assert_eq!(world.generation(1)["key_state"], "destroyed");
    assert_eq!(world.generation(2)["key_state"], "active");
    let sent = world.message_ids();
    world.ok(&["rotation", "retry", IDENTITY]);
    world.wait_until("the rotation is completed again", 40, phase("completed"));
    assert_eq!(
        world.message_ids(),
        sent,
        "what the backup knows to be sent is not sent again"
    );
    world.ok(&["probe", IDENTITY, "--destination", "acme/production"]);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
