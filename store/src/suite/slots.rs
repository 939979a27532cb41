//! Several secrets that open one store.

use std::fs;

use zeroize::Zeroizing;

use super::{Fixture, for_each_engine, open, overwrite, passphrase};
use crate::engine::EngineKind;
use crate::{Error, KdfCost, KeyFile, Passphrase, SlotKind, SlotOptions, Store, Unlock};

for_each_engine!(
    a_change_that_cannot_be_written_leaves_what_was_in_force,
    a_changed_slot_opens_with_the_new_secret_only,
    a_removed_slot_opens_no_more_and_its_number_is_not_given_again,
    each_slot_opens_the_store_by_itself,
    the_same_passphrase_may_be_sealed_at_a_higher_cost,
    there_are_not_more_slots_than_a_header_holds,
    what_cannot_be_a_slot_is_refused_and_changes_nothing,
);

fn text(text: &str) -> Unlock {
    Unlock::Passphrase(Passphrase::new(Zeroizing::new(text.to_owned())))
}

fn credential(text: &str) -> Unlock {
    Unlock::Credential(Passphrase::new(Zeroizing::new(text.to_owned())))
}

fn called(label: &str) -> SlotOptions {
    SlotOptions {
        label: label.to_owned(),
        since: Some(1_800_000_000),
        kdf: KdfCost::throwaway(),
    }
}

fn key(fixture: &Fixture, name: &str) -> Unlock {
    Unlock::KeyFile(KeyFile::generate(&fixture.dir.path().join(name)).unwrap())
}

#[track_caller]
fn assert_refused(fixture: &Fixture, secret: &Unlock) {
    let refused = Store::open(&fixture.path(), secret).unwrap_err();
    assert!(matches!(refused, Error::WrongSecret { .. }), "{refused}");
}

fn each_slot_opens_the_store_by_itself(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    fixture.put("c", "a", b"1");
    let key = key(&fixture, "key");
    let secrets = [
        passphrase(),
        text("battery staple"),
        credential("from the manager"),
        key,
    ];
    for (secret, label) in secrets[1..].iter().zip(["olga", "service", "safe"]) {
        fixture.store().add_slot(secret, &called(label)).unwrap();
    }
    let slots = fixture.store().slots();
    let shown: Vec<_> = slots
        .iter()
        .map(|slot| (slot.id, slot.kind, slot.label.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (1, Some(SlotKind::Passphrase), ""),
            (2, Some(SlotKind::Passphrase), "olga"),
            (3, Some(SlotKind::Credential), "service"),
            (4, Some(SlotKind::KeyFile), "safe"),
        ]
    );
    assert_eq!(slots[1].cost, Some(KdfCost::throwaway()));
    assert_eq!(slots[1].since, Some(1_800_000_000));
    fixture.store = None;
    assert_eq!(Store::slots_in(&fixture.path()).unwrap(), slots);
    for (secret, id) in secrets.iter().zip(1..) {
        let store = Store::open(&fixture.path(), secret).unwrap();
        assert_eq!(&**store.read("c", "a").unwrap().unwrap().bytes, b"1");
        assert_eq!(store.slot_of(secret).unwrap(), Some(id));
        assert_eq!(store.slots(), slots);
    }
    // A text is a text, wherever it was read.
    open(&fixture.path()).unwrap();
    Store::open(&fixture.path(), &text("from the manager")).unwrap();
    Store::open(&fixture.path(), &credential("battery staple")).unwrap();
    assert_refused(&fixture, &text("another"));
}

fn a_removed_slot_opens_no_more_and_its_number_is_not_given_again(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let second = text("battery staple");
    fixture.store().add_slot(&second, &called("two")).unwrap();
    fixture.store().remove_slot(1).unwrap();
    assert_eq!(fixture.store().slot_of(&passphrase()).unwrap(), None);
    let last = fixture.store().remove_slot(2).unwrap_err();
    assert!(matches!(last, Error::LastSlot { id: 2 }), "{last}");
    let unknown = fixture.store().remove_slot(7).unwrap_err();
    assert!(matches!(unknown, Error::NoSuchSlot { id: 7 }), "{unknown}");
    fixture.store = None;
    assert_refused(&fixture, &passphrase());
    let store = Store::open(&fixture.path(), &second).unwrap();
    assert_eq!(store.add_slot(&passphrase(), &called("three")).unwrap(), 3);
    store.remove_slot(3).unwrap();
    assert_eq!(store.add_slot(&passphrase(), &called("four")).unwrap(), 4);
}

fn a_changed_slot_opens_with_the_new_secret_only(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let new = text("battery staple");
    fixture
        .store()
        .change_slot(1, &new, &called("new"))
        .unwrap();
    let missing = fixture.store().change_slot(2, &new, &called("new"));
    assert!(matches!(missing, Err(Error::NoSuchSlot { id: 2 })));
    fixture.store = None;
    assert_refused(&fixture, &passphrase());
    let store = Store::open(&fixture.path(), &new).unwrap();
    assert_eq!(store.slots().len(), 1);
    assert_eq!(store.slots()[0].label, "new");
}

fn the_same_passphrase_may_be_sealed_at_a_higher_cost(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    let dearer = SlotOptions {
        kdf: KdfCost::new(16, 2, 1).unwrap(),
        ..called("")
    };
    fixture
        .store()
        .change_slot(1, &passphrase(), &dearer)
        .unwrap();
    assert_eq!(fixture.store().slots()[0].cost, Some(dearer.kdf));
    fixture.reopen();
    assert_eq!(fixture.store().slots()[0].cost, Some(dearer.kdf));
}

fn what_cannot_be_a_slot_is_refused_and_changes_nothing(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let before = fs::read(fixture.path().join("store.json")).unwrap();
    let store = fixture.store();
    assert!(matches!(
        store.add_slot(&text(""), &called("")),
        Err(Error::EmptyPassphrase)
    ));
    for label in ["two\nlines", "\u{1b}[31m", &"x".repeat(101)] {
        assert!(matches!(
            store.add_slot(&text("abc"), &called(label)),
            Err(Error::SlotLabel { .. })
        ));
    }
    assert_eq!(fs::read(fixture.path().join("store.json")).unwrap(), before);
}

fn there_are_not_more_slots_than_a_header_holds(engine: EngineKind) {
    let fixture = Fixture::new(engine);
    let key = key(&fixture, "key");
    for _ in 1..32 {
        fixture.store().add_slot(&key, &called("")).unwrap();
    }
    assert!(matches!(
        fixture.store().add_slot(&key, &called("")),
        Err(Error::TooManySlots { limit: 32 })
    ));
}

fn a_change_that_cannot_be_written_leaves_what_was_in_force(engine: EngineKind) {
    let mut fixture = Fixture::new(engine);
    // The draft of a new header cannot be made where a directory stands.
    fs::create_dir(fixture.path().join("store.new")).unwrap();
    overwrite(fixture.path().join("store.new/occupied"), b"");
    let second = text("battery staple");
    assert!(matches!(
        fixture.store().add_slot(&second, &called("")),
        Err(Error::Io { .. })
    ));
    assert_eq!(fixture.store().slots().len(), 1);
    fs::remove_dir_all(fixture.path().join("store.new")).unwrap();
    assert_eq!(fixture.store().add_slot(&second, &called("")).unwrap(), 2);
    fixture.reopen();
    assert_eq!(fixture.store().slots().len(), 2);
}
