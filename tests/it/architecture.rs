//! The house is built as it is drawn: the import paths are read and judged, file by file.
//!
//! A heuristic on purpose: it reads the text as `cargo fmt` leaves it, and needs no compiler.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The layers of `src/lib.rs`. A module imports itself and what stands in a row below; those of one row
/// do not know each other.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["policy", "pki", "gateway"],
    &["records", "exchange", "probe", "delivery"],
    &["rotation"],
    &["config"],
    &["service"],
    &["daemon"],
    &["demo"],
    &["cli"],
];

/// Workspace crates, and who alone may import them.
const IMPORTERS: &[(&str, &[&str])] = &[
    ("countersign_store", &["records"]),
    // The demonstration runs a connector of its own, as a customer would.
    ("countersign_connector", &["delivery", "demo"]),
];

/// What is pure asks no clock, touches no file and awaits nothing.
const PURE: &[&str] = &[
    "src/model",
    "src/policy",
    "src/gateway",
    "src/rotation/decide",
];
const IMPURE: &[&str] = &[
    "tokio::",
    "std::fs",
    "fs::",
    "std::process",
    "std::env",
    "async fn",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
    "TcpStream",
    "rand::",
];

const LONGEST_FILE: usize = 500;

struct Source {
    /// Relative to the workspace.
    path: PathBuf,
    /// Without comments.
    code: String,
    lines: usize,
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&workspace().join(directory), &mut found);
    assert!(!found.is_empty(), "{directory} holds no source");
    found
}

fn collect(directory: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source {
                path: path.strip_prefix(workspace()).unwrap().to_owned(),
                code: without_comments(&text),
                lines: text.lines().count(),
            });
        }
    }
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| {
        let end = match line.find("//") {
            // `https://` stands in a text, not in front of a comment.
            Some(at) if line[..at].ends_with(':') => line.len(),
            Some(at) => at,
            None => line.len(),
        };
        line[..end].to_owned() + "\n"
    };
    text.lines().map(code).collect()
}

/// The module of `src` that a file belongs to; none for `lib.rs` and `main.rs`.
fn module(path: &Path) -> Option<String> {
    let inside = path.strip_prefix("src").ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let name = first.trim_end_matches(".rs");
    (!["lib", "main"].contains(&name)).then(|| name.to_owned())
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The names that follow directly on `prefix`, those of a group in braces included.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(of_group(group)),
            None => names.extend(first_name(rest)),
        }
    }
    names
}

/// The first names of the paths in a group, up to its closing brace.
fn of_group(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut begins) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                names.extend(first_name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn imports_go_down_and_never_sideways() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let Some(from) = module(&source.path) else {
            continue;
        };
        let Some(own) = layer(&from) else {
            faults.push(format!(
                "{}: {from} stands in no layer",
                source.path.display()
            ));
            continue;
        };
        for to in named_after(&source.code, "crate::") {
            if to == from {
                continue;
            }
            match layer(&to) {
                Some(other) if other < own => {}
                Some(_) => faults.push(format!(
                    "{}: {from} imports {to}, which stands above or beside it",
                    source.path.display()
                )),
                None => faults.push(format!(
                    "{}: crate::{to} is no module of a layer",
                    source.path.display()
                )),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nobody_leaves_a_module_by_climbing_out_of_it() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let Some(_) = module(&source.path) else {
            continue;
        };
        let mut depth = source.path.components().count() - 1;
        if source.path.ends_with("mod.rs") {
            depth -= 1;
        }
        for line in source.code.lines() {
            // Indented code may stand in a module that the file itself opens.
            let depth = depth + usize::from(line.starts_with(' '));
            if line.contains(&"super::".repeat(depth)) {
                faults.push(format!("{}: {}", source.path.display(), line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_crate_of_the_workspace_has_its_importers() {
    let mut faults = Vec::new();
    for source in sources("src") {
        for (name, importers) in IMPORTERS {
            let allowed = module(&source.path).is_some_and(|own| importers.contains(&own.as_str()));
            if source.code.contains(name) && !allowed {
                faults.push(format!("{} imports {name}", source.path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_crates_below_know_nothing_of_the_house() {
    for (directory, own) in [
        ("store", "countersign-store"),
        ("connector", "countersign-connector"),
    ] {
        for source in sources(directory) {
            assert!(
                !source.code.contains("countersign::"),
                "{} imports the main crate",
                source.path.display()
            );
        }
        let manifest = fs::read_to_string(workspace().join(directory).join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let shipped = dependencies.split("[dev-dependencies]").next().unwrap();
        let relatives: Vec<_> = shipped
            .lines()
            .filter(|line| line.starts_with("countersign") && !line.starts_with(own))
            .collect();
        assert!(
            relatives.is_empty(),
            "{directory}/Cargo.toml: {relatives:?}"
        );
    }
}

#[test]
fn what_is_pure_touches_nothing() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let path = source.path.display().to_string();
        if !PURE.iter().any(|pure| path.starts_with(pure)) {
            continue;
        }
        for word in IMPURE.iter().filter(|word| source.code.contains(*word)) {
            faults.push(format!("{path}: {word}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    let mut long = Vec::new();
    for directory in ["src", "store", "connector", "tests"] {
        for source in sources(directory) {
            if source.lines > LONGEST_FILE {
                long.push(format!("{}: {} lines", source.path.display(), source.lines));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_reader_of_imports_reads_what_stands_there() {
    let code = "use crate::{\n    a::{B, c::D},\n    e,\n    f::G as H,\n};\nuse crate::i::{J, K};\nfn x() { crate::l() }\nmy_crate::m;";
    let names = named_after(code, "crate::");
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["a", "e", "f", "i", "l"]
    );
    assert_eq!(
        without_comments("a // crate::b\nc \"https://d\""),
        "a \nc \"https://d\"\n"
    );
}
