//! Long lists: they come in pages, by name, and `status` counts what it does not show.

use std::process::Command;

use serde_json::{Value, json};

use crate::cli_home::{Home, Opens};

fn with_identities(names: &[&str]) -> Home {
    let home = Home::with_store(Opens::KeyFile);
    for name in names {
        home.ok(&[
            "identity",
            "add",
            name,
            "--issuer",
            "own",
            "--policy",
            "own",
            "--name",
            "connector.align.test",
        ]);
    }
    home
}

fn names(page: &Value) -> Vec<&str> {
    let identities = page["identities"].as_array().unwrap();
    identities
        .iter()
        .map(|view| view["identity"].as_str().unwrap())
        .collect()
}

#[test]
fn identities_are_listed_a_page_at_a_time() {
    let mut home = with_identities(&["delta", "alpha", "charlie", "bravo"]);
    let list = |home: &Home, arguments: &[&str]| {
        home.json(&[&["identity", "list"][..], arguments].concat())
    };
    let first = list(&home, &["--limit", "3"]);
    assert_eq!(names(&first), ["alpha", "bravo", "charlie"]);
    assert_eq!(first["next"], "charlie");
    let last = list(&home, &["--limit", "3", "--after", "charlie"]);
    assert_eq!(names(&last), ["delta"]);
    assert_eq!(last["next"], Value::Null);
    // Exactly full is not more.
    assert_eq!(list(&home, &["--limit", "4"])["next"], Value::Null);
    // Where it goes on is said to people, too.
    let text = home.run(&["identity", "list", "--limit", "1"]).expect(0);
    assert!(
        text.stderr.contains("identity list --after alpha"),
        "{text:?}"
    );
    home.run(&["identity", "list", "--limit", "0"]).expect(2);

    home.start_daemon();
    let answer = Command::new("curl")
        .args(["--silent", "--unix-socket"])
        .arg(home.path("run/control.sock"))
        .arg("http://localhost/v1/identities?limit=1&after=bravo")
        .output()
        .unwrap();
    let page: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(
        (names(&page), &page["next"]),
        (vec!["charlie"], &json!("charlie"))
    );
}

#[test]
fn status_counts_all_identities() {
    let home = with_identities(&["one", "two"]);
    let status = home.json(&["status"]);
    let totals = &status["totals"];
    assert_eq!(totals["identities"], 2);
    // Each waits for its partner, or has come to its end at once.
    let views = status["identities"].as_array().unwrap();
    let under_way = views
        .iter()
        .filter(|view| !view["rotation"].is_null())
        .count();
    assert_eq!(totals["under_way"], under_way);
    assert_eq!(totals["due"], 0);
}
