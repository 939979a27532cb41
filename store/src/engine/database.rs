//! Where a store lies that several machines share: which database, as whom, and under which name.
//!
//! It stands in a small file beside the header, and is no secret: the password lies in a file of its
//! own, which is named here and read anew for each connection.
//!
//! There is no connection in the clear to another machine, and none to a server that was not
//! verified: whoever is not on this machine has to show a certificate under the anchors named here.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::files::{self, IoContext};

/// The name of the file in a store's directory.
pub(crate) const DATABASE_FILE: &str = "database.json";

/// The largest such file that is read.
const LIMIT: usize = 64 * 1024;

/// The longest password, in bytes.
const LONGEST_PASSWORD: usize = 1024;

/// The longest name that PostgreSQL keeps whole, in bytes.
const IDENTIFIER: usize = 63;

/// Leases that leave time for a heartbeat, and that end before anybody has lost patience.
const LEASES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(2)..=Duration::from_secs(3600);

/// How the database of a shared store is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Database {
    /// Names or addresses of servers, of which one takes writes; or the directory of a Unix socket.
    pub hosts: Vec<String>,
    /// Their port.
    pub port: u16,
    /// The name of the database.
    pub database: String,
    /// The role.
    pub user: String,
    /// The schema in which the store's tables lie.
    pub schema: String,
    /// The file with the role's password, readable by its owner alone.
    pub password_file: Option<PathBuf>,
    /// The trust anchors for the server's certificate, PEM. Required unless it is on this machine.
    pub anchors: Option<PathBuf>,
    /// What the other machines are told when this one leads.
    pub machine: String,
    /// How long a leader is taken for alive after its last sign of life.
    pub lease: Lease,
}

/// How long a leader is taken for alive after its last sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lease {
    millis: u64,
}

impl Lease {
    /// A lease of this length.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        Self {
            millis: u64::try_from(length.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Its length.
    #[must_use]
    pub fn length(self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// How often a leader shows that it is alive. Two signs may be lost before anybody else leads.
    #[must_use]
    pub fn heartbeat(self) -> Duration {
        self.length() / 3
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new(Duration::from_secs(15))
    }
}

/// Why a database cannot be used as it is described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseFault {
    /// A server on another machine, and nothing to verify it with.
    #[error(
        "{host} is another machine: name the trust anchors for its certificate (anchors = \"ca.pem\")"
    )]
    Anchors {
        /// The server.
        host: String,
    },
    /// No server.
    #[error("name a server, or the directory of its Unix socket, as host")]
    Host,
    /// A lease that cannot be kept, or that never ends.
    #[error("a lease of {} s is not accepted: {} s to {} s are", .lease.as_secs_f64(), LEASES.start().as_secs(), LEASES.end().as_secs())]
    Lease {
        /// What was asked for.
        lease: Duration,
    },
    /// A name with control characters, empty, or too long.
    #[error("{what}: 1 to {IDENTIFIER} printable characters are wanted")]
    Name {
        /// Which one.
        what: &'static str,
    },
    /// A schema that is not a plain name.
    #[error("schema: `a` to `z`, `0` to `9` and `_` are wanted, a letter first")]
    Schema,
}

/// Why a store's directory does not tell in which database the store lies.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The file with the role's password is readable by others than its owner.
    #[error("password file {path} may be read by others (mode {mode:04o}): run `chmod 600` on it")]
    ExposedPassword {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not describe a database.
    #[error(
        "{path} does not describe a database: remove it, and it is written anew from the configuration"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The database is not described well enough to be trusted.
    #[error("{path}: {fault}")]
    Refused {
        /// The file that describes it.
        path: PathBuf,
        /// What is wrong with it.
        fault: DatabaseFault,
    },
}

impl Database {
    /// Refuses what could not be connected to safely.
    ///
    /// # Errors
    /// The first [`DatabaseFault`].
    pub fn check(&self) -> Result<(), DatabaseFault> {
        if self.hosts.is_empty() || self.hosts.iter().any(String::is_empty) {
            return Err(DatabaseFault::Host);
        }
        if self.anchors.is_none()
            && let Some(host) = self.hosts.iter().find(|host| !is_local(host))
        {
            return Err(DatabaseFault::Anchors { host: host.clone() });
        }
        for (what, name) in [
            ("database", &self.database),
            ("user", &self.user),
            ("machine", &self.machine),
        ] {
            if !(1..=IDENTIFIER).contains(&name.len()) || name.chars().any(char::is_control) {
                return Err(DatabaseFault::Name { what });
            }
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.schema.len() > IDENTIFIER
            || !self.schema.starts_with(|c: char| c.is_ascii_lowercase())
            || !self.schema.chars().all(plain)
        {
            return Err(DatabaseFault::Schema);
        }
        if !LEASES.contains(&self.lease.length()) {
            let lease = self.lease.length();
            return Err(DatabaseFault::Lease { lease });
        }
        Ok(())
    }

    /// Whether the store of this directory lies in a database.
    #[must_use]
    pub fn is_named_in(dir: &Path) -> bool {
        dir.join(DATABASE_FILE).symlink_metadata().is_ok()
    }

    /// Notes in the store's directory, which is made if it is not there, where the store lies. What names a file
    /// names it from wherever one stands.
    ///
    /// # Errors
    /// [`DatabaseError::Refused`], [`Error::Io`].
    pub fn name_in(&self, dir: &Path) -> Result<()> {
        let path = dir.join(DATABASE_FILE);
        self.check().map_err(|fault| DatabaseError::Refused {
            path: path.clone(),
            fault,
        })?;
        let whole = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| absolute(path).while_trying("locate", path))
                .transpose()
        };
        let described = Self {
            password_file: whole(&self.password_file)?,
            anchors: whole(&self.anchors)?,
            ..self.clone()
        };
        if Self::read(dir).is_ok_and(|named| named == described) {
            return Ok(());
        }
        match files::create_private_dir(dir) {
            Ok(()) => files::sync_parent(dir)?,
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let mut text = serde_json::to_vec_pretty(&described)
            .map_err(std::io::Error::from)
            .while_trying("encode", &path)?;
        text.push(b'\n');
        files::replace_among_others(&path, &text)
    }

