//! The feature `fault-injection`: the process dies at the chosen append, on the chosen side of it.
//!
//! The process that dies is this test binary, run again for one test with a directory to work in.

#![cfg(feature = "fault-injection")]
// Clippy's leave for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_store::{Expect, InitOptions, KdfCost, Passphrase, Store, Transaction, Unlock};
use zeroize::Zeroizing;

const DIRECTORY: &str = "COUNTERSIGN_STORE_TEST_DIRECTORY";
const SIGABRT: i32 = 6;

fn secret() -> Unlock {
    Unlock::Passphrase(Passphrase::new(Zeroizing::new("secret".to_owned())))
}

/// The victim: does nothing unless it is told where.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let store = Store::open(&dir, &secret()).unwrap();
    for number in 1..=3_u64 {
        let mut transaction = Transaction::new();
        transaction.put("records", "plain", vec![number as u8], Expect::Any);
        store.transact(transaction).unwrap();
        // One that is refused is not counted.
        let mut transaction = Transaction::new();
        transaction.append_at("journal", 99, b"refused".to_vec());
        store.transact(transaction).unwrap_err();
        let mut transaction = Transaction::new();
        transaction
            .put("records", "with event", vec![number as u8], Expect::Any)
            .append_at("journal", number, number.to_string().into_bytes());
        store.transact(transaction).unwrap();
    }
}

fn run(dir: &Path, append: &str, when: &str) -> Option<i32> {
    Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact"])
        .env(DIRECTORY, dir)
        .env("COUNTERSIGN_ABORT_AT_APPEND", append)
        .env("COUNTERSIGN_ABORT_WHEN", when)
        .output()
        .unwrap()
        .status
        .signal()
}

#[test]
fn the_process_dies_on_the_chosen_side_of_the_chosen_append() {
    for (append, when, events) in [("1", "before", 0), ("2", "before", 1), ("2", "after", 2)] {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("store");
        let options = InitOptions {
            kdf: KdfCost::throwaway(),
            ..InitOptions::default()
        };
        drop(Store::init(&at, &secret(), &options).unwrap());
        assert_eq!(run(&at, append, when), Some(SIGABRT));
        let store = Store::open(&at, &secret()).unwrap();
        assert_eq!(
            store.journal("journal").unwrap().len(),
            events,
            "{when} {append}"
        );
        let record = store.read("records", "with event").unwrap();
        assert_eq!(
            record.map_or(0, |record| usize::from(record.bytes[0])),
            events
        );
        assert_eq!(store.verify().unwrap().damage, []);
    }
}

#[test]
fn an_append_that_never_comes_kills_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("store");
    let options = InitOptions {
        kdf: KdfCost::throwaway(),
        ..InitOptions::default()
    };
    drop(Store::init(&at, &secret(), &options).unwrap());
    assert_eq!(run(&at, "4", "before"), None);
    let store = Store::open(&at, &secret()).unwrap();
    assert_eq!(store.journal("journal").unwrap().len(), 3);
}
