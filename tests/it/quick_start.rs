//! What the README says to type, typed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of what the quick start works on, as if just cloned.
fn clone() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for place in [
        "examples/jira-align",
        "examples/jira-align/policies",
        "policies",
    ] {
        fs::create_dir_all(directory.path().join(place)).unwrap();
        for entry in fs::read_dir(root().join(place)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap();
                fs::copy(&path, directory.path().join(place).join(name)).unwrap();
            }
        }
    }
    directory
}

/// Lines for a shell, with the program where an installation would have put it.
fn shell(directory: &Path, lines: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let found = std::env::var_os("PATH").unwrap_or_default();
    let mut places = vec![program.parent().unwrap().to_owned()];
    places.extend(std::env::split_paths(&found));
    Command::new("sh")
        .args(["-euc", lines])
        .current_dir(directory)
        .env("PATH", std::env::join_paths(places).unwrap())
        .output()
        .unwrap()
}

/// The first block of shell lines below a heading of the README.
fn block(heading: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split_once(heading).unwrap().1;
    let block = section.split_once("```sh\n").unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_quick_start_of_the_readme_runs_as_it_is_written() {
    let clone = clone();
    let lines = block("## Quick start by hand");
    assert!(
        lines.contains("setup.sh") && lines.contains("identity add"),
        "{lines}"
    );
    let output = shell(clone.path(), &lines);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains("offer the certificate to acme/test"),
        "{said}"
    );
    // It can be prepared again without harm to what was made.
    let again = shell(
        clone.path(),
        "examples/jira-align/setup.sh && cd examples/jira-align && countersign status",
    );
    assert!(again.status.success(), "{again:?}");
}

#[test]
fn every_policy_that_is_shipped_can_be_used_and_says_for_whom_it_is() {
    let shipped = |place: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root().join(place)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .collect()
    };
    let policies = [shipped("policies"), shipped("examples/jira-align/policies")].concat();
    assert!(policies.len() >= 4, "{policies:?}");
    for path in policies {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# For "), "{}", path.display());
        let output = shell(
            root(),
            &format!("countersign policy check '{}'", path.display()),
        );
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn the_demonstration_tells_its_facts_as_one_object() {
    let output = shell(Path::new("/"), "countersign demo --json");
    assert!(output.status.success(), "{output:?}");
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["schema"], 1);
    assert!(facts["requests"]["made"].as_u64().unwrap() > 0, "{facts:#}");
    assert_eq!(facts["requests"]["failed"], 0, "{facts:#}");
    assert_ne!(facts["fingerprints"]["old"], facts["fingerprints"]["new"]);
    assert!(output.stderr.is_empty(), "{output:?}");
}
