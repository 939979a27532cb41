//! Exports of the audit log in hostile hands: judged by OpenSSL, by digests, and by the program with nothing but the file.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    audit::parts,
    cli_home::{Home, Opens},
    world::{Outcome, sha256_of},
};

/// An installation with some entries, and its export.
fn exported() -> (Home, String) {
    let home = Home::with_store(Opens::KeyFile);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    for _ in 0..3 {
        home.ok(&["issuer", "crl", "ca"]);
    }
    home.ok(&["audit", "export", "log.jsonl"]);
    let export = fs::read_to_string(home.path("log.jsonl")).unwrap();
    (home, export)
}

#[test]
fn an_export_is_judged_by_openssl_and_by_digests_alone() {
    let (home, export) = exported();
    home.run(&["audit", "export", "log.jsonl"]).expect(2);
    let lines: Vec<&str> = export.lines().collect();
    let (entries, head) = parts(&export);
    for (entry, before) in entries.iter().skip(1).zip(&lines) {
        assert_eq!(entry["previous"], sha256_of(before.as_bytes()));
    }
    let text = head["head"].as_str().unwrap();
    assert!(
        text.contains(&format!("\nentries {}\n", entries.len())),
        "{text}"
    );
    let last = sha256_of(lines[entries.len() - 1].as_bytes());
    assert!(text.contains(&format!("\ndigest {last}\n")), "{text}");
    let key = home.file("key.pem", home.ok(&["audit", "key"]).stdout);
    let signature = STANDARD
        .decode(head["signature"].as_str().unwrap())
        .unwrap();
    let signature = home.file("head.sig", signature);
    for (text, good) in [
        (text.to_owned(), true),
        (text.replace("log ", "log 0"), false),
    ] {
        let judged = Command::new("openssl")
            .args(["dgst", "-sha256", "-verify"])
            .arg(&key)
            .arg("-signature")
            .arg(&signature)
            .arg(home.file("head.txt", &text))
            .output()
            .unwrap();
        assert_eq!(judged.status.success(), good, "{judged:?}");
    }
    assert_eq!(
        fs::metadata(home.path("log.jsonl")).unwrap().permissions(),
        PermissionsExt::from_mode(0o100_600)
    );
}

#[test]
fn whatever_is_done_to_an_export_is_found_without_a_store_and_named() {
    let (home, export) = exported();
    let other = exported().1;
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(place.path().join(name), text).unwrap();
    };
    file("log", &export);
    file("key", &home.ok(&["audit", "key"]).stdout);
    home.ok(&["issuer", "crl", "ca"]);
    home.ok(&["audit", "export", "later.jsonl"]);
    let later = fs::read_to_string(home.path("later.jsonl")).unwrap();
    file("later", &later);
    file("other", &other);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["audit", "verify"])
            .args(arguments)
            .current_dir(place.path())
            .output()
            .unwrap();
        Outcome {
            command: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    };
    run(&["log", "--key", "key"]).expect(0);
    run(&["later", "--key", "key", "--since", "log"]).expect(0);

    let lines: Vec<&str> = export.lines().collect();
    let head = lines.len() - 1;
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let mut removed = lines.clone();
    removed.remove(3);
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    let altered = export.replacen("\"uid\":", "\"uid\":1", 5);
    let mut older_head: Vec<&str> = later.lines().collect();
    let end = older_head.len() - 1;
    older_head[end] = lines[head];
    let mut foreign_head = lines.clone();
    let others = other.lines().last().unwrap();
    foreign_head[head] = others;
    for (what, text, named) in [
        (
            "an entry removed",
            joined(&removed),
            "entry 4 is not where it belongs",
        ),
        (
            "two entries exchanged",
            joined(&swapped),
            "entry 5 is not where it belongs",
        ),
        ("an entry altered", altered, "entry 1 was altered"),
        (
            "the head cut off",
            joined(&lines[..head]),
            "the file was cut",
        ),
        (
            "the last entry cut off",
            joined(&[&lines[..head - 1], &lines[head..]].concat()),
            &format!("entry {head} is missing"),
        ),
        (
            "cut inside a line",
            export[..export.len() / 2].to_owned(),
            "cannot be read",
        ),
        (
            "an older head under a longer log",
            joined(&older_head),
            &format!("entry {} is not covered", head + 1),
        ),
        (
            "the head of another log",
            joined(&foreign_head),
            "the signature at the end",
        ),
        ("nothing", String::new(), "the file was cut"),
    ] {
        file("bad", &text);
        let outcome = run(&["bad"]).expect(1);
        assert!(outcome.stdout.contains(named), "{what}: {outcome:#?}");
    }
    let outcome = run(&["log", "--since", "later"]).expect(1);
    assert!(
        outcome
            .stdout
            .contains(&format!("entry {} is missing", head + 1)),
        "the whole replaced by an older export: {outcome:#?}"
    );
    let outcome = run(&["other", "--key", "key"]).expect(1);
    assert!(
        outcome.stdout.contains("entry 1 names the key"),
        "{outcome:#?}"
    );
    let outcome = run(&["other"]).expect(0);
    assert!(outcome.stderr.contains("--key"), "{outcome:#?}");
    run(&["absent"]).expect(2);
    run(&["log", "--key", "log"]).expect(2);
}
