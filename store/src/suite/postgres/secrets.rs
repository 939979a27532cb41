//! Slots and the master key of a store that two machines share: what one of them changed holds for the other.

use countersign_peers::SharedPostgres;
use zeroize::Zeroizing;

use super::{Pair, assert_lost, passphrase};
use crate::{
    Error, Expect, KdfCost, KeyFile, Passphrase, ResealState, SlotInfo, SlotOptions, Store,
    Transaction, Unlock,
};

const RECORDS: usize = 30;

type Change = fn(&Store) -> Result<(), Error>;

fn cheap(label: &str) -> SlotOptions {
    SlotOptions {
        label: label.to_owned(),
        since: None,
        kdf: KdfCost::throwaway(),
    }
}

fn text(text: &str) -> Unlock {
    Unlock::Passphrase(Passphrase::new(Zeroizing::new(text.to_owned())))
}

fn ids(slots: &[SlotInfo]) -> Vec<u32> {
    slots.iter().map(|slot| slot.id).collect()
}

#[track_caller]
fn assert_wrong<T>(outcome: Result<T, Error>) {
    let error = outcome.map(drop).unwrap_err();
    assert!(matches!(error, Error::WrongSecret { .. }), "{error:?}");
}

fn fill(store: &Store) {
    let mut transaction = Transaction::new();
    for number in 0..RECORDS {
        let id = format!("{number:03}");
        transaction.put("c", &id, id.clone().into_bytes(), Expect::Absent);
        transaction.append("j", id.into_bytes());
    }
    store.transact(transaction).unwrap();
}

#[track_caller]
fn assert_whole(store: &Store) {
    assert_eq!(store.list("c").unwrap().len(), RECORDS);
    assert_eq!(store.journal("j").unwrap().len(), RECORDS);
    assert_eq!(store.verify().unwrap().damage, []);
}

/// As far as a rekey goes in so many steps.
fn steps(store: &Store, count: usize) {
    for _ in 0..count {
        assert_eq!(store.rekey_step(7).unwrap().state, ResealState::UnderWay);
    }
}

fn finish(store: &Store) {
    loop {
        match store.rekey_step(7).unwrap().state {
            ResealState::UnderWay => {}
            ResealState::Finished => break,
            ResealState::Obstructed => panic!("nothing was damaged"),
        }
    }
    store.end_rekey().unwrap();
}

#[test]
fn a_slot_that_one_machine_changed_is_changed_for_the_other() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let right = pair.machine("right");
    let key = Unlock::KeyFile(KeyFile::generate(&pair.dir.path().join("key")).unwrap());
    let left = pair.init().unwrap();
    fill(&left);
    assert_eq!(left.add_slot(&key, &cheap("right")).unwrap(), 2);
    // The one that follows knows at once.
    Store::try_secret(&right, &key).unwrap();
    assert_eq!(Store::slots_in(&right).unwrap(), left.slots());
    drop(left);

    let store = Store::open(&right, &key).unwrap();
    assert_whole(&store);
    store.remove_slot(1).unwrap();
    assert_wrong(Store::try_secret(&pair.machine("left"), &passphrase()));
    let third = text("battery staple");
    assert_eq!(store.add_slot(&third, &cheap("olga")).unwrap(), 3);
    let fourth = text("horse battery");
    store.change_slot(3, &fourth, &cheap("olga")).unwrap();
    drop(store);

    for wrong in [passphrase(), third] {
        assert_wrong(Store::open(&pair.machine("left"), &wrong));
    }
    let store = Store::open(&pair.machine("left"), &fourth).unwrap();
    assert_eq!(ids(&store.slots()), [2, 3]);
    assert_whole(&store);
}

#[test]
fn who_follows_is_told_that_its_secret_opens_nothing_any_more() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let left = pair.init().unwrap();
    let led = |outcome: Result<Store, Error>| {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Led { .. }), "{error:?}");
    };
    led(pair.open("right"));
    let other = text("battery staple");
    left.change_slot(1, &other, &cheap("")).unwrap();
    // As often as it asks, and nobody had to end for it.
    for _ in 0..2 {
        assert_wrong(pair.open("right"));
    }
    led(Store::open(&pair.machine("right"), &other));
    assert_eq!(left.leadership().unwrap().standing(), Ok(()));
}

#[test]
fn who_does_not_lead_any_more_changes_no_slot_and_no_master_key() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let store = pair.init().unwrap();
    store.add_slot(&text("another"), &cheap("")).unwrap();
    drop(store);
    for change in [
        (|left| left.add_slot(&text("late"), &cheap("")).map(drop)) as Change,
        |left| left.change_slot(1, &text("late"), &cheap("")),
        |left| left.remove_slot(2),
        Store::begin_rekey,
    ] {
        let left = pair.open("left").unwrap();
        pair.let_the_lease_lapse(|sql| server.sql(sql));
        let right = pair.open("right").unwrap();
        let before = right.slots();
        assert_lost(change(&left));
        assert_eq!(left.slots(), before);
        // Nobody else takes it for changed, and no copy of it is left where it was wanted.
        drop((left, right));
        assert_eq!(Store::slots_in(&pair.machine("left")).unwrap(), before);
        let left = pair.open("left").unwrap();
        assert!(!left.is_rekeying());
    }
}

#[test]
fn a_rekey_that_its_leader_left_in_the_middle_is_ended_by_the_other() {
    for far in [0, 3] {
        let server = SharedPostgres::get();
        let pair = Pair::new(server.addr());
        let left = pair.init().unwrap();
        fill(&left);
        left.begin_rekey().unwrap();
        steps(&left, far);
        // Who follows meanwhile has a secret that still opens.
        Store::try_secret(&pair.machine("right"), &passphrase()).unwrap();
        pair.let_the_lease_lapse(|sql| server.sql(sql));

        let right = pair.open("right").unwrap();
        assert!(right.is_rekeying());
        assert_whole(&right);
        // Both at once would be the end of some record.
        assert_lost(left.rekey_step(7));
        assert_lost(left.end_rekey());
        finish(&right);
        assert_eq!((right.epoch(), right.is_rekeying()), (2, false));
        drop(left);
        drop(right);

        let left = pair.open("left").unwrap();
        assert_eq!((left.epoch(), left.is_rekeying()), (2, false));
        assert_whole(&left);
    }
}

#[test]
fn a_rekey_that_was_ended_on_one_machine_is_ended_on_the_other() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let left = pair.init().unwrap();
    fill(&left);
    left.begin_rekey().unwrap();
    drop(left);
    let right = pair.open("right").unwrap();
    steps(&right, 2);
    drop(right);
    let left = pair.open("left").unwrap();
    assert!(left.is_rekeying());
    // A slot that is added in between opens what is left under either key.
    let second = text("battery staple");
    left.add_slot(&second, &cheap("")).unwrap();
    finish(&left);
    assert_eq!(left.epoch(), 2, "no third master key was made");
    drop(left);
    let right = Store::open(&pair.machine("right"), &second).unwrap();
    assert_eq!((right.epoch(), right.is_rekeying()), (2, false));
    assert_whole(&right);
}
