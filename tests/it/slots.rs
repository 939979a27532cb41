//! Several secrets that open one store, from the command line and through a daemon.

use std::fs;

use countersign::records::{KdfCost, KeyFile, Records, SlotOptions, Unlock};
use serde_json::Value;

use crate::cli_home::{Home, Opens, PASSPHRASE};

const OTHER: &str = "battery horse staple correct";

fn slots(home: &Home) -> Value {
    home.json(&["store", "slot", "list"])
}

fn ids(slots: &Value) -> Vec<u64> {
    let slots = slots["slots"].as_array().unwrap();
    slots
        .iter()
        .map(|slot| slot["id"].as_u64().unwrap())
        .collect()
}

/// Whether a passphrase opens the store that a daemon finds no key for.
#[track_caller]
fn assert_opens(home: &mut Home, file: &str, expected: bool) {
    fs::rename(home.path("store.key"), home.path("aside.key")).unwrap();
    home.start_daemon_without_terminal();
    let outcome = home.run(&["store", "unlock", "--passphrase-file", file]);
    assert_eq!(
        outcome.code,
        Some(if expected { 0 } else { 3 }),
        "{outcome:?}"
    );
    home.stop_daemon();
    fs::rename(home.path("aside.key"), home.path("store.key")).unwrap();
}

#[test]
fn a_slot_is_added_changed_and_removed_and_its_secret_opens_the_store_meanwhile() {
    let mut home = Home::with_store(Opens::KeyFile);
    home.file("other", OTHER);
    let add = "store slot add --label olga --passphrase-file passphrase";
    let added = home.json(&add.split(' ').collect::<Vec<_>>());
    assert_eq!(added["change"], "added");
    assert_eq!(added["slot"]["id"], 2);
    assert_opens(&mut home, "passphrase", true);

    let listed = slots(&home);
    assert_eq!(listed["schema"], 1);
    assert_eq!(listed["verified"], false, "no secret was asked for");
    let [first, second] = &listed["slots"].as_array().unwrap()[..] else {
        panic!("{listed}");
    };
    assert_eq!(first["kind"], "key-file");
    assert!(
        first["cost"].is_null() && first["since"].is_string(),
        "{first}"
    );
    assert_eq!(second["kind"], "passphrase");
    assert_eq!(second["label"], "olga");
    assert_eq!(second["cost"]["memory_kib"], 64 * 1024);
    assert!(second["since"].is_string());
    let shown = home.ok(&["store", "slot", "list"]).stdout;
    assert!(
        shown.contains("olga") && shown.contains("64 MiB, 3 passes"),
        "{shown}"
    );

    let changed = home.ok(&["store", "slot", "change", "2", "--passphrase-file", "other"]);
    assert!(
        changed.stderr.contains("countersign store rekey"),
        "{changed:?}"
    );
    assert_opens(&mut home, "passphrase", false);
    assert_opens(&mut home, "other", true);
    assert_eq!(
        slots(&home)["slots"][1]["label"],
        "olga",
        "it keeps its name"
    );

    home.ok(&["store", "slot", "remove", "2", "--yes"]);
    assert_opens(&mut home, "other", false);
    assert_eq!(ids(&slots(&home)), [1]);
}

