//! Making, opening, locking; and what is found when that was interrupted or interfered with.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Fixture, Room, for_each_engine, open, options, passphrase};
use crate::engine::EngineKind;
use crate::engine::database::DATABASE_FILE;
use crate::error::HeaderFault;
use crate::header::FORMAT;
use crate::vault::CANARY_KEY;
use crate::{Error, Expect, KeyFile, Passphrase, Store, Transaction, Unlock};

for_each_engine!(
    a_canary_is_written_at_each_opening,
    a_key_file_opens_the_store_and_another_does_not,
    a_store_has_one_opener,
    everything_is_private,
    init_refuses_what_is_there,
    the_wrong_passphrase_opens_nothing,
);

fn write(path: &Path, contents: &[u8]) {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(contents).unwrap();
}

fn init_refuses_what_is_there(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let mut rooms = Vec::new();
    let mut init = |dir: &Path| {
        rooms.push(Room::for_store(engine, dir));
        Store::init(dir, &passphrase(), &options(engine))
    };
    assert!(matches!(
        init(&fixture.path()),
        Err(Error::AlreadyExists { .. })
    ));

    let strange = fixture.dir.path().join("strange");
    fs::create_dir(&strange).unwrap();
    drop(init(&strange).unwrap());
    let occupied = fixture.dir.path().join("occupied");
    fs::create_dir(&occupied).unwrap();
    write(&occupied.join("something"), b"");
    assert!(matches!(init(&occupied), Err(Error::NotEmpty { .. })));
    assert!(!Store::exists(&occupied));
    let left = fs::read_dir(&occupied)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert_eq!(
        left.filter(|name| name != DATABASE_FILE).count(),
        1,
        "nothing was made beside what is there"
    );
}

fn everything_is_private(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    fixture.reopen();
    let mut paths = vec![fixture.path()];
    let mut seen = 0;
    while let Some(path) = paths.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(
            metadata.permissions().mode() & 0o7777,
            expected,
            "{}",
            path.display()
        );
        if metadata.is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        seen += 1;
    }
    // A store that lies elsewhere has no files of an engine.
    let files = if engine == EngineKind::Postgres { 4 } else { 5 };
    assert!(seen >= files);
}

fn a_store_has_one_opener(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let refused = open(&fixture.path()).unwrap_err();
    let me = std::process::id();
    assert!(matches!(refused, Error::InUse { pid: Some(pid), .. } if pid == me));
    assert!(refused.to_string().contains(&format!("process {me}")));
    let clone = fixture.store().clone();
    fixture.store = None;
    assert!(open(&fixture.path()).is_err());
    drop(clone);
    open(&fixture.path()).unwrap();
}

fn the_wrong_passphrase_opens_nothing(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.store = None;
    let wrong = Unlock::Passphrase(Passphrase::new(Zeroizing::new("battery staple".to_owned())));
    let refused = Store::open(&fixture.path(), &wrong).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::WrongSecret {
                kind: "passphrase",
                ..
            }
        ),
        "{refused}"
    );
    let key = KeyFile::generate(&fixture.dir.path().join("key")).unwrap();
    let refused = Store::open(&fixture.path(), &Unlock::KeyFile(key)).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::WrongSecret {
                kind: "key file",
                ..
            }
        ),
        "{refused}"
    );
    open(&fixture.path()).unwrap();
}

fn a_key_file_opens_the_store_and_another_does_not(engine: EngineKind) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let key = Unlock::KeyFile(KeyFile::generate(&path).unwrap());
    let at = dir.path().join("store");
    let _room = Room::for_store(engine, &at);
    let store = Store::init(&at, &key, &options(engine)).unwrap();
    let mut transaction = Transaction::new();
    transaction.put("c", "a", b"1".to_vec(), Expect::Absent);
    store.transact(transaction).unwrap();
    drop(store);
    let again = Unlock::KeyFile(KeyFile::read(&path).unwrap());
    let store = Store::open(&at, &again).unwrap();
    assert_eq!(*store.read("c", "a").unwrap().unwrap().bytes, b"1");
    drop(store);
    let other = Unlock::KeyFile(KeyFile::generate(&dir.path().join("other")).unwrap());
    assert!(matches!(
        Store::open(&at, &other),
        Err(Error::WrongSecret { .. })
    ));
    assert!(matches!(
        Store::open(&at, &passphrase()),
        Err(Error::WrongSecret { .. })
    ));
}