    /// Where the store of this directory lies.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(DATABASE_FILE);
        let text = files::read_bounded(&path, LIMIT).while_trying("read", &path)?;
        let database: Self = text
            .and_then(|text| serde_json::from_slice(&text).ok())
            .ok_or_else(|| DatabaseError::Malformed { path: path.clone() })?;
        match database.check() {
            Ok(()) => Ok(database),
            Err(fault) => Err(DatabaseError::Refused { path, fault }.into()),
        }
    }

    /// The role's password, if one is named.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    pub(crate) fn password(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        let file = File::open(path).while_trying("open password file", path)?;
        let mode = file
            .metadata()
            .while_trying("inspect", path)?
            .permissions()
            .mode()
            & 0o7777;
        if mode & 0o077 != 0 {
            return Err(DatabaseError::ExposedPassword {
                path: path.clone(),
                mode,
            }
            .into());
        }
        // Room for all of it from the beginning: a buffer that moves leaves a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_PASSWORD + 1));
        file.take(LONGEST_PASSWORD as u64)
            .read_to_end(&mut text)
            .while_trying("read", path)?;
        let line = text.strip_suffix(b"\n").unwrap_or(&text);
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        text.truncate(length);
        Ok(Some(text))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.join(" or ");
        let (database, schema) = (&self.database, &self.schema);
        write!(f, "schema {schema} of {database} at {hosts}:{}", self.port)
    }
}

/// Whether a server is reached without leaving this machine.
pub(crate) fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Database {
        Database {
            hosts: vec!["127.0.0.1".into()],
            port: 5432,
            database: "countersign".into(),
            user: "countersign".into(),
            schema: "countersign".into(),
            password_file: None,
            anchors: None,
            machine: "left".into(),
            lease: Lease::default(),
        }
    }

    #[test]
    fn another_machine_has_to_be_verified() {
        for host in ["127.0.0.1", "::1", "localhost", "/run/postgresql"] {
            let hosts = vec![host.to_owned()];
            assert_eq!(
                Database {
                    hosts,
                    ..database()
                }
                .check(),
                Ok(()),
                "{host}"
            );
        }
        for host in ["db.example", "10.1.2.3", "localhost.example", "fe80::1"] {
            let hosts = vec!["127.0.0.1".to_owned(), host.to_owned()];
            let remote = Database {
                hosts,
                ..database()
            };
            let host = host.to_owned();
            assert_eq!(remote.check(), Err(DatabaseFault::Anchors { host }));
            let anchors = Some("ca.pem".into());
            assert_eq!(Database { anchors, ..remote }.check(), Ok(()));
        }
    }

    #[test]
    fn a_schema_is_a_plain_name() {
        for schema in ["", "1a", "a-b", "a\"; drop", "Ab", "_a", &"a".repeat(64)] {
            let schema = schema.to_owned();
            assert_eq!(
                Database {
                    schema,
                    ..database()
                }
                .check(),
                Err(DatabaseFault::Schema)
            );
        }
    }

    #[test]
    fn a_lease_leaves_time_for_a_heartbeat() {
        for millis in [0, 100, 1_999, 3_600_001] {
            let lease = Lease::new(Duration::from_millis(millis));
            assert!(matches!(
                Database {
                    lease,
                    ..database()
                }
                .check(),
                Err(DatabaseFault::Lease { .. })
            ));
        }
    }

    #[test]
    fn what_is_named_is_read_back_and_a_foreign_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        assert!(!Database::is_named_in(&store));
        database().name_in(&store).unwrap();
        assert!(Database::is_named_in(&store));
        assert_eq!(Database::read(&store).unwrap(), database());
        let password_file = Some("password".into());
        let relative = Database {
            password_file,
            ..database()
        };
        relative.name_in(&store).unwrap();
        let read = Database::read(&store).unwrap();
        assert!(read.password_file.unwrap().is_absolute());
        files::replace(&store.join(DATABASE_FILE), b"{}").unwrap();
        assert!(matches!(
            Database::read(&store),
            Err(Error::Database(DatabaseError::Malformed { .. }))
        ));
    }

    #[test]
    fn a_password_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        files::write_private(&path, b"tr0ub4dor\r\n").unwrap();
        let database = Database {
            password_file: Some(path.clone()),
            ..database()
        };
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(
            database.password(),
            Err(Error::Database(DatabaseError::ExposedPassword {
                mode: 0o640,
                ..
            }))
        ));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(**database.password().unwrap().unwrap(), *b"tr0ub4dor");
    }
}