#[test]
fn slots_are_changed_through_a_running_daemon_which_writes_it_down_and_shows_no_secret() {
    let mut home = Home::with_store(Opens::KeyFile);
    home.start_daemon_with(&[("COUNTERSIGN_LOG", "trace")]);
    home.file("other", OTHER);
    home.ok(&[
        "store",
        "slot",
        "add",
        "--label",
        "olga",
        "--passphrase-file",
        "passphrase",
    ]);
    home.ok(&[
        "store",
        "slot",
        "add",
        "--label",
        "unit",
        "--credential-file",
        "other",
    ]);
    let listed = slots(&home);
    assert_eq!(listed["verified"], true);
    assert_eq!(listed["slots"][2]["kind"], "credential");
    home.ok(&[
        "store",
        "slot",
        "add",
        "--label",
        "safe",
        "--new-key-file",
        "safe.key",
    ]);
    home.ok(&["store", "slot", "remove", "1", "--yes"]);
    let log = home.ok(&["audit", "show"]).stdout;
    for words in ["olga", "unit", "safe"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let log = home.daemon_log();
    for secret in [PASSPHRASE, OTHER] {
        assert!(!log.contains(secret));
        assert!(!log.contains(&hex::encode(secret)));
    }
    home.stop_daemon();
    // What the configuration names is the secret of the slot that was removed.
    home.run(&["store", "verify"]).expect(3);
    fs::rename(home.path("safe.key"), home.path("store.key")).unwrap();
    home.ok(&["store", "verify"]);
}

#[test]
fn the_last_slot_stays_and_a_removal_is_asked_about() {
    let home = Home::with_store(Opens::KeyFile);
    let last = home.run(&["store", "slot", "remove", "1", "--yes"]);
    assert!(
        last.stderr.contains("the last that opens the store"),
        "{last:?}"
    );
    assert_ne!(last.code, Some(0));
    home.ok(&["store", "slot", "add", "--passphrase-file", "passphrase"]);
    let silent = home.run(&["store", "slot", "remove", "2"]).expect(2);
    assert!(silent.stderr.contains("hint: say --yes"), "{silent:?}");
    let remove = &["store", "slot", "remove", "2"];
    let (code, shown) = home.at_terminal_echoing(remove, "[y/N]", "n");
    assert_eq!(code, 1, "{shown}");
    assert_eq!(ids(&slots(&home)), [1, 2]);
    let (code, shown) = home.at_terminal_echoing(remove, "[y/N]", "y");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(ids(&slots(&home)), [1]);
    let unknown = home
        .run(&["store", "slot", "remove", "2", "--yes"])
        .expect(2);
    assert!(unknown.stderr.contains("there is no slot 2"), "{unknown:?}");
}

#[test]
fn one_secret_has_one_slot() {
    let home = Home::with_store(Opens::KeyFile);
    home.ok(&["store", "slot", "add", "--passphrase-file", "passphrase"]);
    let twice = home
        .run(&["store", "slot", "add", "--passphrase-file", "passphrase"])
        .expect(1);
    assert!(twice.stderr.contains("by slot 2"), "{twice:?}");
    home.file("other", OTHER);
    home.ok(&["store", "slot", "add", "--passphrase-file", "other"]);
    home.run(&[
        "store",
        "slot",
        "change",
        "3",
        "--passphrase-file",
        "passphrase",
    ])
    .expect(1);
}

#[test]
fn a_slot_that_is_cheap_to_guess_is_pointed_out_and_made_dear_again() {
    let home = Home::with_store(Opens::KeyFile);
    let key = Unlock::KeyFile(KeyFile::read(&home.path("store.key")).unwrap());
    let records = Records::open(&home.path("store"), &key).unwrap();
    let text = zeroize::Zeroizing::new(PASSPHRASE.to_owned());
    let cheap = SlotOptions {
        label: "old".to_owned(),
        since: None,
        kdf: KdfCost::throwaway(),
    };
    let secret = Unlock::Passphrase(countersign::records::Passphrase::new(text));
    records.add_slot(&secret, &cheap).unwrap();
    drop(records);
    let shown = home.ok(&["store", "slot", "list"]).stdout;
    assert!(
        shown.contains("countersign store slot change 2 --same-secret"),
        "{shown}"
    );
    home.file("other", OTHER);
    let wrong = "store slot change 2 --same-secret --passphrase-file other";
    let refused = home.run(&wrong.split(' ').collect::<Vec<_>>()).expect(3);
    assert!(
        refused.stderr.contains("not the secret of slot 2"),
        "{refused:?}"
    );
    let right = "store slot change 2 --same-secret --passphrase-file passphrase";
    home.ok(&right.split(' ').collect::<Vec<_>>());
    let slot = slots(&home)["slots"][1].clone();
    assert_eq!(slot["cost"]["memory_kib"], 64 * 1024);
    assert!(slot["caution"].is_null());
    assert_eq!(slot["label"], "old");
}

#[test]
fn a_sealed_daemon_lists_slots_and_changes_none() {
    let mut home = Home::new(Opens::Terminal);
    home.ok(&["store", "init", "--passphrase-file", "passphrase"]);
    home.start_daemon_without_terminal();
    let listed = slots(&home);
    assert_eq!(listed["verified"], false);
    assert_eq!(ids(&listed), [1]);
    home.file("other", OTHER);
    for arguments in [
        &["store", "slot", "add", "--passphrase-file", "other"][..],
        &["store", "slot", "remove", "1", "--yes"],
        &["store", "rekey"],
    ] {
        let refused = home.run(arguments).expect(3);
        assert!(refused.stderr.contains("sealed"), "{refused:?}");
        assert!(
            refused.stderr.contains("hint: countersign store unlock"),
            "{refused:?}"
        );
    }
}

#[test]
fn a_credential_of_the_service_manager_has_a_slot_of_its_own_kind() {
    let home = Home::new(Opens::Terminal);
    let text = fs::read_to_string(home.path("countersign.toml")).unwrap();
    home.file(
        "countersign.toml",
        text.replace("[store]", "[store]\ncredential = \"passphrase\""),
    );
    let manager = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        command.env("CREDENTIALS_DIRECTORY", home.path(""));
        command.output().unwrap()
    };
    assert!(manager(&["store", "init"]).status.success());
    let listed = manager(&["--json", "store", "slot", "list"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["slots"][0]["kind"], "credential");
    assert!(manager(&["store", "verify"]).status.success());
}
