//! Backups: how they come about, and what is made of those that are none.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use countersign_peers::age;

use crate::cli_home::{Home, Opens};

const WORDS: &str = "a passphrase for backups only";

/// An installation with an identity, and a recipient for its backups.
fn home() -> (Home, String) {
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
    let recipient = age::keygen(&home.path("backup.key"));
    (home, recipient)
}

#[test]
fn a_backup_is_for_its_recipients_alone_and_never_put_over_another_file() {
    let (mut home, recipient) = home();
    let backup = |home: &Home, file: &str| {
        home.run(&["--json", "store", "backup", file, "--recipient", &recipient])
    };
    let taken = backup(&home, "by-command.age").expect(0).json();
    assert_eq!(taken["schema"], 1);
    home.start_daemon();
    let asked = backup(&home, "by-daemon.age").expect(0).json();
    assert_eq!(taken["lineage"], asked["lineage"]);
    for file in ["by-command.age", "by-daemon.age"] {
        let mode = fs::metadata(home.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // The judge: anybody's age opens it, and what lies in it is ours.
        let plain = age::decrypt(&home.path("backup.key"), &home.path(file)).unwrap();
        assert!(plain.starts_with(b"countersign backup\n"));
        let has = |needle: &[u8]| plain.windows(needle.len()).any(|window| window == needle);
        assert!(has(b"a.align.test"));
        let sealed = fs::read(home.path(file)).unwrap();
        assert!(!sealed.windows(12).any(|window| window == b"a.align.test"));
        let before = fs::read(home.path(file)).unwrap();
        let refused = backup(&home, file).expect(2);
        assert!(refused.stderr.contains("not overwritten"), "{refused:?}");
        assert_eq!(fs::read(home.path(file)).unwrap(), before);
    }
    let stray = age::keygen(&home.path("stranger.key"));
    assert_ne!(stray, recipient);
    assert!(age::decrypt(&home.path("stranger.key"), &home.path("by-daemon.age")).is_err());
    let left: Vec<_> = fs::read_dir(home.path(""))
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with(".countersign-backup")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_backup_is_refused_where_nobody_could_open_it_and_leaves_nothing_behind() {
    let (mut home, _) = home();
    for with_daemon in [false, true] {
        if with_daemon {
            home.start_daemon();
        }
        for arguments in [
            &["store", "backup", "new.age"][..],
            &["store", "backup", "new.age", "--recipient", "age1nobody"],
        ] {
            let refused = home.run(arguments).expect(2);
            assert!(refused.stderr.contains("age"), "{refused:?}");
            assert!(!home.path("new.age").exists());
        }
    }
    home.stop_daemon();
    let configured = fs::read_to_string(home.path("countersign.toml")).unwrap();
    home.file(
        "countersign.toml",
        format!("{configured}\n[backup]\nrecipients = [\"age1nobody\"]\n"),
    );
    let faults = home.run(&["config", "check"]).expect(1);
    assert!(faults.stdout.contains("backup.recipients"), "{faults:?}");
}

#[test]
fn a_backup_is_verified_without_the_store_and_says_what_is_in_it() {
    let (mut home, recipient) = home();
    let configured = fs::read_to_string(home.path("countersign.toml")).unwrap();
    home.file(
        "countersign.toml",
        format!("{configured}\n[backup]\nrecipients = [\"{recipient}\"]\n"),
    );
    home.file("words", WORDS);
    home.start_daemon();
    home.ok(&["store", "backup", "keyed.age"]);
    home.ok(&[
        "store",
        "backup",
        "spoken.age",
        "--passphrase-file",
        "words",
    ]);
    home.stop_daemon();
    fs::remove_dir_all(home.path("store")).unwrap();
    fs::remove_file(home.path("countersign.toml")).unwrap();

    let openings = [
        ("keyed.age", ["--identity", "backup.key"]),
        ("spoken.age", ["--passphrase-file", "words"]),
    ];
    for (file, opening) in openings {
        let command = [&["store", "backup", "verify", file], &opening[..]].concat();
        let found = home.json(&command);
        let identity = &found["identities"][0];
        assert_eq!(identity["identity"], "jira");
        assert_eq!(identity["generations"][0]["key_present"], true);
        assert_eq!(identity["generations"][0]["key_state"], "pre-activation");
        assert!(found["last_event"].is_string(), "{found:#}");
        let text = home.ok(&command).stdout;
        assert!(text.contains("jira"), "{text}");
    }
    home.file("words", "another passphrase altogether");
    let refused = home.run(&[
        "store",
        "backup",
        "verify",
        "spoken.age",
        "--passphrase-file",
        "words",
    ]);
    assert!(refused.expect(1).stderr.contains("not encrypted to this"));
    let refused = home.run(&[
        "store",
        "backup",
        "verify",
        "spoken.age",
        "--identity",
        "backup.key",
    ]);
    assert!(refused.expect(1).stderr.contains("a passphrase"));
    // What others could read is refused, and its content is not told.
    fs::set_permissions(home.path("backup.key"), PermissionsExt::from_mode(0o644)).unwrap();
    let refused = home.run(&[
        "store",
        "backup",
        "verify",
        "keyed.age",
        "--identity",
        "backup.key",
    ]);
    let refused = refused.expect(3);
    assert!(refused.stderr.contains("chmod 600"), "{refused:?}");
    assert!(!refused.stderr.contains("AGE-SECRET"), "{refused:?}");
}

#[test]
fn a_backup_that_comes_through_a_pipe_is_verified_as_one_in_a_file() {
    let (home, recipient) = home();
    // In the ids of their generations a hyphen comes before the slash: in the order of names it does not.
    for name in ["jira-b", "jira-b-c", "jira0", "jir"] {
        home.ok(&[
            "identity",
            "add",
            name,
            "--issuer",
            "own",
            "--policy",
            "own",
            "--name",
            "a.align.test",
        ]);
    }
    home.ok(&["store", "backup", "good.age", "--recipient", &recipient]);
    let verify = [
        "store",
        "backup",
        "verify",
        "good.age",
        "--identity",
        "backup.key",
    ];
    let found = home.json(&verify);
    let listed: Vec<_> = found["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identity| {
            let generations = identity["generations"].as_array().unwrap();
            assert!(generations.iter().all(|held| held["key_present"] == true));
            (identity["identity"].as_str().unwrap(), generations.len())
        })
        .collect();
    let held = ["jir", "jira-b-c", "jira-b", "jira", "jira0"].map(|name| (name, 1));
    assert_eq!(listed, held, "{found:#}");

    let mut piped = home.command(&["--json", "store", "backup", "verify", "/dev/stdin"]);
    piped.args(["--identity", "backup.key"]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let child = piped
        .stdin(reader)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = fs::read(home.path("good.age")).unwrap();
    std::io::Write::write_all(&mut writer, &bytes).unwrap();
    drop(writer);
    // It keeps the end that it reads from.
    drop(piped);
    let output = child.wait_with_output().unwrap();
    let mut through_a_pipe: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(through_a_pipe["file"], "/dev/stdin");
    through_a_pipe["file"] = found["file"].clone();
    assert_eq!(through_a_pipe, found);
}

/// Begins a backup, which dies when it asks the kernel for this; the directory cannot have files without a name if
/// it is said so.
fn killed(home: &Home, recipient: &str, file: &Path, at: &str, nameless: bool) {
    let directory = file.parent().unwrap();
    let plain = home.command(&[]);
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(home.path("strace"));
    command.arg("-P").arg(file).arg("-P").arg(directory);
    command.args(["-e", &format!("inject={at}:signal=SIGKILL")]);
    if !nameless {
        command.args(["-e", "inject=openat:error=EOPNOTSUPP"]);
    }
    command.arg("--").arg(plain.get_program());
    command.args(["store", "backup"]).arg(file);
    command.args(["--recipient", recipient]);
    let output = command
        .current_dir(home.path(""))
        .stdin(std::process::Stdio::null())
        .output()
        .expect("strace kills the program: apt-get install strace");
    assert!(!output.status.success(), "{output:?}");
    let trace = fs::read_to_string(home.path("strace")).unwrap();
    assert!(trace.contains("killed by SIGKILL"), "{trace}");
}

#[test]
fn a_backup_that_is_killed_leaves_nothing_or_what_the_next_one_removes() {
    let (home, recipient) = home();
    let directory = home.path("backups");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("backup.age");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&directory).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    // Everything is written, and the name is about to be given.
    killed(&home, &recipient, &file, "linkat", true);
    assert!(names().is_empty(), "{:?}", names());
    killed(&home, &recipient, &file, "renameat2", false);
    let left = names();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].starts_with(".countersign-backup-"), "{left:?}");

    let file = file.to_str().unwrap();
    let taken = home.ok(&["store", "backup", file, "--recipient", &recipient]);
    assert!(taken.stderr.contains(&left[0]), "{taken:?}");
    assert_eq!(names(), ["backup.age"]);
    home.ok(&[
        "store",
        "backup",
        "verify",
        file,
        "--identity",
        "backup.key",
    ]);
}

