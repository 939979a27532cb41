//! A private key on a PKCS#11 token opens the store: SoftHSM's tokens, and OpenSC's tool and spy.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use countersign_peers::SoftHsm;
use serde_json::Value;

use crate::{
    cli_home::{Home, Opens},
    world::Outcome,
};

/// The PIN of every token here that is ours.
pub(crate) const PIN: &str = "pin-of-the-token-4711";

/// A reader with one token that has one key.
pub(crate) fn reader() -> SoftHsm {
    let hsm = SoftHsm::new();
    hsm.make_token("ops", PIN);
    hsm.make_key("ops", PIN, "store", "01");
    hsm
}

/// An installation that sees a reader; `token` is what its configuration says of the token.
pub(crate) fn installation(hsm: &SoftHsm, opens: Opens, token: &str) -> Home {
    let home = Home::new(opens).with_environment(hsm.environment());
    home.file("pin", format!("{PIN}\n"));
    configure(&home, &SoftHsm::module(), token);
    home
}

/// Describes the token in the configuration, in the place of what stands there.
pub(crate) fn configure(home: &Home, module: &Path, token: &str) {
    let text = fs::read_to_string(home.path("countersign.toml")).unwrap();
    let (before, rest) = text.split_once("[ops]").unwrap();
    let before = before.split("[store.token]").next().unwrap();
    let module = module.display();
    let text = format!("{before}[store.token]\nmodule = \"{module}\"\n{token}\n[ops]{rest}");
    home.file("countersign.toml", text);
}

