//! Making and opening a store from the command line.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::cli_home::{Home, Opens, PASSPHRASE};

#[test]
fn a_store_is_never_made_over_another() {
    for opens in [Opens::PassphraseFile, Opens::KeyFile] {
        let home = Home::with_store(opens);
        let before = home.store_files();
        for arguments in [
            &["store", "init"][..],
            &["store", "init", "--engine", "sled"],
            &["store", "init", "--new-key-file", "fresh.key"],
        ] {
            let refused = home.run(arguments).expect(2);
            assert!(refused.stderr.contains("already"), "{refused:?}");
            assert_eq!(refused.stdout, "");
        }
        assert!(home.store_files() == before, "the store was touched");
        assert!(
            !home.path("fresh.key").exists(),
            "a key that opens nothing was left behind"
        );
    }
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_changes_nothing() {
    let home = Home::with_store(Opens::PassphraseFile);
    let before = home.store_files();
    home.file("passphrase", "correct horse battery stable");
    for arguments in [
        &["status"][..],
        &["store", "verify"],
        &["daemon"],
        &["renew"],
    ] {
        let refused = home.run(arguments).expect(3);
        assert!(
            refused.stderr.contains("countersign: error: "),
            "{refused:?}"
        );
        assert!(refused.stderr.contains("passphrase"), "{refused:?}");
        assert!(!refused.stderr.contains("stable"), "{refused:?}");
    }
    assert!(home.store_files() == before, "the store was touched");
    // The line end of an editor does not belong to it.
    home.file("passphrase", format!("{PASSPHRASE}\n"));
    home.ok(&["status"]);
}

#[test]
fn a_passphrase_that_others_could_read_is_refused() {
    let home = Home::with_store(Opens::PassphraseFile);
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(home.path("passphrase"), PermissionsExt::from_mode(mode)).unwrap();
        let refused = home.run(&["status"]).expect(3);
        assert!(
            refused.stderr.contains("countersign: hint: chmod 600 "),
            "{refused:?}"
        );
    }
    let other = Home::new(Opens::Terminal);
    let file = other.file("secret", PASSPHRASE);
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    other
        .run(&["store", "init", "--passphrase-file", "secret"])
        .expect(3);
    assert!(!other.path("store").exists());
}

#[test]
fn an_engine_that_does_not_exist_is_refused_and_sled_comes_with_a_warning() {
    let home = Home::new(Opens::KeyFile);
    let refused = home.run(&["store", "init", "--engine", "bdb"]).expect(2);
    assert!(
        refused.stderr.contains("redb"),
        "the help names what there is: {refused:?}"
    );
    let made = home.ok(&["store", "init", "--engine", "sled"]);
    assert!(made.stderr.contains("countersign: warning: "), "{made:?}");
    assert_eq!(home.json(&["status"])["engine"], "sled");
}

#[test]
fn without_a_store_every_command_says_what_to_do() {
    let home = Home::new(Opens::PassphraseFile);
    let refused = home.run(&["status"]).expect(2);
    assert!(refused.stderr.contains("store init"), "{refused:?}");
    assert!(
        !home.path("store").exists(),
        "looking for it does not make it"
    );
}

#[test]
fn a_new_passphrase_is_asked_for_twice_and_not_shown() {
    let home = Home::new(Opens::Terminal);
    let init = &["store", "init"];
    let again = "the same again: ";
    let (code, shown) = home.at_terminal(
        init,
        &[],
        &[("new passphrase", PASSPHRASE), (again, PASSPHRASE)],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("battery"), "{shown}");
    let (code, shown) =
        home.at_terminal(&["status"], &[], &[("passphrase of the store", PASSPHRASE)]);
    assert_eq!(code, 0, "{shown}");
    let (code, shown) = home.at_terminal(&["status"], &[], &[("passphrase of the store", "wrong")]);
    assert_eq!(code, 3, "{shown}");
    // Without a terminal nobody can be asked. A test may have one all the same; a session of its own has none.
    let mut alone = std::process::Command::new("setsid");
    alone
        .arg(env!("CARGO_BIN_EXE_countersign"))
        .arg("status")
        .current_dir(home.path(""));
    let output = alone.stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("passphrase-file"),
        "{output:?}"
    );
}

#[test]
fn two_different_passphrases_and_a_short_one_make_no_store() {
    let home = Home::new(Opens::Terminal);
    let init = &["store", "init"];
    let (code, shown) = home.at_terminal(
        init,
        &[],
        &[
            ("new passphrase", PASSPHRASE),
            ("the same again", "something else entirely"),
        ],
    );
    assert_eq!(code, 2, "{shown}");
    assert!(shown.contains("differ"), "{shown}");
    let (code, shown) = home.at_terminal(init, &[], &[("new passphrase", "short")]);
    assert_eq!(code, 2, "{shown}");
    assert!(!home.path("store").exists());
}