fn a_canary_is_written_at_each_opening(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let first = fixture.raw(CANARY_KEY);
    fixture.reopen();
    assert_ne!(fixture.raw(CANARY_KEY), first);
    // One that cannot be read is no reason not to open: a new one takes its place.
    fixture.plant(CANARY_KEY, Some(b"dead".to_vec()));
    fixture.reopen();
}

#[test]
fn there_is_no_store_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open(dir.path()), Err(Error::NotFound { .. })));
    assert!(matches!(
        open(&dir.path().join("nowhere")),
        Err(Error::NotFound { .. })
    ));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_passphrase_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let empty = Unlock::Passphrase(Passphrase::new(Zeroizing::new(String::new())));
    let at = dir.path().join("store");
    let refused = Store::init(&at, &empty, &options(EngineKind::Redb));
    assert!(matches!(refused, Err(Error::EmptyPassphrase)));
    assert!(!at.exists());
}

// === Interrupted making ===

#[test]
fn a_store_that_was_never_finished_is_recognised() {
    let mut fixture = Fixture::new(EngineKind::Redb);
    fixture.store = None;
    write(&fixture.path().join("unfinished"), b"");
    // With its header, it was finished but for the last stroke.
    fixture.reopen();
    assert!(!fixture.path().join("unfinished").exists());
    fixture.store = None;
    write(&fixture.path().join("unfinished"), b"");
    fs::remove_file(fixture.path().join("store.json")).unwrap();
    for refused in [
        open(&fixture.path()),
        Store::init(&fixture.path(), &passphrase(), &options(EngineKind::Redb)),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::Incomplete { .. }), "{refused}");
        assert!(refused.to_string().contains("remove the directory"));
    }
    assert!(!Store::exists(&fixture.path()));
}

#[test]
fn a_lost_header_is_not_taken_for_an_unfinished_store() {
    let mut fixture = Fixture::new(EngineKind::Redb);
    fixture.store = None;
    fs::remove_file(fixture.path().join("store.json")).unwrap();
    for refused in [
        open(&fixture.path()),
        Store::init(&fixture.path(), &passphrase(), &options(EngineKind::Redb)),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::HeaderMissing { .. }), "{refused}");
        assert!(refused.to_string().contains("do not remove"));
    }
}

#[test]
fn an_init_that_had_only_taken_its_lock_is_simply_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("store");
    fs::create_dir(&at).unwrap();
    write(&at.join("lock"), b"");
    Store::init(&at, &passphrase(), &options(EngineKind::Redb)).unwrap();
}

// === Headers ===

/// Opens a store whose header was passed through `edit`.
fn with_header(edit: impl FnOnce(String) -> String) -> Error {
    let mut fixture = Fixture::new(EngineKind::Redb);
    fixture.store = None;
    let path = fixture.path().join("store.json");
    let lock = fs::read(fixture.path().join("lock")).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let after = edit(before.clone());
    assert_ne!(before, after, "the edit did nothing");
    write(&path, after.as_bytes());
    let error = open(&fixture.path()).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), after);
    assert_eq!(fs::read(fixture.path().join("lock")).unwrap(), lock);
    error
}

/// An edit by somebody who knows how the checksum is made.
fn rechecked(edit: impl FnOnce(&mut serde_json::Value)) -> Error {
    use sha2::{Digest, Sha256};

    with_header(|text| {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        edit(&mut value["header"]);
        let header: crate::header::Header =
            serde_json::from_value(value["header"].clone()).unwrap();
        let covered = serde_json::to_vec(&(FORMAT, header)).unwrap();
        value["sha256"] = hex::encode(Sha256::digest(covered)).into();
        value.to_string()
    })
}

