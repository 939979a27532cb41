//! The master key is replaced, by the program and by a daemon that goes on meanwhile.

use std::{fs, process::Stdio};

use countersign::records::{KeyFile, Unlock};
use countersign_peers::eventually;
use countersign_store::{Expect, Store, Transaction};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli_home::{Home, Opens};

/// Enough that it takes several stretches.
const RECORDS: usize = 1500;

fn fill(home: &Home) {
    let key = Unlock::KeyFile(KeyFile::read(&home.path("store.key")).unwrap());
    let store = Store::open(&home.path("store"), &key).unwrap();
    let mut transaction = Transaction::new();
    for number in 0..RECORDS {
        let id = format!("{number:06}");
        transaction.put("padding", &id, id.clone().into_bytes(), Expect::Absent);
    }
    store.transact(transaction).unwrap();
}

fn header(home: &Home) -> Value {
    let text = fs::read_to_string(home.path("store/store.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["header"].take()
}

#[track_caller]
fn assert_rekeyed(home: &Home, epoch: u64) {
    let header = header(home);
    assert_eq!(header["epoch"], epoch, "{header}");
    assert!(header["retiring"].is_null(), "{header}");
}

#[test]
fn everything_is_there_under_a_new_master_key_and_the_old_header_opens_nothing() {
    let home = Home::with_store(Opens::KeyFile);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.ok(&["store", "slot", "add", "--passphrase-file", "passphrase"]);
    let chain = home.ok(&["issuer", "show", "ca"]).stdout;
    let old = fs::read(home.path("store/store.json")).unwrap();
    assert_rekeyed(&home, 1);

    let done = home.json(&["store", "rekey"]);
    assert_eq!(done["reply"], "rekey");
    assert_eq!(done["schema"], 1);
    assert_eq!(done["state"], "finished");
    assert_eq!(done["epoch"], 2);
    assert_eq!(done["done"], done["total"]);
    assert_rekeyed(&home, 2);
    assert_eq!(home.ok(&["issuer", "show", "ca"]).stdout, chain);
    home.ok(&["store", "verify"]);
    home.ok(&["audit", "verify"]);
    let log = home.ok(&["audit", "show"]).stdout;
    assert!(log.contains("master"), "{log}");

    let new = fs::read(home.path("store/store.json")).unwrap();
    fs::write(home.path("store/store.json"), old).unwrap();
    let refused = home.run(&["issuer", "show", "ca"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert_eq!(refused.stdout, "");
    fs::write(home.path("store/store.json"), new).unwrap();
    assert_eq!(home.ok(&["issuer", "show", "ca"]).stdout, chain);
}

#[test]
fn a_daemon_goes_on_while_it_replaces_the_master_key() {
    let mut home = Home::with_store(Opens::KeyFile);
    fill(&home);
    home.start_daemon();
    let mut rekey = home
        .command(&["--json", "store", "rekey"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.ok(&["signer", "create", "--issuer", "ca"]);
    assert!(
        rekey.try_wait().unwrap().is_none(),
        "it was over before anything else was asked for"
    );
    let output = rekey.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["state"], "finished", "{done}");
    assert!(done["total"].as_u64().unwrap() >= RECORDS as u64, "{done}");
    assert_rekeyed(&home, 2);
    home.ok(&["issuer", "show", "ca"]);
    home.stop_daemon();
    home.ok(&["store", "verify"]);
}

#[test]
fn a_daemon_that_was_killed_in_between_goes_on_by_itself() {
    let mut home = Home::with_store(Opens::KeyFile);
    fill(&home);
    home.start_daemon();
    let mut rekey = home
        .command(&["store", "rekey"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the new master key is there", || {
        (header(&home)["epoch"] == 2).then_some(())
    });
    let pid = Pid::from_raw(home.daemon_pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let _ = rekey.wait();
    assert_eq!(
        header(&home)["retiring"],
        1,
        "it was too quick to be killed in between"
    );
    eventually("the store is free", || {
        (home.run(&["identity", "list"]).code == Some(0)).then_some(())
    });
    home.start_daemon();
    eventually("the old master key is gone", || {
        header(&home)["retiring"].is_null().then_some(())
    });
    assert_rekeyed(&home, 2);
    home.stop_daemon();
    home.ok(&["store", "verify"]);
}

#[test]
fn a_program_that_was_killed_in_between_is_simply_run_again() {
    let home = Home::with_store(Opens::KeyFile);
    fill(&home);
    let mut rekey = home
        .command(&["store", "rekey"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the new master key is there", || {
        (header(&home)["epoch"] == 2).then_some(())
    });
    rekey.kill().unwrap();
    rekey.wait().unwrap();
    home.ok(&["store", "verify"]);
    let done = home.json(&["store", "rekey"]);
    assert_eq!(done["state"], "finished", "{done}");
    assert_eq!(done["epoch"], 2, "no third master key was made");
    assert_rekeyed(&home, 2);
    home.ok(&["store", "verify"]);
}

#[test]
fn the_progress_is_shown_at_a_terminal_and_nowhere_else() {
    let home = Home::with_store(Opens::KeyFile);
    fill(&home);
    let quiet = home.ok(&["store", "rekey"]);
    assert_eq!(quiet.stderr, "");
    let (code, shown) = home.at_terminal(&["store", "rekey"], &[], &[]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("sealing anew"), "{shown}");
}
