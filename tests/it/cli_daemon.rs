//! The command line and the daemon: one owner of the store, and what becomes of a broken update.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use countersign_peers::eventually;
use serde_json::Value;

use crate::cli_home::{Home, Opens, policy};

fn served() -> Home {
    let mut home = Home::with_store(Opens::KeyFile);
    home.start_daemon();
    home
}

/// Waits until `status` shows faults, or none, and returns them.
fn faults(home: &Home, any: bool) -> Vec<String> {
    eventually("the faults of the configuration are known", || {
        let status = home.json(&["status"]);
        let faults: Vec<String> = serde_json::from_value(status["faults"].clone()).unwrap();
        (faults.is_empty() != any).then_some(faults)
    })
}

/// Whether a certificate with an RSA key is refused by the policy in force.
fn refuses_rsa(home: &Home, name: &str) -> bool {
    let key = ["--key", "rsa-2048", "--name", "connector.align.test"];
    let add = [
        &[
            "identity", "add", name, "--issuer", "own", "--policy", "own",
        ][..],
        &key,
    ]
    .concat();
    let outcome = home.run(&add);
    let refused = outcome.stderr.contains("[key-algorithm-not-allowed]");
    assert_eq!(outcome.code, Some(i32::from(refused)), "{outcome:?}");
    refused
}

#[test]
fn the_store_has_one_owner_and_everybody_else_talks_to_it() {
    let mut home = Home::with_store(Opens::KeyFile);
    assert!(home.json(&["status"])["daemon_since"].is_null());
    home.start_daemon();
    assert!(home.json(&["status"])["daemon_since"].is_string());
    let second = home.run(&["daemon"]).expect(3);
    assert!(
        second.stderr.contains("a daemon is running already"),
        "{second:?}"
    );
    let beside = home.run(&["store", "verify"]).expect(3);
    assert!(
        beside.stderr.contains(&home.daemon_pid().to_string()),
        "{beside:?}"
    );
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.stop_daemon();
    home.ok(&["issuer", "show", "ca"]);
    home.ok(&["store", "verify"]);
    assert!(
        !home.path("run/control.sock").exists(),
        "nothing is left behind"
    );
}

