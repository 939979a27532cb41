//! The master key is replaced, and interrupted, and what the old one opens afterwards.

use std::fs;

use zeroize::Zeroizing;

use super::{Fixture, for_each_embedded_engine, for_each_engine, open, overwrite, passphrase};
use crate::engine::EngineKind;
use crate::vault::epoch_of;
use crate::{
    Error, Expect, KdfCost, KeyFile, Passphrase, ResealState, SlotOptions, Store, Transaction,
    Unlock,
};

for_each_engine!(
    a_header_that_cannot_be_written_leaves_the_old_master_key_in_force,
    a_rekey_goes_on_wherever_it_was_interrupted,
    an_old_master_key_is_not_given_up_before_everything_is_sealed_anew,
    every_slot_opens_the_store_after_a_rekey_without_its_secret_at_hand,
    slots_may_change_while_the_master_key_is_being_replaced,
);

// In a database the header lies with the records.
for_each_embedded_engine!(after_a_rekey_the_old_header_opens_nothing);

const RECORDS: u64 = 40;

fn filled(engine: EngineKind) -> Fixture {
    let fixture = Fixture::new(engine);
    for number in 0..RECORDS / 2 {
        fixture.put(
            "c",
            &format!("{number:03}"),
            format!("record {number}").as_bytes(),
        );
        fixture.append("j", format!("event {number}").as_bytes());
    }
    fixture
}

#[track_caller]
fn assert_whole(store: &Store) {
    assert_eq!(store.list("c").unwrap().len() as u64, RECORDS / 2);
    assert_eq!(store.journal("j").unwrap().len() as u64, RECORDS / 2);
    assert_eq!(store.verify().unwrap().damage, []);
    assert_eq!(
        &**store.read("c", "007").unwrap().unwrap().bytes,
        b"record 7"
    );
}

fn rekey(store: &Store) {
    store.begin_rekey().unwrap();
    loop {
        let step = store.rekey_step(7).unwrap();
        assert_eq!(step.damage, []);
        match step.state {
            ResealState::UnderWay => {}
            ResealState::Finished => break,
            ResealState::Obstructed => panic!("nothing was damaged"),
        }
    }
    store.end_rekey().unwrap();
}

/// The epochs of everything that lies in the engine.
fn epochs(fixture: &Fixture) -> Vec<Option<u16>> {
    let engine = &fixture.store().inner.engine;
    let mut found = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = engine.page(b"", after.as_deref(), 100).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        found.extend(page.iter().map(|stored| epoch_of(&stored.value)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn every_slot_opens_the_store_after_a_rekey_without_its_secret_at_hand(engine: EngineKind) {
    let mut fixture = filled(engine);
    let key = KeyFile::generate(&fixture.dir.path().join("key")).unwrap();
    let key = Unlock::KeyFile(key);
    let cheap = SlotOptions {
        kdf: KdfCost::throwaway(),
        ..SlotOptions::default()
    };
    let second = Unlock::Passphrase(Passphrase::new(Zeroizing::new("battery".to_owned())));
    fixture.store().add_slot(&key, &cheap).unwrap();
    fixture.store().add_slot(&second, &cheap).unwrap();
    assert_eq!(epochs(&fixture), [Some(1)]);
    rekey(fixture.store());
    assert_eq!(epochs(&fixture), [Some(2)]);
    assert!(!fixture.store().is_rekeying());
    assert_whole(fixture.store());
    // And once more: the way into each slot was passed on.
    rekey(fixture.store());
    assert_eq!(epochs(&fixture), [Some(3)]);
    fixture.store = None;
    for secret in [&passphrase(), &key, &second] {
        let store = Store::open(&fixture.path(), secret).unwrap();
        assert_whole(&store);
    }
}

fn after_a_rekey_the_old_header_opens_nothing(engine: EngineKind) {
    let mut fixture = filled(engine);
    let header = fixture.path().join("store.json");
    let old = fs::read(&header).unwrap();
    rekey(fixture.store());
    fixture.store = None;
    let new = fs::read_to_string(&header).unwrap();
    assert!(!new.contains("\"epoch\":1"), "the old epoch is gone: {new}");
    overwrite(&header, &old);
    // The secret is the same, so the header opens; and with the old master key, nothing else does.
    match open(&fixture.path()) {
        Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{error}"),
        Ok(store) => {
            assert!(matches!(store.list("c"), Err(Error::Damaged { .. })));
            assert!(matches!(store.read("c", "007"), Err(Error::Damaged { .. })));
        }
    }
    overwrite(&header, new);
    assert_whole(&open(&fixture.path()).unwrap());
}

fn a_rekey_goes_on_wherever_it_was_interrupted(engine: EngineKind) {
    for interrupted_at in 0..8 {
        let mut fixture = filled(engine);
        fixture.store().begin_rekey().unwrap();
        for _ in 0..interrupted_at {
            fixture.store().rekey_step(7).unwrap();
            fixture.reopen();
            assert!(fixture.store().is_rekeying());
            // What is written meanwhile is not lost, and not sealed under what is given up.
            let mut transaction = Transaction::new();
            transaction.put("c", "007", b"record 7".to_vec(), Expect::Any);
            fixture.store().transact(transaction).unwrap();
        }
        fixture.reopen();
        assert_whole(fixture.store());
        rekey(fixture.store());
        fixture.reopen();
        assert!(!fixture.store().is_rekeying());
        assert_eq!(epochs(&fixture), [Some(2)]);
        assert_whole(fixture.store());
    }
}

fn an_old_master_key_is_not_given_up_before_everything_is_sealed_anew(engine: EngineKind) {
    let mut fixture = filled(engine);
    fixture.store().begin_rekey().unwrap();
    fixture.store().rekey_step(3).unwrap();
    let refused = fixture.store().end_rekey().unwrap_err();
    assert!(matches!(refused, Error::ResealingUnfinished), "{refused}");
    fixture.reopen();
    assert_whole(fixture.store());
}

fn slots_may_change_while_the_master_key_is_being_replaced(engine: EngineKind) {
    let mut fixture = filled(engine);
    fixture.store().begin_rekey().unwrap();
    fixture.store().rekey_step(3).unwrap();
    let cheap = SlotOptions {
        kdf: KdfCost::throwaway(),
        ..SlotOptions::default()
    };
    let second = Unlock::Passphrase(Passphrase::new(Zeroizing::new("battery".to_owned())));
    fixture.store().add_slot(&second, &cheap).unwrap();
    fixture.store().remove_slot(1).unwrap();
    fixture.store = None;
    let store = Store::open(&fixture.path(), &second).unwrap();
    assert_whole(&store);
    rekey(&store);
    drop(store);
    assert_whole(&Store::open(&fixture.path(), &second).unwrap());
}

fn a_header_that_cannot_be_written_leaves_the_old_master_key_in_force(engine: EngineKind) {
    let mut fixture = filled(engine);
    let obstacle = fixture.path().join("store.new");
    fs::create_dir(&obstacle).unwrap();
    overwrite(obstacle.join("occupied"), b"");
    assert!(fixture.store().begin_rekey().is_err());
    assert!(!fixture.store().is_rekeying());
    fixture.put("c", "007", b"record 7");
    assert_eq!(epochs(&fixture), [Some(1)]);
    fs::remove_dir_all(&obstacle).unwrap();
    fixture.reopen();
    rekey(fixture.store());
    assert_whole(fixture.store());
}
