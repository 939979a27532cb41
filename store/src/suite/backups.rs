//! Backups: what comes out is what went in, or nothing; and stores that are filled from them.

use std::fs;
use std::str::FromStr;

use age::x25519;
use zeroize::Zeroizing;

use super::{Fixture, for_each_embedded_engine, for_each_engine, options, overwrite, passphrase};
use crate::backup::BackupFault;
use crate::engine::EngineKind;
use crate::{
    Backup, BackupError, BackupIdentity, BackupRecipients, Error, Expect, Item, Loader, Passphrase,
    Store, Taking, Transaction, replace_store, room_beside,
};

for_each_engine!(
    a_backup_is_taken_of_whole_stores_only,
    a_restored_store_holds_what_was_backed_up_and_goes_on_counting,
    any_altered_byte_is_found_before_the_end,
    a_backup_is_as_of_one_instant_while_others_write,
    what_was_cut_off_or_added_is_found,
);

// What is restored goes into files, wherever it came from.
for_each_embedded_engine!(
    a_store_that_is_half_full_neither_opens_nor_takes_a_place,
    the_old_store_is_kept_when_another_takes_its_place,
);

pub(super) fn keys() -> (BackupRecipients, BackupIdentity) {
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public();
    (
        BackupRecipients::Recipients(vec![recipient]),
        BackupIdentity::Keys(vec![identity]),
    )
}

pub(super) fn taking() -> Taking {
    Taking {
        at: "2026-11-24T23:00:00Z".to_owned(),
        program: "0.1.0".to_owned(),
    }
}

fn filled(engine: EngineKind) -> Fixture {
    let fixture = Fixture::new(engine);
    for id in ["a", "b", "c"] {
        fixture.put("keys", id, id.as_bytes());
    }
    fixture.put("keys", "b", b"again");
    fixture.put("empty", "x", b"");
    let mut transaction = Transaction::new();
    transaction.delete("empty", "x", Expect::Any);
    fixture.store().transact(transaction).unwrap();
    fixture.put("large", "l", &vec![7; 200_000]);
    for event in ["one", "two", "three"] {
        fixture.append("story", event.as_bytes());
    }
    fixture
}

fn taken(fixture: &Fixture, recipients: &BackupRecipients) -> Vec<u8> {
    let mut out = Vec::new();
    fixture
        .store()
        .backup(&mut out, recipients, &taking())
        .unwrap();
    out
}

fn read(bytes: &[u8], identity: &BackupIdentity) -> Result<Vec<Item>, BackupError> {
    let mut backup = Backup::open(bytes, identity)?;
    let mut items = Vec::new();
    while let Some(item) = backup.next()? {
        items.push(item);
    }
    assert!(backup.manifest().is_some());
    Ok(items)
}

fn a_restored_store_holds_what_was_backed_up_and_goes_on_counting(engine: EngineKind) {
    let fixture = filled(engine);
    let (recipients, identity) = keys();
    let bytes = taken(&fixture, &recipients);
    let head = Backup::open(&*bytes, &identity).unwrap().head().clone();
    assert_eq!(head.engine, engine);
    assert_eq!(head.transactions, fixture.store().transactions().unwrap());

    // Into the other engine: what is kept is what was meant, not how it lay there.
    let other = EngineKind::ALL
        .into_iter()
        .find(|kind| *kind != engine)
        .unwrap();
    let dir = fixture.dir.path().join("restored");
    let mut loader = Loader::begin(&dir, &passphrase(), &options(other), 1_000).unwrap();
    for item in read(&bytes, &identity).unwrap() {
        loader.add(item).unwrap();
    }
    let restored = loader.finish(Transaction::new()).unwrap();
    for collection in ["keys", "large", "empty", "store"] {
        assert_eq!(
            restored.list(collection).unwrap(),
            fixture.store().list(collection).unwrap()
        );
    }
    assert_eq!(restored.read("keys", "b").unwrap().unwrap().version, 2);
    assert_eq!(
        restored.journal("story").unwrap(),
        fixture.store().journal("story").unwrap()
    );
    assert!(
        restored
            .lineage()
            .unwrap()
            .is(&fixture.store().lineage().unwrap())
    );
    assert!(restored.transactions().unwrap() > 1_000);
    assert_eq!(restored.verify().unwrap().damage, []);
}

