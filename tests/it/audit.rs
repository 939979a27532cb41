//! The audit log over the real program: who, what, and on what evidence.

use std::{
    fs,
    os::unix::fs::chown,
    path::Path,
    process::{Command, Stdio},
};

use countersign::model::audit::Entry;
use countersign_peers::{age, eventually};
use rustix::process::geteuid;
use serde_json::Value;

use crate::{
    cli_home::{Home, Opens},
    world::{IDENTITY, Plan, World, sha256_of},
};

/// Entries of an export, and its last line.
pub(crate) fn parts(export: &str) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = export
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let head = lines.pop().unwrap();
    (lines, head)
}

fn actions<'a>(entries: &'a [Value], action: &str) -> Vec<&'a Value> {
    entries
        .iter()
        .filter(|entry| entry["action"] == action)
        .collect()
}

/// Asserts that these actions were told in this order, whatever stands between.
#[track_caller]
fn assert_told(entries: &[Value], story: &[&str]) {
    let mut told = entries
        .iter()
        .map(|entry| entry["action"].as_str().unwrap());
    for action in story {
        assert!(
            told.any(|found| found == *action),
            "{action} is not told where it belongs: {:#?}",
            entries
                .iter()
                .map(|entry| entry["action"].as_str().unwrap())
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn the_log_explains_a_whole_story_and_tells_of_each_key_that_left_and_of_no_other() {
    let delivery = "kind = \"bundle\"\npath = \"client.pem\"\nreload = { command = [\"sh\", \"-c\", \"echo delivered >> deliveries\"] }";
    let mut world = World::prepared(Plan {
        connectors: Plan::connector("files", delivery)
            + &Plan::connector("poller", "kind = \"socket\""),
        ..Plan::default()
    });
    world.start_daemon();
    let load = world.load_at_socket("poller", 2);
    world.add_identity();
    let offer = world.await_letter("offer.1.jira.1.");
    world.install(&offer);
    let words: String = offer.answer().split_inclusive('\n').take(2).collect();
    let reply = world.signed_reply(&offer, &words);
    world.receive(&reply).expect(0);
    world.wait_until(
        "the first generation is in use",
        40,
        crate::world::phase("completed"),
    );
    world.replace();
    load.end();
    let export = world.ok(&["audit", "export", "-"]).stdout;
    world.stop_daemon();
    let (entries, _) = parts(&export);

    assert_told(
        &entries,
        &[
            "log-begun",
            "store-made",
            "store-opened",
            "configuration-in-force",
            "authority-created",
            "signer-installed",
            "store-opened",
            "identity-added",
            "rotation-begun",
            "key-generated",
            "certificate-issued",
            "letter-sent",
            "mail-weighed",
            "acknowledged",
            "gate-opened",
            "gate-opened",
            "key-activated",
            "connector-switched",
            "cut-over",
            "rotation-ended",
            "rotation-begun",
            "key-generated",
            "letter-sent",
            "acknowledged",
            "key-activated",
            "key-deactivated",
            "cut-over",
            "letter-sent",
            "retired",
            "certificate-revoked",
            "key-destroyed",
            "rotation-ended",
            "log-exported",
        ],
    );

    for line in export.lines().take(entries.len()) {
        let entry: Entry = serde_json::from_str(line).unwrap();
        assert_eq!(
            serde_json::to_string(&entry).unwrap(),
            line,
            "it is understood"
        );
    }

    // Each delivery is an export, and nothing else is.
    let (begun, ended) = (
        actions(&entries, "key-export-begun"),
        actions(&entries, "key-export-ended"),
    );
    let into = |kind: &str| {
        let these = begun.iter().filter(|export| export["to"]["into"] == kind);
        these.copied().collect::<Vec<_>>()
    };
    let deliveries = fs::read_to_string(world.path("deliveries")).unwrap();
    assert_eq!(into("bundle").len(), deliveries.lines().count());
    let sockets = into("socket");
    assert_eq!(
        sockets.len(),
        2,
        "one connection, two generations: {sockets:#?}"
    );
    assert_eq!(begun.len(), into("bundle").len() + sockets.len());
    assert!(
        sockets
            .iter()
            .all(|export| export["to"]["pid"] == std::process::id()),
        "the connector runs in this process: {sockets:#?}"
    );
    assert_eq!(ended.len(), begun.len());
    for begun in &begun {
        let end = ended.iter().find(|end| end["begun"] == begun["sequence"]);
        let end = end.unwrap_or_else(|| panic!("{begun:#} has no end"));
        assert_eq!(end["outcome"]["result"], "delivered");
        assert!(end["sequence"].as_u64() > begun["sequence"].as_u64());
    }

    // Who, in answer to what, on what evidence.
    let uid = geteuid().as_raw();
    let weighed = actions(&entries, "mail-weighed")[0];
    assert_eq!(weighed["digest"], sha256_of(&reply));
    assert_eq!(weighed["who"]["by"], "peer");
    assert_eq!(weighed["who"]["uid"], uid);
    assert_eq!(weighed["who"]["claims"]["program"], "countersign");
    assert_eq!(weighed["request"], "exchange-receive");
    let acknowledged = actions(&entries, "acknowledged")[0];
    assert_eq!(
        acknowledged["acknowledgement"]["channel"]["signer"],
        crate::world::sha256(&world.contact.certificate_pem())
    );
    let by_itself: Vec<_> = entries
        .iter()
        .filter(|entry| entry["who"]["by"] == "itself")
        .collect();
    assert!(by_itself.iter().all(|entry| entry["request"].is_null()));
    assert!(
        by_itself
            .iter()
            .any(|entry| entry["action"] == "key-destroyed")
    );
    let destroyed = actions(&entries, "key-destroyed");
    let first = actions(&entries, "key-generated")[0];
    assert_eq!(destroyed.len(), 1);
    assert_eq!(destroyed[0]["key"], first["key"]);

    // Judged by what is there when the daemon has gone.
    let closed = world.json(&["audit", "show", "--limit", "1"]);
    assert_eq!(closed["entries"][0]["action"], "store-closed");
    world.file("log.jsonl", &export);
    world.run(&["audit", "verify", "log.jsonl"]).expect(0);
    world.run(&["audit", "verify"]).expect(0);
    let about = world.json(&["audit", "show", "--identity", IDENTITY, "--limit", "1000"]);
    assert!(about["entries"].as_array().unwrap().len() > 20, "{about:#}");
}

#[test]
fn refusals_and_decisions_are_told_with_the_name_that_was_stated() {
    let world = World::prepared(Plan::default());
    world.start_daemon();
    world.add_identity();
    world.await_letter("offer.1.jira.1.");
    let waive = [
        "rotation",
        "waive",
        IDENTITY,
        "--destination",
        "acme/production",
        "--gate",
        "acknowledgement",
        "--by",
        "Olga\u{1b}[31m Ops",
        "--reason",
        "they \"called\"",
    ];
    world.ok(&waive);
    world.run(&["rotation", "start", IDENTITY]).expect(1);
    world.ok(&["rotation", "abandon", IDENTITY, "--reason", "enough"]);
    let shown = world.ok(&["audit", "show", "--limit", "1000"]).stdout;
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let entries = world.json(&["audit", "show", "--limit", "1000"])["entries"].clone();
    let entries = entries.as_array().unwrap();
    let waived = actions(entries, "waived")[0];
    assert_eq!(waived["decided_by"], "Olga\\u{1b}[31m Ops");
    assert_eq!(waived["reason"], "they \"called\"");
    assert_eq!(waived["request"], "rotation-waive");
    let refused = actions(entries, "request-refused");
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0]["about"], IDENTITY);
    assert_eq!(refused[0]["request"], "rotation-start");
    let decided = actions(entries, "decided")[0];
    assert_eq!(decided["decision"], "abandon");
    assert_eq!(decided["decided_by"], "olga");
}

#[test]
fn a_refused_mail_is_told_of_once() {
    let home = Home::with_store(Opens::KeyFile);
    let stranger = "From: a@b.test\r\nMessage-ID: <1@b.test>\r\nSubject: Re: x\r\n\r\nACCEPT\r\n";
    for (name, mail) in [("stranger.eml", stranger), ("nothing.eml", "hello\n")] {
        let file = fs::File::open(home.file(name, mail)).unwrap();
        let mut receive = home.command(&["exchange", "receive"]);
        let refused = receive.stdin(file).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let entries = home.json(&["audit", "show"])["entries"].clone();
        let entries = entries.as_array().unwrap();
        let weighed = actions(entries, "mail-weighed").pop().unwrap();
        assert_eq!(weighed["accepted"], false);
        assert_eq!(weighed["digest"], sha256_of(mail.as_bytes()));
        assert_eq!(actions(entries, "request-refused"), Vec::<&Value>::new());
    }
}

#[test]
fn what_changes_nothing_leaves_nothing_and_what_cannot_be_told_is_told_with_the_next() {
    let home = Home::with_store(Opens::KeyFile);
    let total = || home.json(&["audit", "show"])["total"].as_u64().unwrap();
    let before = total();
    home.ok(&["status"]);
    home.ok(&["identity", "list"]);
    home.ok(&["audit", "verify"]);
    assert_eq!(total(), before);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    let entries = home.json(&["audit", "show"])["entries"].clone();
    let entries = entries.as_array().unwrap();
    assert_told(
        entries,
        &[
            "store-made",
            "store-opened",
            "configuration-in-force",
            "authority-created",
        ],
    );
    home.ok(&["issuer", "crl", "ca"]);
    let entries = home.json(&["audit", "show"])["entries"].clone();
    let entries = entries.as_array().unwrap();
    assert_eq!(actions(entries, "store-opened").len(), 2);
    assert_eq!(
        actions(entries, "configuration-in-force").len(),
        1,
        "it is told when it changes"
    );
    home.file(
        "policies/own.toml",
        fs::read_to_string(home.path("policies/own.toml")).unwrap() + "\n",
    );
    home.ok(&["issuer", "crl", "ca"]);
    let entries =
        home.json(&["audit", "show", "--action", "configuration-in-force"])["entries"].clone();
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let digest = |entry: &Value| {
        let files = entry["files"].as_array().unwrap();
        let policy = files.iter().find(|file| {
            file["path"]
                .as_str()
                .unwrap()
                .ends_with("policies/own.toml")
        });
        policy.unwrap()["digest"].clone()
    };
    assert_ne!(digest(&entries[0]), digest(&entries[1]));
    assert_eq!(
        digest(&entries[1]),
        sha256_of(&fs::read(home.path("policies/own.toml")).unwrap())
    );
}

#[test]
fn a_peer_is_who_the_kernel_says_and_what_it_says_of_itself_is_a_claim() {
    // Only root can be two users.
    if !geteuid().is_root() {
        return;
    }
    const NOBODY: u32 = 65_534;
    let home = Home::with_store(Opens::KeyFile);
    give(&home.path(""), NOBODY);
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_countersign"))
            .args(arguments)
            .current_dir(home.path(""))
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let mut daemon = as_nobody(&["daemon"]).spawn().unwrap();
    eventually("the daemon answers", || {
        std::os::unix::net::UnixStream::connect(home.path("run/control.sock")).ok()
    });
    let mut by_root = home.command(&["issuer", "create", "ca", "--common-name", "Align"]);
    let made = by_root.env("SUDO_UID", "1234").output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert!(
        as_nobody(&["issuer", "crl", "ca"])
            .status()
            .unwrap()
            .success()
    );
    let shown = home.json(&["audit", "show"]);
    let by_sudo = |arguments: &[&str]| {
        let output = home.command(arguments).env("SUDO_UID", "1234").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    let recipient = age::keygen(&home.path("backup.key"));
    by_sudo(&["store", "backup", "all.age", "--recipient", &recipient]);
    by_sudo(&["store", "seal"]);
    by_sudo(&["store", "unlock"]);
    let later = home.json(&["audit", "show"]);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    // Where secrets are handed over, who called `sudo` is told as anywhere else.
    let later = later["entries"].as_array().unwrap();
    for action in ["backup-written", "store-closed", "store-opened"] {
        let last = actions(later, action).pop().unwrap();
        assert_eq!(last["who"]["claims"]["sudo_uid"], 1234, "{last:#}");
    }
    let entries = shown["entries"].as_array().unwrap();
    let opened = actions(entries, "store-opened").pop().unwrap();
    assert_eq!(opened["who"]["by"], "itself");
    assert_eq!(opened["who"]["uid"], NOBODY);
    let who = &actions(entries, "authority-created")[0]["who"];
    assert_eq!((&who["by"], &who["uid"]), (&"peer".into(), &0.into()));
    assert_eq!(who["login"], "root");
    assert_eq!(who["claims"]["sudo_uid"], 1234);
    let who = &actions(entries, "revocation-list-issued")[0]["who"];
    assert_eq!(
        (&who["by"], &who["uid"], &who["gid"]),
        (&"peer".into(), &NOBODY.into(), &NOBODY.into())
    );
    assert_eq!(who["login"], "nobody");
    assert!(who["claims"]["sudo_uid"].is_null());
}

/// Makes everything below a directory somebody else's.
fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), uid);
        }
    }
}