/// Without the token in the configuration.
fn forget(home: &Home) {
    let text = fs::read_to_string(home.path("countersign.toml")).unwrap();
    let (before, rest) = text.split_once("[ops]").unwrap();
    let before = before.split("[store.token]").next().unwrap();
    home.file("countersign.toml", format!("{before}[ops]{rest}"));
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Everything that is kept and said is free of the PIN.
#[track_caller]
pub(crate) fn assert_silent(home: &Home, said: &[&Outcome]) {
    for outcome in said {
        assert!(!outcome.stdout.contains(PIN), "{outcome:?}");
        assert!(!outcome.stderr.contains(PIN), "{outcome:?}");
    }
    for (path, content) in home.store_files() {
        let text = String::from_utf8_lossy(&content);
        for needle in [PIN.to_owned(), hex::encode(PIN)] {
            assert!(!text.contains(&needle), "{}", path.display());
        }
    }
}

const WITH_PIN: &str = "pin-file = \"pin\"";

#[test]
fn a_store_that_was_made_with_a_token_opens_with_the_token_and_not_without() {
    let hsm = reader();
    let home = installation(&hsm, Opens::Terminal, WITH_PIN);
    let made = home.ok(&["store", "init"]);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    let verified = home.ok(&["store", "verify"]);
    let listed = home.json(&["store", "slot", "list"]);
    let slot = &listed["slots"][0];
    assert_eq!(slot["kind"], "token");
    assert!(slot["cost"].is_null());
    let token = &slot["token"];
    assert_eq!(token["token"], "ops");
    assert_eq!(token["key"], "store");
    assert_eq!(token["id"], "01");
    assert_eq!(token["serial"], hsm.serial().as_str());
    let shown = home.ok(&["store", "slot", "list"]);
    let line = format!("key store on token ops, serial {}", hsm.serial());
    assert!(shown.stdout.contains(&line), "{shown:?}");

    hsm.pull_out();
    let refused = home.run(&["store", "verify"]).expect(3);
    for part in [
        "the token is not there: plug in",
        "\"ops\"",
        &hsm_serial(&listed),
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    hsm.plug_in();
    home.ok(&["issuer", "show", "ca"]);
    assert_silent(&home, &[&made, &verified, &shown, &refused]);
}

fn hsm_serial(listed: &Value) -> String {
    listed["slots"][0]["token"]["serial"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_token_is_added_changed_and_removed_as_other_secrets_are() {
    let hsm = reader();
    hsm.make_key("ops", PIN, "spare", "02");
    let home = installation(&hsm, Opens::KeyFile, "key = \"store\"");
    forget(&home);
    home.ok(&["store", "init"]);
    let nowhere = home
        .run(&words("store slot add --token --pin-file pin"))
        .expect(2);
    assert!(nowhere.stderr.contains("--token-module"), "{nowhere:?}");
    let module = SoftHsm::module().display().to_string();
    let add = format!("store slot add --label safe --token --token-module {module} --pin-file pin");
    let several = home.run(&words(&add)).expect(2);
    assert!(
        several.stderr.contains("\"spare\"") && several.stderr.contains("--token-key"),
        "{several:?}"
    );
    let missing = home
        .run(&words(&format!("{add} --token-key none")))
        .expect(2);
    assert!(
        missing.stderr.contains("no private key called \"none\""),
        "{missing:?}"
    );
    let missing = home
        .run(&words(&format!("{add} --token-label none")))
        .expect(2);
    assert!(
        missing
            .stderr
            .contains("no initialised token called \"none\""),
        "{missing:?}"
    );
    let add = format!("{add} --token-label ops --token-key store");
    let added = home.json(&words(&add));
    assert_eq!(added["slot"]["token"]["key"], "store");
    let twice = home.run(&words(&add)).expect(1);
    assert!(twice.stderr.contains("by slot 2"), "{twice:?}");

    configure(&home, &SoftHsm::module(), "key = \"spare\"");
    let change = "store slot change 2 --token --pin-file pin";
    let other = home
        .run(&words(&format!("{change} --same-secret")))
        .expect(3);
    assert!(
        other.stderr.contains("not the secret of slot 2"),
        "{other:?}"
    );
    let changed = home.json(&words(change));
    assert_eq!(changed["slot"]["token"]["key"], "spare");
    assert_eq!(changed["slot"]["label"], "safe");
    home.json(&words(&format!("{change} --same-secret")));

    fs::rename(home.path("store.key"), home.path("aside.key")).unwrap();
    without_key_file(&home, WITH_PIN);
    home.ok(&["store", "verify"]);
    home.ok(&["store", "slot", "remove", "1", "--yes"]);
    let last = home.run(&["store", "slot", "remove", "2", "--yes"]);
    assert!(
        last.stderr.contains("the last that opens the store"),
        "{last:?}"
    );
    home.ok(&["store", "slot", "add", "--passphrase-file", "passphrase"]);
    home.ok(&["store", "slot", "remove", "2", "--yes"]);
    let refused = home.run(&["store", "verify"]);
    assert!(
        refused
            .stderr
            .contains("no slot of this store is opened by a token"),
        "{refused:?}"
    );
    let log = fs::read_to_string(home.path("countersign.toml")).unwrap();
    home.file(
        "countersign.toml",
        log.replace("[store]", "[store]\npassphrase-file = \"passphrase\""),
    );
    let log = home.ok(&["audit", "show"]);
    assert!(log.stdout.contains("token"), "{log:?}");
    assert_silent(&home, &[&several, &twice, &other, &last, &refused, &log]);
}

/// From now on the token opens the store, and no key file.
fn without_key_file(home: &Home, token: &str) {
    let text = fs::read_to_string(home.path("countersign.toml")).unwrap();
    home.file(
        "countersign.toml",
        text.replace("key-file = \"store.key\"", ""),
    );
    configure(home, &SoftHsm::module(), token);
}

#[test]
fn another_token_of_the_same_label_is_told_apart_and_never_sees_the_pin() {
    let (ours, theirs) = (reader(), reader());
    let home = installation(
        &ours,
        Opens::Terminal,
        "token = \"ops\"\npin-file = \"pin\"",
    );
    home.ok(&["store", "init"]);
    let home = home.with_environment(theirs.environment());
    configure(
        &home,
        &SoftHsm::spy(),
        "token = \"ops\"\npin-file = \"pin\"",
    );
    let refused = home.run(&["store", "verify"]).expect(3);
    for part in [
        "another token is there",
        &format!("(serial {:?})", ours.serial()),
        &format!("(serial {:?})", theirs.serial()),
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    assert!(theirs.calls("C_GetTokenInfo") > 0);
    assert_eq!(theirs.calls("C_Login"), 0);
    assert_silent(&home, &[&refused]);
}

#[test]
fn a_wrong_pin_is_tried_once_and_one_from_a_file_not_again_until_somebody_typed_the_right_one() {
    let hsm = reader();
    let home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    configure(&home, &SoftHsm::spy(), WITH_PIN);
    home.file("pin", "not-the-pin\n");
    let wrong = home.run(&["store", "verify"]).expect(3);
    for part in [
        "the PIN is wrong; it was tried once",
        "a few more wrong ones lock it",
    ] {
        assert!(wrong.stderr.contains(part), "{part}: {wrong:?}");
    }
    assert_eq!(hsm.calls("C_Login"), 1);
    assert!(hsm.state().contains("user PIN count low"));

    // Whether it is right by now is not found out at the cost of a try.
    home.file("pin", PIN);
    let spared = home.run(&["store", "verify"]).expect(3);
    assert!(
        spared
            .stderr
            .contains("the PIN from the file was not tried"),
        "{spared:?}"
    );
    assert_eq!(hsm.calls("C_Login"), 1);

    configure(&home, &SoftHsm::spy(), "");
    let asked = ("PIN of the token", PIN);
    let (code, shown) = home.at_terminal(&["store", "verify"], &[], &[asked]);
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(PIN), "{shown}");
    assert_eq!(hsm.calls("C_Login"), 2);
    assert!(!hsm.state().contains("user PIN count low"));
    configure(&home, &SoftHsm::spy(), WITH_PIN);
    home.ok(&["store", "verify"]);
    assert_eq!(hsm.calls("C_Login"), 3);

    // The store is opened with the right one, and then the wrong one is tried for the slot: once.
    home.file("wrong", "not-the-pin-again");
    let added = home
        .run(&words("store slot add --token --pin-file wrong"))
        .expect(3);
    assert!(added.stderr.contains("the PIN is wrong"), "{added:?}");
    assert_eq!(hsm.calls("C_Login"), 5);
    assert_silent(&home, &[&wrong, &spared, &added]);
    assert!(!wrong.stderr.contains("not-the-pin"));
}

#[test]
fn of_two_tokens_that_open_the_store_one_has_to_be_named_before_a_pin_is_tried() {
    let hsm = reader();
    hsm.make_token("safe", PIN);
    hsm.make_key("safe", PIN, "store", "01");
    let home = installation(&hsm, Opens::Terminal, WITH_PIN);
    let refused = home.run(&["store", "init"]).expect(2);
    assert!(
        refused.stderr.contains("several tokens would do"),
        "{refused:?}"
    );
    assert!(!home.path("store/store.json").exists());
    configure(
        &home,
        &SoftHsm::module(),
        "token = \"ops\"\npin-file = \"pin\"",
    );
    home.ok(&["store", "init"]);
    home.ok(&words(
        "store slot add --token --token-label safe --pin-file pin",
    ));
    configure(&home, &SoftHsm::spy(), WITH_PIN);
    let refused = home.run(&["store", "verify"]).expect(2);
    assert!(
        refused.stderr.contains("\"ops\"") && refused.stderr.contains("\"safe\""),
        "{refused:?}"
    );
    assert_eq!(hsm.calls("C_Login"), 0);
    for label in ["ops", "safe"] {
        let named = format!("token = \"{label}\"\n{WITH_PIN}");
        configure(&home, &SoftHsm::module(), &named);
        home.ok(&["store", "verify"]);
    }
}

#[test]
fn a_key_that_is_gone_and_one_that_took_its_name_are_told_apart() {
    let hsm = reader();
    let home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    hsm.delete_key("ops", PIN, "01");
    let gone = home.run(&["store", "verify"]).expect(3);
    assert!(
        gone.stderr
            .contains("there is no key \"store\" on token \"ops\""),
        "{gone:?}"
    );
    hsm.make_key("ops", PIN, "store", "01");
    let other = home.run(&["store", "verify"]).expect(3);
    assert!(
        other
            .stderr
            .contains("is not the one that the slot was made with"),
        "{other:?}"
    );
}

#[test]
fn a_module_that_is_missing_or_none_or_open_to_others_is_named_and_not_run() {
    let hsm = reader();
    let home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    configure(&home, Path::new("missing.so"), WITH_PIN);
    let missing = home.run(&["store", "verify"]).expect(2);
    assert!(
        missing.stderr.contains("there is no PKCS#11 module")
            && missing.stderr.contains("missing.so"),
        "{missing:?}"
    );
    for (name, content) in [
        ("text.so", b"not a library".to_vec()),
        (
            "judge.so",
            fs::read(env!("CARGO_BIN_EXE_countersign")).unwrap(),
        ),
    ] {
        home.file(name, content);
        configure(&home, Path::new(name), WITH_PIN);
        let none = home.run(&["store", "verify"]).expect(2);
        assert!(
            none.stderr.contains("cannot be used as a PKCS#11 module"),
            "{none:?}"
        );
    }
    let library = fs::read(SoftHsm::module()).unwrap();
    let path = home.file("ours.so", library);
    configure(&home, Path::new("ours.so"), WITH_PIN);
    home.ok(&["store", "verify"]);
    fs::set_permissions(path, PermissionsExt::from_mode(0o770)).unwrap();
    let exposed = home.run(&["store", "verify"]).expect(2);
    assert!(
        exposed.stderr.contains("can be changed by others"),
        "{exposed:?}"
    );
}

#[test]
fn the_header_tells_which_token_and_nothing_that_the_public_key_would_help_with() {
    let hsm = reader();
    let home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    let text = fs::read_to_string(home.path("store/store.json")).unwrap();
    let header: Value = serde_json::from_str(&text).unwrap();
    let slot = &header["slots"][0];
    let method = slot["method"].as_object().unwrap();
    // No point, and nothing else that somebody could have chosen so as to know its logarithm: what the token is
    // asked with is a hash of the salt.
    assert_eq!(method.keys().collect::<Vec<_>>(), ["key", "kind"]);
    let key = method["key"].as_object().unwrap();
    assert_eq!(key.keys().collect::<Vec<_>>(), ["id", "label", "token"]);
    let token = key["token"].as_object().unwrap();
    assert_eq!(
        token.keys().collect::<Vec<_>>(),
        ["label", "maker", "model", "serial"]
    );
    let public = hsm.public_point("ops");
    assert_eq!(public.len(), 130);
    assert!(!text.contains(&public[2..66]));
}

#[test]
fn the_master_key_is_replaced_while_the_token_is_away_and_the_token_opens_the_new_one() {
    let hsm = reader();
    let home = installation(&hsm, Opens::KeyFile, "");
    home.ok(&["store", "init"]);
    home.ok(&words("store slot add --token --pin-file pin"));
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    let chain = home.ok(&["issuer", "show", "ca"]).stdout;
    hsm.pull_out();
    assert_eq!(home.json(&["store", "rekey"])["state"], "finished");
    hsm.plug_in();
    fs::remove_file(home.path("store.key")).unwrap();
    without_key_file(&home, WITH_PIN);
    home.ok(&["store", "verify"]);
    assert_eq!(home.ok(&["issuer", "show", "ca"]).stdout, chain);
}

#[test]
fn copies_and_restored_backups_open_with_the_token() {
    let hsm = reader();
    let home = installation(&hsm, Opens::Terminal, WITH_PIN);
    home.ok(&["store", "init"]);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    let chain = home.ok(&["issuer", "show", "ca"]).stdout;
    let recipient = countersign_peers::age::keygen(&home.path("identity"));
    home.ok(&["store", "backup", "backup.age", "--recipient", &recipient]);
    let header = fs::read(home.path("store/store.json")).unwrap();

    // A slot more: the older header opens as well, as it does for every secret.
    home.ok(&["store", "slot", "add", "--passphrase-file", "passphrase"]);
    fs::write(home.path("store/store.json"), header).unwrap();
    home.ok(&["store", "verify"]);

    fs::remove_dir_all(home.path("store")).unwrap();
    let restore =
        "store restore backup.age --identity identity --unwitnessed --by olga --reason drill";
    hsm.pull_out();
    let refused = home.run(&words(restore));
    assert!(
        refused.stderr.contains("there is no initialised token"),
        "{refused:?}"
    );
    assert!(!home.path("store").exists());
    hsm.plug_in();
    home.ok(&words(restore));
    assert_eq!(
        home.json(&["store", "slot", "list"])["slots"][0]["kind"],
        "token"
    );
    assert_eq!(home.ok(&["issuer", "show", "ca"]).stdout, chain);
}
