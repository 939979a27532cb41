//! What needs no other program; `tests/it/import_*` asks OpenSSL and keytool.

use super::*;
use crate::model::KeyAlgorithm;

fn code(contents: &Contents) -> Vec<&'static str> {
    contents
        .found
        .iter()
        .map(|found| match &found.object {
            Ok(Object::Certificate(_)) => "certificate",
            Ok(Object::Key(_)) => "key",
            Ok(Object::PublicKey(_)) => "public-key",
            Ok(Object::Request(_)) => "request",
            Ok(Object::RevocationList(_)) => "crl",
            Err(refusal) => refusal.code(),
        })
        .collect()
}

#[test]
fn a_key_of_every_kind_reads_as_pem_and_as_der() {
    for algorithm in KeyAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        for file in [key.pkcs8().to_vec(), key.pem().as_bytes().to_vec()] {
            let contents = read(&file, None).unwrap();
            let read: Vec<_> = contents.keys().map(PrivateKey::key_id).collect();
            assert_eq!(read, [key.key_id()], "{algorithm}");
        }
    }
}

#[test]
fn text_around_blocks_in_any_encoding_is_passed_over() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let text = format!(
        "Bag Attributes\r\n    friendlyName: Schl\u{fc}ssel\r\n{}",
        key.pem().replace('\n', "\r\n")
    );
    let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let marked = [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat();
    for file in [text.as_bytes(), &latin1, &utf16, &marked] {
        assert_eq!(code(&read(file, None).unwrap()), ["key"]);
    }
}

#[test]
fn a_java_key_store_is_refused_with_the_command_that_converts_it() {
    let refused = read(&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], None).unwrap_err();
    assert!(
        refused.to_string().contains("keytool -importkeystore"),
        "{refused}"
    );
}

#[test]
fn a_file_that_is_too_large_or_holds_too_much_is_refused() {
    let large = vec![b' '; LARGEST_FILE + 1];
    assert!(matches!(
        read(&large, None),
        Err(ForeignError::TooLarge { .. })
    ));
    let many = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".repeat(MOST_OBJECTS + 1);
    assert!(matches!(
        read(many.as_bytes(), None),
        Err(ForeignError::TooMany { .. })
    ));
}

#[test]
fn what_is_broken_does_not_hinder_what_stands_beside_it() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP384).unwrap();
    let file = format!(
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n-----BEGIN DSA PRIVATE KEY-----\nMAA=\n-----END DSA PRIVATE KEY-----\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n{}",
        key.pem().as_str()
    );
    let contents = read(file.as_bytes(), None).unwrap();
    assert_eq!(
        code(&contents),
        ["damaged", "key-unsupported", "not-wanted", "key"]
    );
    let lines: Vec<_> = contents.found.iter().map(|found| found.line).collect();
    assert_eq!(lines, [Some(1), Some(4), Some(7), Some(10)]);
}

#[test]
fn nothing_of_a_file_is_repeated_in_a_refusal() {
    let secret = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==";
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
    ] {
        let file = format!("-----BEGIN {label}-----\n{secret}\n-----END {label}-----\n");
        let shown = format!("{:?}", read(file.as_bytes(), Some("sesame")));
        assert!(
            !shown.contains("QUJD") && !shown.contains("sesame"),
            "{shown}"
        );
        assert!(!shown.contains("65, 66, 67"), "{shown}");
    }
}

mod keytool;
mod openssl;
mod vectors;

/// A directory in which other programs write files.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs a command line of words; whether it was content, and what it printed.
    #[track_caller]
    fn run(&self, line: &str) -> Vec<u8> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = std::process::Command::new(words[0])
            .args(&words[1..])
            .current_dir(self.0.path())
            .output()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; scripts/test installs what the tests need",
                    words[0]
                )
            });
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }
}
