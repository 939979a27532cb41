//! A daemon whose store a PKCS#11 token opens.

use std::fs;

use countersign_peers::{SoftHsm, eventually};

use crate::{
    cli_home::{Home, Opens},
    tokens::{PIN, assert_silent, configure, installation, reader},
};

const WITH_PIN: &str = "pin-file = \"pin\"";

fn standing(home: &Home) -> String {
    let status = home.run(&["--json", "status"]).json();
    status["standing"].as_str().unwrap_or("serving").to_owned()
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Whether a library is in the memory of the daemon.
fn has_loaded(home: &Home, library: &str) -> bool {
    let maps = fs::read_to_string(format!("/proc/{}/maps", home.daemon_pid())).unwrap();
    maps.contains(library)
}

#[test]
fn a_daemon_whose_token_is_away_is_sealed_and_serves_once_it_is_there() {
    let hsm = reader();
    let mut home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    hsm.pull_out();
    home.start_daemon_with(&[("COUNTERSIGN_LOG", "trace")]);
    let status = home.run(&["status"]).expect(3);
    for part in ["the token is not there", "the token of slot 1", "\"ops\""] {
        assert!(status.stdout.contains(part), "{part}: {status:?}");
    }
    let early = home.run(&["store", "unlock"]).expect(3);
    assert!(early.stderr.contains("the token is not there"), "{early:?}");
    assert_eq!(standing(&home), "sealed");
    hsm.plug_in();
    home.ok(&["store", "unlock"]);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.ok(&["store", "seal"]);
    assert_eq!(standing(&home), "sealed");
    // A person's PIN opens it as well, and nobody sees it.
    let asked = ("PIN of the token", PIN);
    let (code, shown) = home.at_terminal(&words("store unlock --token"), &[], &[asked]);
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(PIN), "{shown}");
    home.ok(&["issuer", "show", "ca"]);
    let log = home.daemon_log();
    assert!(
        !log.contains(PIN) && !log.contains(&hex::encode(PIN)),
        "{log}"
    );
    assert_silent(&home, &[&status, &early]);
    home.stop_daemon();
}

#[test]
fn a_daemon_that_has_the_token_at_its_start_serves() {
    let hsm = reader();
    let mut home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    home.start_daemon();
    home.ok(&["identity", "list"]);
    // What was asked for has been done with, and nobody stays logged in.
    hsm.pull_out();
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.stop_daemon();
}

#[test]
fn a_daemon_without_a_pin_at_hand_waits_for_one() {
    let hsm = reader();
    let mut home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    fs::rename(home.path("pin"), home.path("elsewhere")).unwrap();
    home.start_daemon_without_terminal();
    let status = home.run(&["status"]).expect(3);
    assert!(status.stdout.contains("pin is not there"), "{status:?}");
    home.ok(&words("store unlock --token --pin-file elsewhere"));
    home.ok(&["identity", "list"]);
    home.stop_daemon();
    configure(&home, &SoftHsm::module(), "");
    home.start_daemon_without_terminal();
    let status = home.run(&["status"]).expect(3);
    assert!(
        status.stdout.contains("no terminal to ask for the PIN"),
        "{status:?}"
    );
    home.ok(&words("store unlock --token --pin-file elsewhere"));
}