fn a_backup_is_as_of_one_instant_while_others_write(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let (recipients, identity) = keys();
    fixture.store().lineage().unwrap();
    let writer = fixture.store().clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writing = std::thread::spawn(move || {
        let mut number = 0_u32;
        while stopped.try_recv().is_err() {
            number += 1;
            let bytes = number.to_string().into_bytes();
            let mut transaction = Transaction::new();
            transaction
                .put("first", "a", bytes.clone(), Expect::Any)
                .put("last", "z", bytes.clone(), Expect::Any)
                .append("story", bytes);
            writer.transact(transaction).unwrap();
        }
    });
    for _ in 0..20 {
        let bytes = taken(&fixture, &recipients);
        let mut values = Vec::new();
        let mut events = 0;
        for item in read(&bytes, &identity).unwrap() {
            match item {
                Item::Record { collection, record } if collection != "store" => {
                    values.push(String::from_utf8(record.bytes.to_vec()).unwrap());
                }
                Item::Record { .. } => {}
                Item::Entry { .. } => events += 1,
            }
        }
        // Every transaction wrote the same into both, and one event: they are all of one instant.
        let expected = (events > 0).then(|| events.to_string());
        assert!(
            values.iter().all(|value| Some(value) == expected.as_ref()),
            "{values:?} {events}"
        );
        assert_eq!(values.len(), if events > 0 { 2 } else { 0 });
    }
    stop.send(()).unwrap();
    writing.join().unwrap();
}

fn any_altered_byte_is_found_before_the_end(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    fixture.put("keys", "a", b"a private key");
    fixture.append("story", b"one");
    let (recipients, identity) = keys();
    let bytes = taken(&fixture, &recipients);
    for position in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[position] ^= 1;
        let refused = read(&altered, &identity);
        assert!(
            matches!(
                refused,
                Err(BackupError::Unsound { .. } | BackupError::NotForUs)
            ),
            "byte {position} of {}: {refused:?}",
            bytes.len()
        );
    }
}

fn what_was_cut_off_or_added_is_found(engine: EngineKind) {
    let fixture = filled(engine);
    let (recipients, identity) = keys();
    let bytes = taken(&fixture, &recipients);
    // At each boundary of the pieces that age seals, around them, and everywhere else now and then.
    let cuts = (0..bytes.len()).step_by(1_009).chain([bytes.len() - 1]);
    for length in cuts {
        let refused = read(&bytes[..length], &identity);
        assert!(
            matches!(refused, Err(BackupError::Unsound { .. })),
            "{length} of {}: {refused:?}",
            bytes.len()
        );
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(
        read(&longer, &identity),
        Err(BackupError::Unsound { .. })
    ));
}

fn a_backup_is_taken_of_whole_stores_only(engine: EngineKind) {
    let fixture = filled(engine);
    let (recipients, _) = keys();
    fixture.store().lineage().unwrap();
    let key = fixture.key_of("keys", "a");
    let old = fixture.raw(&key);
    fixture.plant(&key, None);
    let refused = fixture.store().backup(Vec::new(), &recipients, &taking());
    assert!(
        matches!(refused, Err(BackupError::Store(Error::Damaged { .. }))),
        "{refused:?}"
    );
    fixture.plant(&key, Some(old));
    taken(&fixture, &recipients);
}

fn a_store_that_is_half_full_neither_opens_nor_takes_a_place(engine: EngineKind) {
    let mut fixture = filled(engine);
    let (recipients, identity) = keys();
    let bytes = taken(&fixture, &recipients);
    let before = fixture.store().list("keys").unwrap();
    fixture.store = None;
    let room = room_beside(&fixture.path()).unwrap();
    let mut loader = Loader::begin(&room, &passphrase(), &options(engine), 0).unwrap();
    for item in read(&bytes, &identity).unwrap() {
        loader.add(item).unwrap();
    }
    // It ends here, as a killed process does, with a header that was about to be put in place.
    drop(loader);
    overwrite(room.join("store.new"), "half a head");
    assert!(matches!(
        Store::open(&room, &passphrase()),
        Err(Error::Loading { .. })
    ));
    assert!(matches!(
        replace_store(&fixture.path(), &room),
        Err(Error::Loading { .. })
    ));
    fixture.reopen();
    assert_eq!(fixture.store().list("keys").unwrap(), before);
    // The next attempt begins anew.
    let room = room_beside(&fixture.path()).unwrap();
    let loader = Loader::begin(&room, &passphrase(), &options(engine), 0).unwrap();
    assert_eq!(
        loader
            .finish(Transaction::new())
            .unwrap()
            .list("keys")
            .unwrap(),
        []
    );
}

