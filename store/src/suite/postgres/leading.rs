//! One of two machines leads, and the one that does not can do no harm.

use std::time::Duration;

use countersign_peers::{SharedPostgres, eventually};

use super::{Pair, append, assert_lost, passphrase};
use crate::{Ended, Error, Lease, Passphrase, Store, Unlock};

#[test]
fn one_of_two_machines_leads_and_the_other_is_told_which() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let left = pair.init().unwrap();
    append(&left, b"of the left one").unwrap();
    let refused = pair.open("right").unwrap_err();
    assert!(
        matches!(&refused, Error::Led { leader } if leader.machine == "left"),
        "{refused:?}"
    );
    let leader = Store::leader(&pair.machine("right")).unwrap().unwrap();
    assert_eq!((leader.machine.as_str(), leader.epoch), ("left", 1));
    // Whoever leaves in good order gives the lease back, and nobody has to wait.
    drop(left);
    assert_eq!(Store::leader(&pair.machine("right")).unwrap(), None);
    let right = pair.open("right").unwrap();
    assert_eq!(right.leadership().unwrap().epoch(), 2);
    assert_eq!(
        *right.journal("stream").unwrap()[0].bytes,
        *b"of the left one"
    );
    assert!(matches!(pair.open("left"), Err(Error::Led { .. })));
}

/// The one that led and has not heard that it does no more, and the one that leads now; both have written.
fn taken_over(pair: &Pair, server: &SharedPostgres) -> (Store, Store) {
    let left = pair.init().unwrap();
    append(&left, b"1").unwrap();
    pair.let_the_lease_lapse(|sql| server.sql(sql));
    let right = pair.open("right").unwrap();
    append(&right, b"2").unwrap();
    (left, right)
}

#[test]
fn a_leader_whose_lease_was_taken_neither_writes_nor_reads() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let (left, right) = taken_over(&pair, &server);
    // It does not know yet: the database tells it.
    assert_eq!(left.leadership().unwrap().standing(), Ok(()));
    assert_lost(append(&left, b"3"));
    assert_lost(left.read("c", "a"));
    assert_lost(left.journal("stream"));
    assert_lost(left.verify());
    assert!(matches!(
        left.leadership().unwrap().standing(),
        Err(Ended::Superseded { .. })
    ));
    drop(left);
    assert_eq!(right.journal("stream").unwrap().len(), 2);
    assert_eq!(right.verify().unwrap().damage, []);
    assert_eq!(right.leadership().unwrap().standing(), Ok(()));
}

#[test]
fn reading_under_a_lost_lease_is_refused_and_not_taken_for_damage() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let (left, _right) = taken_over(&pair, &server);
    assert_lost(left.journal("stream"));
    // That is heard of by everybody who asks, not by the reader alone.
    assert!(matches!(
        left.leadership().unwrap().standing(),
        Err(Ended::Superseded { .. })
    ));
}

#[test]
fn signs_of_life_keep_a_leader_in_place_beyond_its_lease() {
    let server = SharedPostgres::get();
    let pair = Pair::described(server.addr(), |database| {
        database.lease = Lease::new(Duration::from_secs(2));
    });
    let store = pair.init().unwrap();
    eventually("two leases have gone by", || {
        let gone = server.sql(&format!(
            "SELECT clock_timestamp() > since + interval '4 s' FROM {}.lease",
            pair.schema
        ));
        (gone == "t").then_some(())
    });
    assert_eq!(store.leadership().unwrap().standing(), Ok(()));
    assert!(matches!(pair.open("right"), Err(Error::Led { .. })));
    append(&store, b"still here").unwrap();
}

#[test]
fn a_secret_is_tried_without_leading() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let _left = pair.init().unwrap();
    let right = pair.machine("right");
    Store::try_secret(&right, &passphrase()).unwrap();
    let wrong = Unlock::Passphrase(Passphrase::new("wrong horse".to_owned().into()));
    assert!(matches!(
        Store::try_secret(&right, &wrong),
        Err(Error::WrongSecret { .. })
    ));
    assert_eq!(Store::leader(&right).unwrap().unwrap().epoch, 1);
}

#[test]
fn a_wrong_secret_gives_the_lease_back() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    drop(pair.init().unwrap());
    let wrong = Unlock::Passphrase(Passphrase::new("wrong horse".to_owned().into()));
    let refused = Store::open(&pair.machine("left"), &wrong).unwrap_err();
    assert!(matches!(refused, Error::WrongSecret { .. }), "{refused:?}");
    pair.open("right").unwrap();
}