#[test]
fn a_daemon_that_died_leaves_nothing_that_hinders_the_next() {
    let mut home = served();
    let pid = rustix::process::Pid::from_raw(home.daemon_pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    eventually("the store is free", || {
        (home.run(&["status"]).code == Some(0)).then_some(())
    });
    home.start_daemon();
    assert!(home.json(&["status"])["daemon_since"].is_string());
}

#[test]
fn a_policy_check_names_the_line_and_the_column() {
    let home = Home::new(Opens::KeyFile);
    home.ok(&["policy", "check", "policies/own.toml"]);
    let broken = policy("own", "[\"ecdsa-p256\", \"dsa\"]");
    let line = 1 + broken
        .lines()
        .position(|line| line.contains("dsa\"]"))
        .unwrap();
    home.file("policies/own.toml", broken);
    let found = home
        .run(&["policy", "check", "policies/own.toml"])
        .expect(1);
    assert!(
        found
            .stdout
            .contains(&format!("policies/own.toml: line {line}, column ")),
        "{found:?}"
    );
    let found = home.run(&["--json", "config", "check"]).expect(1).json();
    assert!(
        found["faults"][0]
            .as_str()
            .unwrap()
            .contains(&format!("own.toml: line {line}, ")),
        "{found}"
    );
}

#[test]
fn all_faults_of_a_policy_are_named_at_once() {
    let home = Home::new(Opens::KeyFile);
    let broken =
        policy("other", "[\"rsa-2048\"]").replace("validity = \"90d\"", "validity = \"9d\"");
    home.file("policies/own.toml", broken);
    let found = home
        .run(&["--json", "policy", "check", "policies/own.toml"])
        .expect(1)
        .json();
    let faults = found["faults"].as_array().unwrap();
    for place in ["name: ", "key.algorithm: ", "cannot be rotated in time"] {
        assert!(
            faults
                .iter()
                .any(|fault| fault.as_str().unwrap().contains(place)),
            "{place}: {found}"
        );
    }
}

#[test]
fn a_broken_policy_leaves_the_one_before_it_in_force_until_it_is_mended() {
    let home = served();
    assert!(refuses_rsa(&home, "one"));
    home.file(
        "policies/own.toml",
        policy("own", "[\"ecdsa-p256\", \"rsa-2048\", \"dsa\"]"),
    );
    let shown = faults(&home, true);
    assert!(shown[0].contains("own.toml: line "), "{shown:?}");
    assert!(shown[0].contains("column "), "{shown:?}");
    assert!(refuses_rsa(&home, "one"), "the broken policy is in force");
    home.file(
        "policies/own.toml",
        policy("own", "[\"ecdsa-p256\", \"rsa-2048\"]"),
    );
    faults(&home, false);
    assert!(
        !refuses_rsa(&home, "one"),
        "the mended policy is not in force"
    );
}

#[test]
fn a_configuration_that_is_half_written_or_gone_leaves_the_one_before_it_in_force() {
    let home = served();
    let path = home.path("countersign.toml");
    let whole = fs::read_to_string(&path).unwrap();
    // In place, not by renaming: as an editor that is interrupted leaves it.
    let half = whole.find("contact]]").unwrap();
    fs::write(&path, &whole[..half]).unwrap();
    let shown = faults(&home, true);
    assert!(shown[0].contains("countersign.toml: line "), "{shown:?}");
    fs::write(&path, &whole).unwrap();
    faults(&home, false);
    fs::remove_file(&path).unwrap();
    faults(&home, true);
    let asked = home.ok(&["identity", "list"]);
    assert!(
        asked
            .stderr
            .contains("the daemon goes on with the configuration before it"),
        "{asked:?}"
    );
    home.run(&["daemon"]).expect(2);
    home.file(
        "countersign.toml",
        whole.replace("[issuer.own]", "[issuer.new]"),
    );
    faults(&home, false);
    let add = [
        "identity",
        "add",
        "jira",
        "--policy",
        "own",
        "--name",
        "connector.align.test",
        "--issuer",
    ];
    home.run(&[&add[..], &["own"]].concat()).expect(2);
    home.ok(&[&add[..], &["new"]].concat());
}

fn curl(socket: &std::path::Path, path: &str) -> Output {
    Command::new("curl")
        .args(["--silent", "--max-time", "10", "--unix-socket"])
        .arg(socket)
        .arg(format!("http://countersign{path}"))
        .output()
        .unwrap()
}

#[test]
fn curl_may_ask_at_the_control_socket_and_a_get_changes_nothing() {
    let home = served();
    let socket = home.path("run/control.sock");
    for (path, says) in [
        ("/v1/status", "\"engine\":\"redb\""),
        ("/v1/identities", "\"identities\":[]"),
        ("/v1/identities/jira", "there is no identity jira"),
        ("/v1/rotations/..%2f..", ""),
        ("/v1/call", ""),
    ] {
        let answer = curl(&socket, path);
        let text = String::from_utf8_lossy(&answer.stdout);
        assert!(
            answer.status.success() && text.contains(says),
            "{path}: {text}"
        );
    }
    assert_eq!(
        home.json(&["identity", "list"])["identities"],
        serde_json::json!([])
    );
}

/// Needs a second user, so it proves something only where the tests run as root, as in CI.
#[test]
fn another_user_is_turned_away_at_the_control_socket() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut home = served();
    let socket = home.path("run/control.sock");
    let as_nobody = || {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "curl",
        ]);
        command.args(["--silent", "--max-time", "10", "--unix-socket"]);
        command.arg(&socket).arg("http://countersign/v1/status");
        command.output().unwrap()
    };
    fs::set_permissions(home.path(""), PermissionsExt::from_mode(0o711)).unwrap();
    assert_eq!(
        as_nobody().status.code(),
        Some(7),
        "the directory lets nobody in"
    );
    // Even where somebody has opened the doors, the peer's credentials tell.
    fs::set_permissions(home.path("run"), PermissionsExt::from_mode(0o711)).unwrap();
    fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
    let turned_away = as_nobody();
    assert!(
        !turned_away.status.success() && turned_away.stdout.is_empty(),
        "{turned_away:?}"
    );
    assert!(
        home.daemon_log().contains("turned away"),
        "{}",
        home.daemon_log()
    );
    assert!(
        curl(&socket, "/v1/status").status.success(),
        "we ourselves are served"
    );

    // The audit log tells of it by the kernel's word: at once, and of what follows on it together.
    let told = |home: &Home| -> Vec<Value> {
        let shown = home.json(&["audit", "show", "--action", "peer-turned-away"]);
        shown["entries"].as_array().unwrap().clone()
    };
    let first = told(&home);
    assert_eq!(first.len(), 1, "{first:#?}");
    assert_eq!(first[0]["who"]["by"], "peer");
    assert_eq!(first[0]["who"]["uid"], 65_534);
    assert_eq!(first[0]["who"]["claims"]["program"], "curl");
    assert_eq!(first[0]["attempts"], 1);
    as_nobody();
    as_nobody();
    assert_eq!(told(&home).len(), 1);
    home.stop_daemon();
    let all = told(&home);
    assert_eq!(all.len(), 2, "{all:#?}");
    assert_eq!(all[1]["attempts"], 2);
}