#[test]
fn a_backup_that_is_not_whole_restores_nothing() {
    let (home, recipient) = home();
    home.ok(&["store", "backup", "good.age", "--recipient", &recipient]);
    let good = fs::read(home.path("good.age")).unwrap();
    let before = home.store_files();
    let mut altered = good.clone();
    altered[good.len() / 2] ^= 1;
    let foreign = b"age-encryption.org/v1\n-> X25519 nothing\n".to_vec();
    for (name, bytes) in [
        ("altered", altered),
        ("truncated", good[..good.len() - 1].to_vec()),
        ("empty", Vec::new()),
        ("foreign", foreign),
    ] {
        home.file("bad.age", bytes);
        let command = [
            "store",
            "restore",
            "bad.age",
            "--identity",
            "backup.key",
            "--reason",
            "test",
        ];
        let refused = home.run(&command).expect(1);
        assert!(refused.stderr.contains("bad.age"), "{name}: {refused:?}");
        assert!(
            home.store_files() == before,
            "{name}: the store was touched"
        );
        assert!(!home.path("store.incoming").exists(), "{name}");
    }
    // The engine writes when it is opened; what it holds is what it held.
    let rehearsal = home.run(&[
        "store",
        "restore",
        "good.age",
        "--identity",
        "backup.key",
        "--dry-run",
    ]);
    assert_eq!(rehearsal.code, Some(0), "{rehearsal:?}");
}

