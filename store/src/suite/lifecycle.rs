//! Making, opening, locking; and what is found when that was interrupted or interfered with.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Fixture, Room, for_each_engine, open, options, passphrase};
use crate::engine::EngineKind;
use crate::engine::database::DATABASE_FILE;
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
