//! Connections break, and servers go away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use countersign_peers::{Postgres, SharedPostgres, eventually};

use super::{Pair, append, said};
use crate::{Ended, Error, Expect, Lease, PostgresError, Record, Transaction};

/// Breaks every connection of a machine to its store, again and again, for as long as it lives.
struct Breaker {
    going: Arc<AtomicBool>,
    thread: Option<JoinHandle<u32>>,
}

impl Breaker {
    fn of(pair: &Pair, machine: &str) -> Self {
        let statement = pair.breaking(machine);
        let going = Arc::new(AtomicBool::new(true));
        let goes_on = going.clone();
        let thread = thread::spawn(move || {
            let server = SharedPostgres::get();
            let mut broken = 0;
            while goes_on.load(Ordering::Acquire) {
                broken += server.sql(&statement).parse::<u32>().unwrap();
            }
            broken
        });
        Self {
            going,
            thread: Some(thread),
        }
    }

    /// How many connections it has broken.
    fn end(mut self) -> u32 {
        self.going.store(false, Ordering::Release);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        self.going.store(false, Ordering::Release);
    }
}

#[test]
fn what_was_acknowledged_is_there_once_however_often_the_connection_breaks() {
    const WRITES: u64 = 60;
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let store = pair.init().unwrap();
    let breaker = Breaker::of(&pair, "left");
    for number in 1..=WRITES {
        let mut transaction = Transaction::new();
        transaction.append_at("stream", number, number.to_be_bytes().to_vec());
        store.transact(transaction).unwrap();
    }
    let broken = breaker.end();
    assert!(broken > 0, "no connection was broken");
    let entries = store.journal("stream").unwrap();
    let numbers: Vec<_> = entries
        .iter()
        .map(|entry| u64::from_be_bytes((**entry.bytes).try_into().unwrap()))
        .collect();
    assert_eq!(numbers, (1..=WRITES).collect::<Vec<_>>());
    assert_eq!(store.verify().unwrap().damage, []);
    assert_eq!(store.leadership().unwrap().epoch(), 1);
}

#[test]
fn a_reader_is_given_one_state_however_often_the_connection_breaks() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let store = pair.init().unwrap();
    let write = |number: u64| {
        let mut transaction = Transaction::new();
        for id in 0..20 {
            let bytes = number.to_be_bytes().to_vec();
            transaction.put("c", &format!("{id:02}"), bytes, Expect::Any);
        }
        store.transact(transaction).unwrap();
    };
    write(0);
    let breaker = Breaker::of(&pair, "left");
    thread::scope(|scope| {
        let writer = scope.spawn(|| (1..=5).for_each(write));
        let mut last = Vec::new();
        while !writer.is_finished() {
            let records = store.list("c").unwrap();
            assert_eq!(records.len(), 20);
            let bytes = |record: &Record| (**record.bytes).to_vec();
            let first = bytes(&records[0]);
            assert!(records.iter().all(|record| bytes(record) == first));
            assert!(first >= last, "an older state came after a newer one");
            last = first;
        }
        writer.join().unwrap();
    });
    assert!(breaker.end() > 0, "no connection was broken");
}

#[test]
fn a_view_whose_connection_broke_goes_on_as_it_was_or_says_that_it_cannot() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let store = pair.init().unwrap();
    append(&store, b"1").unwrap();
    let view = store.snapshot().unwrap();
    let break_all = || {
        eventually("no connection is left", || {
            (server.sql(&pair.breaking("left")) == "0").then_some(())
        });
    };
    break_all();
    assert_eq!(view.journal("stream").unwrap().len(), 1);
    // Something is written, and then it breaks once more: what the view has shown can be had no more.
    append(&store, b"2").unwrap();
    break_all();
    let lost = said(view.journal("stream").unwrap_err());
    assert!(matches!(lost, PostgresError::Overtaken { .. }), "{lost:?}");
    assert_eq!(store.journal("stream").unwrap().len(), 2);
}

#[test]
fn a_server_that_is_restarted_within_the_lease_is_waited_for() {
    let mut server = Postgres::start();
    let pair = Pair::new(server.addr());
    let store = pair.init().unwrap();
    append(&store, b"before").unwrap();
    server.crash();
    thread::scope(|scope| {
        let writer = scope.spawn(|| append(&store, b"during"));
        server.launch();
        writer.join().unwrap().unwrap();
    });
    assert_eq!(store.journal("stream").unwrap().len(), 2);
    assert_eq!(store.leadership().unwrap().epoch(), 1);
}

#[test]
fn a_leader_that_cannot_reach_the_database_stops_before_its_lease_is_over() {
    let mut server = Postgres::start();
    let pair = Pair::described(server.addr(), |database| {
        database.lease = Lease::new(Duration::from_secs(3));
    });
    let store = pair.init().unwrap();
    let leadership = store.leadership().unwrap();
    server.stop();
    let ended = eventually("it has noticed", || leadership.standing().err());
    assert_eq!(ended, Ended::Lapsed);
    server.launch();
    // Nobody else has taken the lease, and still it is over.
    let refused = append(&store, b"too late").unwrap_err();
    assert!(
        matches!(refused, Error::LeadershipLost { .. }),
        "{refused:?}"
    );
    drop(store);
    let store = pair.open("left").unwrap();
    assert_eq!(store.journal("stream").unwrap().len(), 0);
    append(&store, b"in a new term").unwrap();
}

#[test]
fn a_lock_that_is_held_for_a_while_is_waited_for() {
    let server = Postgres::start();
    let pair = Pair::described(server.addr(), |database| {
        database.lease = Lease::new(Duration::from_secs(12));
    });
    let store = pair.init().unwrap();
    server.sql("CREATE TABLE public.enough ()");
    // As a connection of ours does that broke while its statement went on; it ends by itself if this test fails.
    let hold = format!(
        "DO $$ BEGIN
             PERFORM FROM {}.lease FOR UPDATE;
             FOR i IN 1..600 LOOP
                 EXIT WHEN EXISTS (SELECT FROM public.enough);
                 PERFORM pg_sleep(0.05);
             END LOOP;
         END $$",
        pair.schema
    );
    thread::scope(|scope| {
        scope.spawn(|| server.sql(&hold));
        eventually("the lock is held", || {
            let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            (server.sql(sleeping) == "1").then_some(())
        });
        let writer = scope.spawn(|| append(&store, b"1"));
        eventually("the write was refused once", || {
            let log = server.log();
            log.split_once("due to lock timeout")
                .filter(|(_, more)| more.contains("WITH fence"))
                .map(drop)
        });
        server.sql("INSERT INTO public.enough DEFAULT VALUES");
        writer.join().unwrap().unwrap();
    });
    assert_eq!(store.journal("stream").unwrap().len(), 1);
    assert_eq!(store.leadership().unwrap().epoch(), 1);
}