#[test]
fn a_restore_keeps_the_store_that_was_there_and_says_who_did_it_and_why() {
    let (home, recipient) = home();
    home.ok(&["store", "backup", "good.age", "--recipient", &recipient]);
    let restored = home.json(&[
        "store",
        "restore",
        "good.age",
        "--identity",
        "backup.key",
        "--reason",
        "a drill",
        "--by",
        "olga",
        "--engine",
        "sled",
    ]);
    assert_eq!(restored["informants"][0], "store");
    let kept = restored["kept"].as_str().unwrap();
    assert!(kept.ends_with("store.replaced-1"), "{kept}");
    assert!(home.path("store.replaced-1/store.json").exists());
    assert_eq!(home.json(&["status"])["engine"], "sled");
    assert_eq!(
        home.json(&["store", "verify"])["damage"],
        serde_json::json!([])
    );
    // The store of today has seen more than the backup, and is of the same line: an older one is found out.
    home.ok(&["store", "backup", "newer.age", "--recipient", &recipient]);
    let plain = age::decrypt(&home.path("backup.key"), &home.path("newer.age")).unwrap();
    let text = String::from_utf8_lossy(&plain);
    assert!(text.contains("store-restored") && text.contains("a drill"));
    let older = home.json(&[
        "store",
        "restore",
        "good.age",
        "--identity",
        "backup.key",
        "--dry-run",
    ]);
    assert!(older["store_transactions"].as_u64() > older["transactions"].as_u64());
}

#[test]
fn a_backup_of_another_store_is_not_put_in_the_place_of_this_one() {
    let (home, _) = home();
    let (other, recipient) = self::home();
    other.ok(&["store", "backup", "other.age", "--recipient", &recipient]);
    home.file("other.age", fs::read(other.path("other.age")).unwrap());
    home.file("other.key", fs::read(other.path("backup.key")).unwrap());
    let command = [
        "store",
        "restore",
        "other.age",
        "--identity",
        "other.key",
        "--reason",
        "test",
    ];
    // Its identity was made before the first backup: only then does a store know of which line it is.
    home.ok(&["store", "backup", "own.age", "--recipient", &recipient]);
    let refused = home.run(&command).expect(1);
    assert!(refused.stderr.contains("another store"), "{refused:?}");
}
