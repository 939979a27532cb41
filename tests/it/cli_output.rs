//! What scripts rely on: one JSON object, exit codes, nothing beside results on standard output.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::cli_home::{Home, Opens};

const ADD: &[&str] = &[
    "identity",
    "add",
    "jira",
    "--issuer",
    "theirs",
    "--policy",
    "own",
    "--name",
    "connector.align.test",
];

/// A home in which every command has something to show.
fn furnished() -> Home {
    let home = Home::with_store(Opens::KeyFile);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.ok(&["signer", "create", "--issuer", "ca"]);
    home.ok(ADD);
    home
}

#[test]
fn with_json_every_command_prints_one_object_and_nothing_else() {
    let home = furnished();
    let mail = "From: x@example.org\r\n\r\nhello\r\n";
    let commands: &[(&[&str], i32)] = &[
        (&["status"], 0),
        (&["renew"], 4),
        (&["store", "verify"], 0),
        (&["config", "check"], 0),
        (&["policy", "check", "policies/own.toml"], 0),
        (&["policy", "explain", "own"], 0),
        (&["issuer", "show", "ca"], 0),
        (&["issuer", "crl", "ca"], 0),
        (&["signer", "show"], 0),
        (&["identity", "list"], 0),
        (&["identity", "show", "jira"], 0),
        (&["identity", "export-request", "jira"], 0),
        (&["rotation", "show", "jira"], 0),
        (&["rotation", "retry", "jira"], 0),
        (&["exchange", "status"], 0),
        (&["rotation", "abandon", "jira", "--reason", "a test"], 0),
    ];
    for (arguments, code) in commands {
        let outcome = home.run(&[&["--json"], *arguments].concat()).expect(*code);
        let object: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {outcome:?}"));
        assert_eq!(object["schema"], 1, "{outcome:?}");
        assert_eq!(outcome.stderr, "", "{outcome:?}");
    }
    // A refusal is no result.
    let failing: &[(&[&str], i32)] = &[
        (&["identity", "show", "nobody"], 2),
        (&["rotation", "show", "nobody"], 2),
        (&["identity", "export-certificate", "jira"], 1),
        (
            &[
                "signer", "import", "--key", "root.pem", "--chain", "root.pem",
            ],
            1,
        ),
        (&["rotation", "start", "jira", "--bogus"], 2),
    ];
    for (arguments, code) in failing {
        let outcome = home.run(&[&["--json"], *arguments].concat());
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(*code), ""),
            "{outcome:?}"
        );
        assert!(outcome.stderr.contains("error: "), "{outcome:?}");
    }
    let received = home.file("mail.eml", mail);
    let mut receive = home.command(&["--json", "exchange", "receive"]);
    let output = receive
        .stdin(std::fs::File::open(received).unwrap())
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
    let fresh = Home::new(Opens::KeyFile);
    assert_eq!(fresh.json(&["store", "init"])["schema"], 1);
}

#[test]
fn what_the_daemon_answers_is_what_the_program_answers_by_itself() {
    let mut home = furnished();
    let asked: &[&[&str]] = &[
        &["identity", "show", "jira"],
        &["rotation", "show", "jira"],
        &["issuer", "show", "ca"],
        &["exchange", "status"],
    ];
    let alone: Vec<_> = asked.iter().map(|arguments| home.json(arguments)).collect();
    home.start_daemon();
    for (arguments, alone) in asked.iter().zip(alone) {
        assert_eq!(home.json(arguments), alone, "{arguments:?}");
    }
}

#[test]
fn renew_tells_cron_by_its_exit_code_how_things_stand() {
    let home = Home::with_store(Opens::KeyFile);
    home.run(&["renew"]).expect(0);
    home.ok(ADD);
    let waiting = home.run(&["renew"]).expect(4);
    assert!(waiting.stdout.contains("jira"), "{waiting:?}");
    home.ok(&["rotation", "abandon", "jira", "--reason", "a test"]);
    home.run(&["renew"]).expect(0);
    home.run(&["renew"]).expect(0);

    // A mail server that is not there: it will be tried again.
    let home = Home::with_store(Opens::KeyFile);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.ok(&["signer", "create", "--issuer", "ca"]);
    let own: Vec<_> = ADD
        .iter()
        .map(|word| if *word == "theirs" { "own" } else { word })
        .collect();
    home.ok(&own);
    let failing = home.run(&["renew"]).expect(1);
    assert!(failing.stdout.contains("127.0.0.1:1"), "{failing:?}");
}

