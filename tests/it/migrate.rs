//! Stores that another version wrote: the older ones become ours, the newer ones stay as they are.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::cli_home::{Home, Opens, policy};

/// An installation whose store was written by the last version with format 1 (`tests/fixtures/format-1`).
fn old(engine: &str) -> Home {
    let home = Home::new(match engine {
        "redb" => Opens::KeyFile,
        _ => Opens::PassphraseFile,
    });
    home.file("policies/quick.toml", policy("quick", "[\"ecdsa-p256\"]"));
    let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/format-1")
        .join(format!("{engine}.tar.xz"));
    let unpacked = Command::new("tar")
        .arg("-xJf")
        .arg(archive)
        .arg("-C")
        .arg(home.path(""))
        .status()
        .expect("tar and xz unpack the fixtures: apt-get install tar xz-utils");
    assert!(unpacked.success());
    home
}

/// What that version said of its store.
fn expected(engine: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/format-1")
        .join(format!("{engine}.json"));
    let mut said: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    // What is said of a key since then: that version took none in from elsewhere.
    for generation in said["identity"]["generations"].as_array_mut().unwrap() {
        generation["origin"] = "made".into();
    }
    said
}

/// The store is the old one, whole, in the current format.
#[track_caller]
fn assert_migrated(home: &Home, engine: &str) {
    let (found, expected) = (home.json(&["store", "verify"]), expected(engine));
    assert_eq!(found["damage"], serde_json::json!([]));
    // Some came since: the log of what was done.
    assert!(found["records"].as_u64() >= expected["verify"]["records"].as_u64());
    assert!(found["events"].as_u64() >= expected["verify"]["events"].as_u64());
    let identity = home.json(&["identity", "show", "jira"]);
    for (now, before) in [("generations", "generations"), ("slots", "slots")] {
        assert_eq!(identity[now], expected["identity"][before]);
    }
    assert_eq!(home.json(&["status"])["engine"], engine);
}

#[test]
fn a_store_of_format_1_is_refused_until_it_is_migrated_and_then_holds_what_it_held() {
    for engine in ["redb", "sled"] {
        let home = old(engine);
        for command in [
            &["status"][..],
            &["daemon"],
            &["renew"],
            &["store", "verify"],
        ] {
            let refused = home.run(command).expect(2);
            assert!(refused.stderr.contains("store migrate"), "{refused:?}");
        }
        let migrated = home.json(&["store", "migrate"]);
        assert_eq!(migrated["from"], 1);
        assert!(
            migrated["kept"]
                .as_str()
                .unwrap()
                .ends_with("store.replaced-1")
        );
        assert_migrated(&home, engine);
        let again = home.run(&["store", "migrate"]).expect(1);
        assert!(again.stderr.contains("nothing to migrate"), "{again:?}");
        // The old one is as it was: it could be put back.
        fs::rename(home.path("store"), home.path("store.new")).unwrap();
        fs::rename(home.path("store.replaced-1"), home.path("store")).unwrap();
        home.ok(&["store", "migrate"]);
        assert_migrated(&home, engine);
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_not_one_byte_of_it_changes() {
    let home = Home::with_store(Opens::KeyFile);
    let header = fs::read_to_string(home.path("store/store.json")).unwrap();
    let newer = header.replacen("\"format\":2", "\"format\":3", 1);
    assert_ne!(newer, header);
    home.file("store/store.json", newer);
    let recipient = countersign_peers::age::keygen(&home.path("backup.key"));
    let other = Home::with_store(Opens::KeyFile);
    other.ok(&["store", "backup", "good.age", "--recipient", &recipient]);
    home.file("good.age", fs::read(other.path("good.age")).unwrap());
    let before = home.store_files();
    let restore = [
        "store",
        "restore",
        "good.age",
        "--identity",
        "backup.key",
        "--reason",
        "test",
        "--unwitnessed",
        "--forget-keys",
    ];
    for command in [
        &["status"][..],
        &["daemon"],
        &["renew"],
        &["store", "verify"],
        &["store", "migrate"],
        &["store", "backup", "new.age", "--recipient", &recipient],
        &restore,
        &["identity", "list"],
    ] {
        let refused = home.run(command).expect(2);
        assert!(refused.stderr.contains("newer countersign"), "{refused:?}");
        assert!(
            home.store_files() == before,
            "{command:?} touched the store"
        );
    }
    home.run(&["store", "init"]).expect(2);
    assert!(home.store_files() == before);
}

/// Runs the command again and again, dying at one step after the other, until there is none left; after each death
/// `alive` looks whether the store is there, and the command is run to its end.
#[cfg(feature = "fault-injection")]
fn die_at_every_step(
    make: impl Fn() -> Home,
    command: &[&str],
    alive: impl Fn(&Home, u32),
    done: impl Fn(&Home),
) {
    let run = |home: &Home, step: u32| -> std::process::Output {
        home.command(command)
            .env("COUNTERSIGN_ABORT_AT_STEP", step.to_string())
            .output()
            .unwrap()
    };
    for step in 1..100 {
        let home = make();
        let output = run(&home, step);
        if output.status.code().is_some() {
            assert!(output.status.success(), "{output:?}");
            assert!(step > 6, "it has more steps than {step}");
            return;
        }
        alive(&home, step);
        // Its next attempt dies as well: what clears up is interrupted, too.
        let _ = run(&home, step % 4 + 1);
        let output = run(&home, 0);
        // Where the last step was done before the death there is nothing left to do.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        done(&home);
    }
    panic!("it never came to its end");
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_migration_that_is_killed_at_any_step_leaves_a_whole_store_and_goes_on() {
    for engine in ["redb", "sled"] {
        die_at_every_step(
            || old(engine),
            &["store", "migrate"],
            |home, step| {
                // The old one or the new one, and never none.
                let status = home.run(&["status"]);
                let migrated = status.code == Some(0);
                let refused = status.stderr.contains("store migrate");
                assert!(migrated || refused, "step {step}: {status:?}");
            },
            |home| assert_migrated(home, engine),
        );
    }
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_restore_that_is_killed_at_any_step_leaves_a_whole_store_and_goes_on() {
    let make = || {
        let home = Home::with_store(Opens::KeyFile);
        home.ok(&[
            "identity",
            "add",
            "jira",
            "--issuer",
            "own",
            "--policy",
            "own",
            "--name",
            "a.align.test",
        ]);
        let recipient = countersign_peers::age::keygen(&home.path("backup.key"));
        home.ok(&["store", "backup", "good.age", "--recipient", &recipient]);
        home
    };
    die_at_every_step(
        make,
        &[
            "store",
            "restore",
            "good.age",
            "--identity",
            "backup.key",
            "--reason",
            "a drill",
            "--by",
            "olga",
        ],
        |home, _| drop(home.ok(&["identity", "show", "jira"])),
        |home| {
            let identity = home.json(&["identity", "show", "jira"]);
            assert_eq!(identity["generations"].as_array().unwrap().len(), 1);
            assert_eq!(
                home.json(&["store", "verify"])["damage"],
                serde_json::json!([])
            );
        },
    );
}