#[test]
fn a_header_of_a_newer_format_is_refused_and_nothing_is_written() {
    let stated = |format| format!("\"format\": {format}");
    let error = with_header(|text| text.replace(&stated(FORMAT), &stated(FORMAT + 1)));
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                found,
                supported: FORMAT,
                ..
            } if found == FORMAT + 1
        ),
        "{error}"
    );
    // Whatever else the newer format may hold.
    let error = with_header(|_| "{\"format\": 9, \"surprise\": []}".to_owned());
    assert!(
        matches!(error, Error::NewerFormat { found: 9, .. }),
        "{error}"
    );
}

#[test]
fn a_header_of_an_older_format_is_refused_and_nothing_is_written() {
    let stated = |format| format!("\"format\": {format}");
    let error = with_header(|text| text.replace(&stated(FORMAT), &stated(1)));
    assert!(
        matches!(error, Error::OlderFormat { found: 1, .. }),
        "{error}"
    );
}

#[test]
fn a_header_cut_short_or_blown_up_is_refused() {
    for keep in [0, 1, 20, 200] {
        let error = with_header(|text| text[..keep].to_owned());
        assert!(matches!(
            error,
            Error::HeaderDamaged {
                fault: HeaderFault::Malformed,
                ..
            }
        ));
    }
    let error = with_header(|text| text + &" ".repeat(300 * 1024));
    assert!(matches!(
        error,
        Error::HeaderDamaged {
            fault: HeaderFault::TooLarge,
            ..
        }
    ));
}

#[test]
fn a_header_damaged_by_accident_is_not_taken_for_a_wrong_passphrase() {
    let error = with_header(|text| {
        let at = text.find("\"salt\": \"").unwrap() + 9;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        [&text[..at], other, &text[at + 1..]].concat()
    });
    assert!(
        matches!(
            error,
            Error::HeaderDamaged {
                fault: HeaderFault::Checksum,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn any_altered_byte_of_a_header_is_found() {
    let mut fixture = Fixture::new(EngineKind::Redb);
    fixture.store = None;
    let path = fixture.path().join("store.json");
    let sound = fs::read(&path).unwrap();
    for position in 0..sound.len() {
        let mut altered = sound.clone();
        altered[position] ^= 0x01;
        if altered[position].is_ascii_whitespace() && sound[position].is_ascii_whitespace() {
            continue;
        }
        write(&path, &altered);
        let outcome = open(&fixture.path());
        assert!(
            matches!(
                outcome,
                Err(Error::HeaderDamaged { .. } | Error::NewerFormat { .. })
            ),
            "byte {position}: {outcome:?}"
        );
    }
}

#[test]
fn altered_key_derivation_costs_open_nothing() {
    let error = rechecked(|header| {
        header["slots"][0]["method"]["argon2id"]["iterations"] = 2.into();
    });
    assert!(matches!(error, Error::WrongSecret { .. }), "{error}");
}

#[test]
fn a_hostile_cost_is_refused_before_it_is_paid() {
    let error =
        with_header(|text| text.replace("\"memory_kib\": 8,", "\"memory_kib\": 4294967295,"));
    assert!(
        matches!(
            error,
            Error::HeaderDamaged {
                fault: HeaderFault::Malformed,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn an_altered_engine_or_an_added_slot_is_noticed() {
    let altered = |error| {
        matches!(
            error,
            Error::HeaderDamaged {
                fault: HeaderFault::Altered,
                ..
            }
        )
    };
    assert!(altered(
        rechecked(|header| header["engine"] = "sled".into())
    ));
    assert!(altered(rechecked(|header| {
        let mut slot = header["slots"][0].clone();
        slot["id"] = 2.into();
        header["slots"].as_array_mut().unwrap().push(slot);
    })));
}