#[test]
fn a_daemon_that_is_started_again_and_again_with_a_wrong_pin_locks_no_token() {
    let hsm = reader();
    let mut home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    configure(&home, &SoftHsm::spy(), WITH_PIN);
    home.file("pin", "not-the-pin");
    for why in [
        "the PIN is wrong; it was tried once",
        "the PIN from the file was not tried",
        "the PIN from the file was not tried",
    ] {
        home.start_daemon();
        let status = home.run(&["status"]).expect(3);
        assert!(status.stdout.contains(why), "{why}: {status:?}");
        assert_eq!(hsm.calls("C_Login"), 1);
        home.stop_daemon();
    }
    home.start_daemon();
    let spared = home.run(&["store", "unlock"]).expect(3);
    assert!(spared.stderr.contains("was not tried"), "{spared:?}");
    assert_eq!(hsm.calls("C_Login"), 1);
    let wrong = ("PIN of the token", "not-the-pin-either");
    let (code, shown) = home.at_terminal(&words("store unlock --token"), &[], &[wrong]);
    assert_eq!(code, 3, "{shown}");
    assert!(shown.contains("the PIN is wrong"), "{shown}");
    assert_eq!(hsm.calls("C_Login"), 2);
    let right = ("PIN of the token", PIN);
    eventually("the pause after a wrong secret is over", || {
        let (code, _) = home.at_terminal(&words("store unlock --token"), &[], &[right]);
        (code == 0).then_some(())
    });
    assert_eq!(hsm.calls("C_Login"), 3);
    home.ok(&["identity", "list"]);
    assert!(!home.daemon_log().contains("not-the-pin"));
}

#[test]
fn nobody_makes_a_daemon_load_a_library_by_asking_for_it() {
    let hsm = reader();
    let mut home = Home::with_store(Opens::KeyFile).with_environment(hsm.environment());
    home.file("pin", PIN);
    home.start_daemon();
    let module = SoftHsm::module().display().to_string();
    let named = format!("store slot add --token --token-module {module} --pin-file pin");
    let refused = home.run(&words(&named)).expect(1);
    assert!(
        refused.stderr.contains("and no other") && refused.stderr.contains("[store.token]"),
        "{refused:?}"
    );
    let unnamed = "store slot add --token --pin-file pin";
    let refused = home.run(&words(unnamed)).expect(2);
    assert!(
        refused
            .stderr
            .contains("no PKCS#11 module is configured here"),
        "{refused:?}"
    );
    // The client has a configuration of its own, and it is not the daemon's.
    let text = fs::read_to_string(home.path("countersign.toml")).unwrap();
    let theirs = text.replace(
        "[ops]",
        &format!("[store.token]\nmodule = {module:?}\n[ops]"),
    );
    home.file("theirs.toml", theirs);
    let refused = home
        .run(&words(&format!("--config theirs.toml {unnamed}")))
        .expect(2);
    assert!(
        refused
            .stderr
            .contains("no PKCS#11 module is configured here"),
        "{refused:?}"
    );
    assert!(!has_loaded(&home, "softhsm"));
}

#[test]
fn a_token_is_added_through_a_daemon_and_opens_its_store_from_then_on() {
    let hsm = reader();
    hsm.make_key("ops", PIN, "spare", "02");
    let mut home = installation(&hsm, Opens::KeyFile, "");
    home.ok(&["store", "init"]);
    home.start_daemon_with(&[("COUNTERSIGN_LOG", "trace")]);
    assert!(
        !has_loaded(&home, "softhsm"),
        "nobody has asked for a token yet"
    );
    let add = "store slot add --label safe --token --pin-file pin";
    let several = home.run(&words(add)).expect(2);
    assert!(several.stderr.contains("\"spare\""), "{several:?}");
    let added = home.ok(&words(&format!(
        "{add} --token-label ops --token-key store"
    )));
    assert!(has_loaded(&home, "softhsm"));
    let listed = home.json(&["store", "slot", "list"]);
    assert_eq!(listed["verified"], true);
    assert_eq!(listed["slots"][1]["token"]["key"], "store");
    home.ok(&["store", "slot", "remove", "1", "--yes"]);
    home.ok(&["store", "seal"]);
    home.run(&["store", "unlock"]).expect(3);
    eventually("the pause after a wrong secret is over", || {
        let opened = home.run(&words("store unlock --token --pin-file pin"));
        (opened.code == Some(0)).then_some(())
    });
    let log = home.ok(&["audit", "show"]).stdout;
    assert!(log.contains("safe") && log.contains("token"), "{log}");
    let log = home.daemon_log();
    assert!(
        !log.contains(PIN) && !log.contains(&hex::encode(PIN)),
        "{log}"
    );
    assert_silent(&home, &[&several, &added]);
}
