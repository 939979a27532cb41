//! `[store.postgres]`: the database in which a store lies that machines share.

use std::fs;

use super::{
    raw::{RawEngine, RawHosts, RawPostgres},
    resolve::Resolving,
};
use crate::records::{Database, EngineKind, Lease};

/// What this machine is called, if nothing else is said.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// The port, the names of database, role and schema, if nothing else is said.
const PORT: u16 = 5432;
const NAME: &str = "countersign";

impl Resolving<'_> {
    /// What keeps the records, and in which database if it is one.
    pub(super) fn engine(
        &mut self,
        engine: Option<RawEngine>,
        postgres: Option<RawPostgres>,
    ) -> (EngineKind, Option<Database>) {
        match (engine, postgres) {
            (Some(RawEngine::Postgres), Some(postgres)) => {
                (EngineKind::Postgres, self.database(postgres))
            }
            (Some(RawEngine::Postgres), None) => {
                self.fault(
                    "store",
                    "engine = \"postgres\" and [store.postgres] go together",
                );
                (EngineKind::Postgres, None)
            }
            (engine, postgres) => {
                if postgres.is_some() {
                    self.fault(
                        "store.postgres",
                        "it is of use with engine = \"postgres\" in [store]",
                    );
                }
                match engine {
                    Some(RawEngine::Sled) => (EngineKind::Sled, None),
                    _ => (EngineKind::Redb, None),
                }
            }
        }
    }

    fn database(&mut self, raw: RawPostgres) -> Option<Database> {
        const PLACE: &str = "store.postgres";
        let named = |name: Option<String>| name.unwrap_or_else(|| NAME.to_owned());
        let anchors = raw.anchors.map(|path| {
            self.anchors("store.postgres.anchors", path.clone());
            self.path(path)
        });
        let machine = raw.machine.unwrap_or_else(|| {
            fs::read_to_string(HOSTNAME)
                .map(|name| name.trim().to_owned())
                .unwrap_or_default()
        });
        let database = Database {
            hosts: match raw.host {
                RawHosts::One(host) => vec![host],
                RawHosts::Several(hosts) => hosts,
            },
            port: raw.port.unwrap_or(PORT),
            database: named(raw.database),
            user: named(raw.user),
            schema: named(raw.schema),
            password_file: raw.password_file.map(|path| self.path(path)),
            anchors,
            machine,
            lease: raw
                .lease
                .map_or_else(Lease::default, |lease| Lease::new(lease.unsigned())),
        };
        match database.check() {
            Ok(()) => Some(database),
            Err(fault) => {
                self.fault(PLACE, fault);
                None
            }
        }
    }
}