/// The names of the subcommands in a help text.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that goes on is indented further.
        .filter_map(|line| {
            line.strip_prefix("  ")
                .filter(|line| !line.starts_with(' '))
        })
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every command that does something, with its help.
fn commands(home: &Home, path: &[String], found: &mut Vec<(String, String)>) {
    let mut arguments: Vec<_> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = home.ok(&arguments).stdout;
    let inner = subcommands(&help);
    if inner.is_empty() {
        found.push((path.join(" "), help));
    }
    for name in inner {
        commands(home, &[path, &[name]].concat(), found);
    }
}

#[test]
fn the_help_of_every_command_that_scripts_call_lists_the_exit_codes() {
    let home = Home::new(Opens::KeyFile);
    let mut found = Vec::new();
    commands(&home, &[], &mut found);
    assert!(found.len() > 25, "{found:?}");
    for (name, help) in found {
        if ["completions", "man"].contains(&name.as_str()) {
            continue;
        }
        for code in [
            "0  done",
            "1  a well-formed no",
            "2  error",
            "3  the store is locked",
            "4  waiting",
        ] {
            assert!(
                help.contains(code),
                "`countersign {name} --help` lacks `{code}`"
            );
        }
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_and_one_that_nobody_reads_is_none() {
    let home = Home::with_store(Opens::KeyFile);
    for arguments in [&["status"][..], &["completions", "bash"]] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = home.command(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("could not be written"), "{said}");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = home.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn a_mail_that_cannot_be_read_is_refused_and_kept() {
    let home = Home::with_store(Opens::KeyFile);
    let mail = home.file("mail.eml", "hello\n");
    for _ in 0..2 {
        let output = home
            .command(&["exchange", "receive"])
            .stdin(std::fs::File::open(&mail).unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    let mails = home.json(&["exchange", "status"])["mails"].clone();
    assert_eq!(mails.as_array().unwrap().len(), 1, "{mails}");
    assert_eq!(mails[0]["accepted"], false);
    assert!(
        mails[0]["judgement"].as_str().unwrap().contains("no mail"),
        "{mails}"
    );
}

#[test]
fn colours_are_for_terminals_whose_owner_wants_them() {
    let home = Home::new(Opens::KeyFile);
    let asked = &["status"];
    let (_, shown) = home.at_terminal(asked, &[], &[]);
    assert!(
        shown.contains("\u{1b}[") && shown.contains("error:"),
        "{shown:?}"
    );
    let (_, shown) = home.at_terminal(asked, &[("NO_COLOR", "1")], &[]);
    assert!(
        !shown.contains('\u{1b}') && shown.contains("error:"),
        "{shown:?}"
    );
    let piped = home.run(asked).expect(2);
    assert!(!piped.stderr.contains('\u{1b}'), "{piped:?}");
    for arguments in [&["--help"][..], &["--bogus"]] {
        let (_, shown) = home.at_terminal(arguments, &[("NO_COLOR", "1")], &[]);
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn shells_complete_every_command() {
    let home = Home::new(Opens::KeyFile);
    for shell in ["bash", "zsh", "fish"] {
        let script = home.ok(&["completions", shell]).stdout;
        for word in [
            "export-request",
            "roll-back",
            "acknowledge",
            "--passphrase-file",
        ] {
            let plain = word.trim_start_matches("--");
            assert!(script.contains(plain), "{shell} does not complete {word}");
        }
        let path = home.file(&format!("completions.{shell}"), &script);
        // Bash is everywhere; the others judge their own script where they are installed.
        if let Ok(judged) = Command::new(shell).arg("-n").arg(&path).output() {
            assert!(judged.status.success(), "{shell}: {judged:?}");
        }
    }
    let path = home.path("completions.bash");
    let complete = format!(
        "source {}; COMP_WORDS=(countersign rot); COMP_CWORD=1; _countersign countersign rot countersign; echo ${{COMPREPLY[@]}}",
        path.display()
    );
    let output = Command::new("bash")
        .args(["-c", &complete])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "rotation",
        "{output:?}"
    );
}

#[test]
fn every_command_has_a_man_page() {
    let home = Home::new(Opens::KeyFile);
    std::fs::create_dir(home.path("man")).unwrap();
    home.ok(&["man", "man"]);
    let pages: BTreeSet<_> = std::fs::read_dir(home.path("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut found = Vec::new();
    commands(&home, &[], &mut found);
    for (name, _) in found {
        let page = format!("countersign-{}.1", name.replace(' ', "-"));
        assert!(pages.contains(&page), "{page} is missing");
        let text = std::fs::read_to_string(home.path("man").join(&page)).unwrap();
        assert!(
            text.contains(".TH ") && text.contains(".SH SYNOPSIS"),
            "{page}: {text}"
        );
    }
    home.run(&["man", "nowhere"]).expect(2);
}
