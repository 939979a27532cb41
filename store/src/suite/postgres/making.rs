//! How a store comes to be in a database, and how machines come to know of it.

use std::thread;

use countersign_peers::SharedPostgres;

use super::{Pair, database, options, passphrase, said};
use crate::{EngineKind, Error, PostgresError, Store};

#[test]
fn a_store_is_made_once_for_all_machines() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let nothing = said(pair.open("right").unwrap_err());
    assert!(
        matches!(nothing, PostgresError::NoStore { .. }),
        "{nothing:?}"
    );
    drop(pair.init().unwrap());
    let second = Store::init(
        &pair.machine("right"),
        &passphrase(),
        &options(EngineKind::Postgres),
    );
    assert!(matches!(second, Err(Error::AlreadyExists { .. })));
    // Values without a header are no room for a new store.
    server.sql(&format!(
        "DELETE FROM {}.meta WHERE name = 'header'",
        pair.schema
    ));
    let second = Store::init(
        &pair.machine("right"),
        &passphrase(),
        &options(EngineKind::Postgres),
    );
    assert!(matches!(second, Err(Error::HeaderMissing { .. })));
    assert!(matches!(
        pair.open("left"),
        Err(Error::HeaderMissing { .. })
    ));
}

#[test]
fn an_init_that_was_interrupted_is_simply_repeated() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let dir = pair.machine("left");
    drop(EngineKind::Postgres.create(&dir).unwrap());
    server.sql(&format!(
        "INSERT INTO {}.sealed VALUES ('x', 'y')",
        pair.schema
    ));
    let store = pair.init().unwrap();
    assert_eq!(store.verify().unwrap().damage, []);
}

#[test]
fn tables_of_a_newer_version_are_left_alone() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    drop(pair.init().unwrap());
    server.sql(&format!(
        "UPDATE {}.meta SET value = '2' WHERE name = 'layout'",
        pair.schema
    ));
    let refused = said(pair.open("left").unwrap_err());
    assert!(
        matches!(refused, PostgresError::Layout { .. }),
        "{refused:?}"
    );
}

#[test]
fn several_processes_may_note_where_a_store_lies_at_once() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let left = pair.init().unwrap();
    let dir = pair.machine("right");
    let described = database(server.addr(), &dir, &pair.schema);
    let mut other = described.clone();
    other.machine = "another name".to_owned();
    thread::scope(|scope| {
        for number in 0..8 {
            let (dir, described) = (&dir, if number % 2 == 0 { &described } else { &other });
            scope.spawn(move || {
                for _ in 0..20 {
                    described.name_in(dir).unwrap();
                }
                Store::try_secret(dir, &passphrase()).unwrap();
            });
        }
    });
    drop(left);
    pair.open("right").unwrap();
}
