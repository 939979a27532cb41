//! Every file of PyPI's `cryptography_vectors` (its version stands in `scripts/test`): nothing panics, nothing hangs, and
//! what is read, what is refused and why is the table in `docs/import-vectors.md`, which has to stay true.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use super::*;

/// Where `scripts/test` puts them.
const VECTORS: &str = "target/tools/cryptography_vectors/cryptography_vectors";
const TABLE: &str = "docs/import-vectors.md";

/// The passphrases of the suite. A file says nowhere which is its own.
const PASSPHRASES: &[&str] = &[
    "password",
    "foobar",
    "baz",
    "123456",
    "1234",
    "cryptography",
    "12345678",
    "asd",
    "aaaaaa",
    "kiwi",
    "hunter2",
    "tangerine",
];

/// What became of one file.
type Fates = Vec<(String, String)>;

fn fates(file: &[u8]) -> Result<Fates, ForeignError> {
    let mut contents = read(file, None)?;
    let closed = |contents: &Contents| {
        contents.found.iter().any(|found| {
            matches!(
                found.object,
                Err(Refusal::PassphraseNeeded { .. } | Refusal::WrongPassphrase { .. })
            )
        })
    };
    for passphrase in PASSPHRASES {
        if !closed(&contents) {
            break;
        }
        contents = read(file, Some(passphrase))?;
    }
    Ok(contents
        .found
        .iter()
        .map(|found| {
            let fate = match &found.object {
                Ok(Object::Certificate(_)) => "read: certificate".to_owned(),
                Ok(Object::Key(key)) => format!("read: key, {}", key.algorithm()),
                Ok(Object::PublicKey(_)) => "read: public key".to_owned(),
                Ok(Object::Request(_)) => "read: request".to_owned(),
                Ok(Object::RevocationList(_)) => "read: revocation list".to_owned(),
                Err(refusal) => format!("refused: {}", with_causes(refusal)),
            };
            (found.format.clone(), fate)
        })
        .collect())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_causes(source)),
        None => error.to_string(),
    }
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `scripts/test` installs the vectors, or by hand: python3 -m pip install --no-deps --target target/tools/cryptography_vectors cryptography_vectors",
                directory.display()
            )
        })
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_none_or(|name| name != "__pycache__"))
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[derive(Default)]
struct Row {
    files: usize,
    read: usize,
    refused: usize,
    nothing: usize,
}

#[test]
fn everything_that_others_test_with_is_read_or_refused_as_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = root.join(VECTORS);
    let mut paths = Vec::new();
    files(&vectors, &mut paths);
    let mut directories: BTreeMap<String, Row> = BTreeMap::new();
    let mut formats: BTreeMap<(String, String), usize> = BTreeMap::new();
    for path in &paths {
        let directory = path.parent().unwrap().strip_prefix(&vectors).unwrap();
        let row = directories
            .entry(directory.display().to_string())
            .or_default();
        row.files += 1;
        match fates(&fs::read(path).unwrap()) {
            Err(ForeignError::Nothing) => row.nothing += 1,
            Err(error) => {
                row.refused += 1;
                *formats
                    .entry(("the whole file".to_owned(), format!("refused: {error}")))
                    .or_default() += 1;
            }
            Ok(fates) => {
                for (format, fate) in fates {
                    if fate.starts_with("read") {
                        row.read += 1;
                    } else {
                        row.refused += 1;
                    }
                    *formats.entry((format, fate)).or_default() += 1;
                }
            }
        }
    }

    let mut table = String::from(
        "# What is read of `cryptography_vectors`\n\n\
         Made by a test (`everything_that_others_test_with_is_read_or_refused_as_the_table_says`), which fails when it is no \
         longer true. Every file of PyPI's package is given to the reader of [import.md](import.md), with the passphrases of \
         the suite. Files that hold neither key nor certificate, such as the vectors of ciphers, are counted as `nothing`.\n\n\
         | directory | files | objects read | objects refused | files with nothing |\n|---|--:|--:|--:|--:|\n",
    );
    for (directory, row) in &directories {
        let name = if directory.is_empty() { "." } else { directory };
        writeln!(
            table,
            "| {name} | {} | {} | {} | {} |",
            row.files, row.read, row.refused, row.nothing
        )
        .unwrap();
    }
    table.push_str("\n| format | what became of it | objects |\n|---|---|--:|\n");
    for ((format, fate), count) in &formats {
        writeln!(
            table,
            "| {format} | {} | {count} |",
            fate.replace('|', "\\|")
        )
        .unwrap();
    }
    let golden = root.join(TABLE);
    if fs::read_to_string(&golden).unwrap_or_default() != table {
        let fresh = root.join("target/import-vectors.md");
        let mut file = fs::File::create(&fresh).unwrap();
        std::io::Write::write_all(&mut file, table.as_bytes()).unwrap();
        panic!(
            "{TABLE} is no longer true; look at the difference and, if it is meant: cp {} {TABLE}",
            fresh.display()
        );
    }
}
