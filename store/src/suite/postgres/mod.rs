//! What only a store that is shared has to do: one leads, and whoever does not can do no harm.

mod breaking;
mod leading;
mod making;
mod secrets;
mod trust;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_peers::{DATABASE, PASSWORD, ROLE, SharedPostgres};
use tempfile::TempDir;

use super::{open, options, passphrase};
use crate::{
    Database, Ended, EngineError, EngineKind, Error, Lease, PostgresError, Store, Transaction,
};

/// Names a schema of its own for the store of this directory, on the server of this run.
pub(super) fn name_schema(dir: &Path) -> SharedPostgres {
    let server = SharedPostgres::get();
    let schema = schema_of(dir);
    database(server.addr(), dir, &schema).name_in(dir).unwrap();
    server
}

/// A name that no other directory gives.
fn schema_of(dir: &Path) -> String {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    let name = BuildHasherDefault::<DefaultHasher>::default().hash_one(dir);
    format!("s{name:016x}")
}

/// A schema on a server of the tests, for the machine that is called as its directory.
fn database(server: SocketAddr, dir: &Path, schema: &str) -> Database {
    let password = dir.with_extension("password");
    if !password.exists() {
        crate::files::write_private(&password, PASSWORD.as_bytes()).unwrap();
    }
    Database {
        hosts: vec![server.ip().to_string()],
        port: server.port(),
        database: DATABASE.to_owned(),
        user: ROLE.to_owned(),
        schema: schema.to_owned(),
        password_file: Some(password),
        anchors: None,
        machine: dir.file_name().unwrap().to_str().unwrap().to_owned(),
        lease: Lease::new(Duration::from_secs(30)),
    }
}

/// Two machines that share a store.
struct Pair {
    dir: TempDir,
    schema: String,
}

impl Pair {
    fn new(server: SocketAddr) -> Self {
        Self::described(server, |_| {})
    }

    fn described(server: SocketAddr, change: impl Fn(&mut Database)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let schema = schema_of(dir.path());
        let pair = Self { dir, schema };
        for machine in ["left", "right"] {
            let dir = pair.machine(machine);
            let mut database = database(server, &dir, &pair.schema);
            change(&mut database);
            database.name_in(&dir).unwrap();
        }
        pair
    }

    fn machine(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn init(&self) -> Result<Store, Error> {
        let options = options(EngineKind::Postgres);
        Store::init(&self.machine("left"), &passphrase(), &options)
    }

    fn open(&self, name: &str) -> Result<Store, Error> {
        open(&self.machine(name))
    }

    /// The statement that breaks every connection of a machine, and counts them.
    fn breaking(&self, machine: &str) -> String {
        format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE application_name = 'countersign on {machine}' AND query LIKE '%\"{}\"%'",
            self.schema
        )
    }

    /// As if a lease's time had gone by without a sign of life.
    fn let_the_lease_lapse(&self, sql: impl Fn(&str) -> String) {
        sql(&format!(
            "UPDATE {}.lease SET expires = clock_timestamp()",
            self.schema
        ));
    }
}

fn append(store: &Store, bytes: &[u8]) -> Result<(), Error> {
    let mut transaction = Transaction::new();
    transaction.append("stream", bytes.to_vec());
    store.transact(transaction)
}

/// Refused, because another machine has taken the lease.
#[track_caller]
fn assert_lost<T>(outcome: Result<T, Error>) {
    match outcome {
        Err(Error::LeadershipLost {
            ended: Ended::Superseded { .. },
        }) => {}
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was not refused"),
    }
}

/// What the database itself said.
fn said(error: Error) -> PostgresError {
    match error {
        Error::Engine { source, .. } => match *source {
            EngineError::Postgres(error) => error,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