fn the_old_store_is_kept_when_another_takes_its_place(engine: EngineKind) {
    let mut fixture = filled(engine);
    let path = fixture.path();
    let room = room_beside(&path).unwrap();
    let loader = Loader::begin(&room, &passphrase(), &options(engine), 0).unwrap();
    let mut last = Transaction::new();
    last.put("keys", "new", b"1".to_vec(), Expect::Absent);
    drop(loader.finish(last).unwrap());
    assert!(
        matches!(replace_store(&path, &room), Err(Error::InUse { .. })),
        "not while somebody works with it"
    );
    fixture.store = None;
    let kept = replace_store(&path, &room).unwrap().kept.unwrap();
    assert!(!room.exists());
    let old = Store::open(&kept, &passphrase()).unwrap();
    assert_eq!(old.list("keys").unwrap().len(), 3);
    fixture.reopen();
    assert_eq!(fixture.store().list("keys").unwrap().len(), 1);

    // The machine stops between the exchange and the last name: what lies in the room is the old store.
    fixture.store = None;
    fs::rename(&path, &room).unwrap();
    drop(old);
    fs::rename(&kept, &path).unwrap();
    let room = room_beside(&path).unwrap();
    assert!(!room.exists(), "it was put aside, and not removed");
    let aside = fixture.dir.path().join("store.replaced-1");
    assert_eq!(
        Store::open(&aside, &passphrase())
            .unwrap()
            .list("keys")
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_backup_opens_for_those_it_was_made_for_and_nobody_else() {
    let fixture = filled(EngineKind::Redb);
    let (first, first_identity) = keys();
    let (_, stranger) = keys();
    let BackupRecipients::Recipients(mut both) = first else {
        unreachable!()
    };
    let second = x25519::Identity::generate();
    both.push(second.to_public());
    let bytes = taken(&fixture, &BackupRecipients::Recipients(both));
    for identity in [&first_identity, &BackupIdentity::Keys(vec![second])] {
        read(&bytes, identity).unwrap();
    }
    assert!(matches!(
        read(&bytes, &stranger),
        Err(BackupError::NotForUs)
    ));
    let words = |text: &str| Passphrase::new(Zeroizing::new(text.to_owned()));
    assert!(matches!(
        read(&bytes, &BackupIdentity::Passphrase(words("a guess"))),
        Err(BackupError::OtherKind { passphrase: false })
    ));

    let nothing = BackupRecipients::Passphrase(words(""));
    let refused = fixture.store().backup(Vec::new(), &nothing, &taking());
    assert!(matches!(refused, Err(BackupError::NoRecipient)));
    let bytes = taken(
        &fixture,
        &BackupRecipients::Passphrase(words("five or six words")),
    );
    read(
        &bytes,
        &BackupIdentity::Passphrase(words("five or six words")),
    )
    .unwrap();
    assert!(matches!(
        read(
            &bytes,
            &BackupIdentity::Passphrase(words("six or five words"))
        ),
        Err(BackupError::NotForUs)
    ));
    assert!(matches!(
        read(&bytes, &stranger),
        Err(BackupError::OtherKind { passphrase: true })
    ));
}

#[test]
fn what_is_no_backup_of_ours_is_refused_as_such() {
    let identity = x25519::Identity::generate();
    let ours = BackupIdentity::Keys(vec![identity.clone()]);
    let fault = |bytes: &[u8]| match read(bytes, &ours) {
        Err(BackupError::Unsound { fault }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(b""), BackupFault::NotEncrypted);
    assert_eq!(
        fault(b"-----BEGIN CERTIFICATE-----"),
        BackupFault::NotEncrypted
    );
    assert_eq!(
        fault(&age::encrypt(&identity.to_public(), b"a letter").unwrap()),
        BackupFault::Foreign
    );
    let newer = age::encrypt(&identity.to_public(), b"countersign backup\n\x01\x00").unwrap();
    assert!(matches!(
        read(&newer, &ours),
        Err(BackupError::Newer { found: 256, .. })
    ));
    let endless = age::encrypt(
        &identity.to_public(),
        b"countersign backup\n\x00\x01H\xff\xff\xff\xff",
    );
    assert_eq!(fault(&endless.unwrap()), BackupFault::Malformed);
}

#[test]
fn identity_files_are_read_as_age_keygen_writes_them() {
    use age::secrecy::ExposeSecret;

    let key = x25519::Identity::generate().to_string();
    let text = |lines: String| Zeroizing::new(lines);
    let file = text(format!(
        "# created: today\n# public key: age1\n{}\n",
        key.expose_secret()
    ));
    let BackupIdentity::Keys(keys) = BackupIdentity::parse(&file).unwrap() else {
        unreachable!()
    };
    assert_eq!(keys.len(), 1);
    let error = BackupIdentity::parse(&text(format!("\n{}x\n", key.expose_secret()))).unwrap_err();
    assert_eq!(error.line, 2);
    assert!(!error.to_string().contains(&key.expose_secret()[20..40]));
    assert_eq!(
        BackupIdentity::parse(&text("# none\n".to_owned()))
            .unwrap_err()
            .line,
        0
    );
    let name = x25519::Identity::from_str(key.expose_secret())
        .unwrap()
        .to_public()
        .to_string();
    BackupRecipients::parse(&[name]).unwrap();
    assert!(BackupRecipients::parse(&["age1nobody".to_owned()]).is_err());
}
