//! A daemon that starts without a secret: it says so, takes one over its socket, and can be shut again.

use std::{fs, process::Command};

use countersign_peers::eventually;
use serde_json::Value;

use crate::cli_home::{Home, Opens, PASSPHRASE};

/// A daemon that nobody has given a passphrase.
fn sealed() -> Home {
    let mut home = Home::new(Opens::Terminal);
    home.ok(&["store", "init", "--passphrase-file", "passphrase"]);
    home.start_daemon_without_terminal();
    home
}

fn status(home: &Home) -> Value {
    home.run(&["--json", "status"]).json()
}

#[track_caller]
fn assert_sealed(home: &Home) {
    let outcome = home.run(&["--json", "status"]).expect(3);
    assert_eq!(outcome.json()["standing"], "sealed", "{outcome:?}");
}

#[test]
fn a_daemon_without_a_passphrase_says_that_it_is_sealed_and_refuses_the_rest() {
    let home = sealed();
    let shown = home.run(&["status"]).expect(3);
    for words in [
        "sealed",
        "there is no terminal to ask for the passphrase at",
        "the passphrase of slot 1",
        "countersign store unlock",
    ] {
        assert!(shown.stdout.contains(words), "{words}: {shown:?}");
    }
    let object = status(&home);
    assert_eq!(object["reply"], "standing");
    assert_eq!(object["schema"], 1);
    assert_eq!(object["command"], "countersign store unlock");
    for time in ["now", "since", "daemon_since"] {
        assert!(object[time].is_string(), "{time}: {object}");
    }
    for arguments in [
        &["identity", "list"][..],
        &["renew"],
        &["rotation", "start", "jira"],
        &["issuer", "create", "ca", "--common-name", "Align"],
    ] {
        let refused = home.run(arguments).expect(3);
        assert!(
            refused.stderr.contains("the daemon is sealed: "),
            "{refused:?}"
        );
        assert!(
            refused.stderr.contains("hint: countersign store unlock"),
            "{refused:?}"
        );
    }
    assert!(
        home.daemon_log().contains("sealed: "),
        "{}",
        home.daemon_log()
    );
}

#[test]
fn a_sealed_daemon_serves_once_it_has_the_passphrase() {
    let home = sealed();
    let done = home.ok(&["store", "unlock", "--passphrase-file", "passphrase"]);
    assert!(done.stdout.contains("the store is open"), "{done:?}");
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    assert!(status(&home)["daemon_since"].is_string());
    let again = home.json(&["store", "unlock"]);
    assert_eq!(again["already"], true, "nobody is asked again");
}

#[test]
fn a_person_unlocks_it_at_the_terminal_and_the_passphrase_is_not_logged() {
    let home = sealed();
    let unlock = &["store", "unlock"];
    let prompt = "passphrase of the store";
    let (code, shown) = home.at_terminal(unlock, &[], &[(prompt, PASSPHRASE)]);
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("battery"), "{shown}");
    assert!(!home.daemon_log().contains("battery"));
    home.ok(&["identity", "list"]);
}

#[test]
fn a_wrong_passphrase_leaves_it_sealed_and_makes_the_next_attempt_wait() {
    let home = sealed();
    home.file("wrong", "correct horse battery stable");
    let wrong = &["store", "unlock", "--passphrase-file", "wrong"];
    let right = &["store", "unlock", "--passphrase-file", "passphrase"];
    let refused = home.run(wrong).expect(3);
    assert!(
        refused.stderr.contains("does not open the store"),
        "{refused:?}"
    );
    assert_sealed(&home);
    // Wrong ones in a row: sooner or later one comes before its time, and is not even tried.
    eventually("an attempt has to wait", || {
        let refused = home.run(wrong).expect(3);
        refused
            .stderr
            .contains("may not be tried yet")
            .then_some(())
    });
    assert_sealed(&home);
    eventually("the pause is over", || {
        let outcome = home.run(right);
        (outcome.code == Some(0)).then_some(())
    });
    home.ok(&["identity", "list"]);
    assert!(!home.daemon_log().contains("stable"));
}

#[test]
fn a_key_file_that_is_not_there_yet_is_waited_for() {
    let mut home = Home::with_store(Opens::KeyFile);
    fs::rename(home.path("store.key"), home.path("elsewhere.key")).unwrap();
    home.start_daemon();
    let shown = home.run(&["status"]).expect(3);
    assert!(shown.stdout.contains("store.key is not there"), "{shown:?}");
    home.file("other.key", "ab".repeat(32));
    home.run(&["store", "unlock", "--key-file", "other.key"])
        .expect(3);
    assert_sealed(&home);
    fs::rename(home.path("elsewhere.key"), home.path("store.key")).unwrap();
    eventually("the key is back in its place", || {
        (home.run(&["store", "unlock"]).code == Some(0)).then_some(())
    });
    home.ok(&["identity", "list"]);
}

#[test]
fn a_daemon_that_was_sealed_lets_go_of_the_store_and_takes_it_again() {
    let mut home = Home::with_store(Opens::KeyFile);
    home.start_daemon();
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.run(&["store", "verify"]).expect(3);
    home.ok(&["store", "seal"]);
    assert_sealed(&home);
    // The store is free: another process may have it.
    home.ok(&["store", "verify"]);
    assert_eq!(home.json(&["store", "seal"])["already"], true);
    home.ok(&["store", "unlock"]);
    home.ok(&["issuer", "show", "ca"]);
    home.stop_daemon();
}

#[test]
fn a_configuration_that_changed_meanwhile_is_in_force_after_unlocking() {
    let home = sealed();
    let text = fs::read_to_string(home.path("countersign.toml")).unwrap();
    home.file(
        "countersign.toml",
        text.replace("[issuer.own]", "[issuer.fresh]"),
    );
    home.ok(&["store", "unlock", "--passphrase-file", "passphrase"]);
    let add = "identity add jira --policy own --name connector.align.test --issuer fresh";
    home.ok(&add.split(' ').collect::<Vec<_>>());
}

#[test]
fn a_damaged_store_is_told_of_at_the_start_and_not_when_it_is_unlocked() {
    let home = Home::new(Opens::Terminal);
    home.ok(&["store", "init", "--passphrase-file", "passphrase"]);
    fs::rename(home.path("store/store.json"), home.path("aside")).unwrap();
    let refused = home.run(&["daemon"]).expect(2);
    assert!(refused.stderr.contains("lost its header"), "{refused:?}");
}

#[test]
fn without_a_daemon_there_is_nothing_to_unlock() {
    let home = Home::with_store(Opens::KeyFile);
    for verb in ["unlock", "seal"] {
        let refused = home.run(&["store", verb]).expect(2);
        assert!(refused.stderr.contains("no daemon runs"), "{refused:?}");
        assert!(refused.stderr.contains("hint: countersign daemon"));
    }
}

#[test]
fn curl_sees_the_state_and_cannot_send_a_secret_by_http() {
    let home = sealed();
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "10", "--unix-socket"])
            .arg(home.path("run/control.sock"))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let status = curl(&["http://countersign/v1/status"]);
    assert!(status.contains("\"standing\":\"sealed\""), "{status}");
    let refused = curl(&["http://countersign/v1/identities"]);
    assert!(refused.contains("\"kind\":\"locked\""), "{refused}");
    let body = "{\"request\":\"unlock\",\"secrets\":0}";
    let refused = curl(&["--json", body, "http://countersign/v1/keyring"]);
    assert!(refused.contains("do not come by HTTP"), "{refused}");
    assert_sealed(&home);
}