#[cfg(feature = "fault-injection")]
#[test]
fn death_at_each_append_to_the_log_leaves_a_sound_one_and_no_key_left_before_it_was_told() {
    use crate::world::{Drive, phase};

    let delivery = "kind = \"bundle\"\npath = \"client.pem\"\nreload = { command = [\"sh\", \"-c\", \"echo delivered >> deliveries\"] }";
    let mut world = World::prepared(Plan {
        drive: Drive::Cron,
        connectors: Plan::connector("files", delivery),
        ..Plan::default()
    });
    world.add_identity();
    let offer = world.await_letter("offer.1.jira.1.");
    world.install(&offer);
    world
        .receive(&world.reply(&offer, &offer.answer()))
        .expect(0);
    let mut deaths = 0_usize;
    let lived = (1..100).find(|append| {
        ["before", "after"].iter().any(|side| {
            let count = append.to_string();
            let fault = [
                ("COUNTERSIGN_ABORT_AT_STREAM", "audit"),
                ("COUNTERSIGN_ABORT_AT_APPEND", count.as_str()),
                ("COUNTERSIGN_ABORT_WHEN", side),
            ];
            let outcome = world.run_with(&["renew"], b"", &fault);
            deaths += usize::from(outcome.code.is_none());
            let verified = world.json(&["audit", "verify"]);
            assert!(verified["fault"].is_null(), "{verified:#}");
            let told = world.json(&["audit", "show", "--action", "key-export-begun"]);
            let told = told["entries"].as_array().unwrap().len();
            let left = world.path("client.pem").exists();
            assert!(!left || told > 0, "a key left and nobody was told");
            outcome.code.is_some()
        })
    });
    assert!(lived.is_some() && deaths > 4, "{deaths} deaths");
    world.wait_until("the first generation is in use", 40, phase("completed"));
    let entries = world.json(&["audit", "show", "--limit", "1000"])["entries"].clone();
    let entries = entries.as_array().unwrap();
    let begun = actions(entries, "key-export-begun").len();
    let ended = actions(entries, "key-export-ended").len();
    let deliveries = fs::read_to_string(world.path("deliveries")).unwrap();
    assert!(begun >= deliveries.lines().count());
    assert!(begun > ended, "somebody died in between: {begun} {ended}");
}
