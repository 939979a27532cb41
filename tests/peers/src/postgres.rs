//! PostgreSQL, started for tests and gone with them.
//!
//! Making a cluster takes seconds and most tests want no more than a schema of their own. So there is one
//! server that all tests of a run share, whichever process they are in, and there are private ones for tests
//! that stop, cut off or refuse them.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::identity::Identity;
use crate::process::{Port, Process, eventually, find_program, run, write_file};

/// The role of the tests, and the owner of their database.
pub const ROLE: &str = "countersign";
/// Its password.
pub const PASSWORD: &str = "correct-horse-battery-staple";
/// The database of the tests.
pub const DATABASE: &str = "countersign";

/// How long a shared server outlives the last of its users, in seconds: the next test may be about to begin.
const LINGER: u32 = 10;

/// A PostgreSQL server of one test's own.
pub struct Postgres {
    // Dropped in this order: the process before the files that it writes.
    process: Option<Process>,
    port: Port,
    address: SocketAddr,
    directory: TempDir,
}

/// A server that is there for as long as somebody holds one of these.
pub struct SharedPostgres {
    address: SocketAddr,
    /// Locked for as long as the server is needed.
    _claim: File,
}

impl SharedPostgres {
    /// The server of this run; started by whoever asks first.
    pub fn get() -> Self {
        let root = shared_directory();
        let claim = open(&root.join("claims"));
        loop {
            // Whoever starts the server and whoever ends it do so alone.
            let turn = open(&root.join("turn"));
            flock(&turn, FlockOperation::LockExclusive).expect("a file can be locked");
            flock(&claim, FlockOperation::LockShared).expect("a file can be locked");
            if let Some(address) = fs::read_to_string(root.join("address"))
                .ok()
                .and_then(|text| text.trim().parse::<SocketAddr>().ok())
            {
                if std::net::TcpStream::connect(address).is_ok() {
                    return Self {
                        address,
                        _claim: claim,
                    };
                }
                // It died without cleaning up, such as with the machine.
                let _ = fs::remove_file(root.join("address"));
            }
            start_shared(&root);
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

/// Belongs to this user and to this build, and to nothing else.
fn shared_directory() -> PathBuf {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    let build = BuildHasherDefault::<DefaultHasher>::default().hash_one(env!("CARGO_MANIFEST_DIR"));
    let user = rustix::process::geteuid().as_raw();
    let path = std::env::temp_dir().join(format!("countersign-postgres-{user}-{build:016x}"));
    fs::create_dir_all(&path).expect("a directory can be made");
    // The server leaves root's identity behind and must still reach its files.
    fs::set_permissions(&path, PermissionsExt::from_mode(0o711)).expect("it is ours");
    path
}

fn open(path: &Path) -> File {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()))
}

/// Starts the server in the care of a process that outlives this one, and ends with the last user.
#[expect(
    clippy::zombie_processes,
    reason = "the keeper outlives us: it serves the tests of other processes, and ends by itself"
)]
fn start_shared(root: &Path) {
    let data = root.join("data");
    let _ = fs::remove_dir_all(&data);
    let port = Port::claim();
    initialize(&data, port.addr(), "");
    let keeper = format!(
        "postgres=$1 root=$2 owner=$3
         setpriv --reuid \"$owner\" --regid \"$owner\" --clear-groups \"$postgres\" -D \"$root/data\" &
         server=$!
         while :; do
             flock -x \"$root/claims\" true
             sleep {LINGER}
             exec 9>\"$root/turn\"
             flock -x 9
             if flock -xn \"$root/claims\" true; then
                 rm -f \"$root/address\"
                 kill -INT $server
                 wait $server
                 rm -rf \"$root/data\"
                 exit
             fi
             exec 9>&-
         done"
    );
    let log = File::create(root.join("log")).expect("a log can be made");
    Command::new("sh")
        .args(["-c", &keeper, "keeper"])
        .arg(program("postgres"))
        .arg(root)
        .arg(owner().0.to_string())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .spawn()
        .expect("sh can be run");
    prepare(port.addr(), &data);
    write_file(&root.join("address"), port.addr().to_string());
}

impl Postgres {
    /// Starts a server that takes connections in the clear, from this machine.
    pub fn start() -> Self {
        Self::with(None, None, "")
    }

    /// Starts a server with these settings besides.
    pub fn with_settings(settings: &str) -> Self {
        Self::with(None, None, settings)
    }

    /// Starts a server that takes no connection without TLS.
    pub fn with_tls(server: &Identity) -> Self {
        Self::with(Some(server), None, "")
    }

    /// Starts a server that takes no connection without TLS, and listens on another address of this machine.
    pub fn at(ip: std::net::IpAddr, server: &Identity) -> Self {
        Self::with(Some(server), Some(ip), "")
    }

    fn with(tls: Option<&Identity>, ip: Option<std::net::IpAddr>, settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711))
            .expect("it is ours");
        let data = directory.path().join("data");
        let port = Port::claim();
        let address = SocketAddr::new(ip.unwrap_or(port.addr().ip()), port.number());
        let mut settings = settings.to_owned();
        if tls.is_some() {
            settings += "\nssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.pem'\n";
        }
        initialize(&data, address, &settings);
        if let Some(identity) = tls {
            let path = data.join("server.pem");
            write_file(&path, identity.bundle_pem());
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("it is ours");
            let (user, group) = owner();
            chown(&path, Some(user), Some(group)).expect("root may give a file away");
            let rules = "local all all trust\nhostssl all all all scram-sha-256\n";
            write_file(&data.join("pg_hba.conf"), rules);
        }
        let mut server = Self {
            process: None,
            port,
            address,
            directory,
        };
        server.launch();
        prepare(server.address, &data);
        server
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Starts it again after [`stop`](Self::stop).
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "it is running");
        let (user, group) = owner();
        let process = Process::spawn(
            Command::new(program("postgres"))
                .arg("-D")
                .arg(self.directory.path().join("data"))
                .uid(user)
                .gid(group),
            &self.directory.path().join("log"),
        )
        // Ends sessions at once, and itself in good order.
        .ended_by(Signal::INT);
        self.process = Some(process);
        let data = self.directory.path().join("data");
        eventually("the server answers", || {
            psql(&data, self.port.number(), "postgres", "SELECT 1").ok()
        });
    }

    /// Ends it in good order: sessions are told.
    pub fn stop(&mut self) {
        drop(self.process.take().expect("it is running"));
    }

    /// Ends it as a power cut does, as far as its clients see.
    pub fn crash(&mut self) {
        let process = self.process.take().expect("it is running");
        drop(process.ended_by(Signal::QUIT));
    }

    /// Everything in the database, as `pg_dump` writes it.
    pub fn dump(&self) -> Vec<u8> {
        dump(&self.directory.path().join("data"), self.port.number())
    }

    /// Runs a statement as the administrator; the answer without any decoration.
    pub fn sql(&self, statement: &str) -> String {
        let data = self.directory.path().join("data");
        psql(&data, self.port.number(), DATABASE, statement)
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// What it has to say about its work.
    pub fn log(&self) -> String {
        crate::process::read_lossy(&self.directory.path().join("log"))
    }
}

impl SharedPostgres {
    /// Everything in a schema, as `pg_dump` writes it.
    pub fn dump(&self) -> Vec<u8> {
        dump(&shared_directory().join("data"), self.address.port())
    }

    /// Runs a statement as the administrator; the answer without any decoration.
    pub fn sql(&self, statement: &str) -> String {
        let data = shared_directory().join("data");
        psql(&data, self.address.port(), DATABASE, statement)
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    }
}

/// Makes a cluster that listens there.
fn initialize(data: &Path, address: SocketAddr, settings: &str) {
    let (user, group) = owner();
    fs::create_dir(data).expect("the directory is new");
    chown(data, Some(user), Some(group)).expect("root may give a directory away");
    run(
        Command::new(program("initdb"))
            .args(["--username=postgres", "--auth=trust", "--no-locale"])
            .args(["--encoding=UTF8", "--no-sync", "--no-instructions", "-D"])
            .arg(data)
            .current_dir("/")
            .uid(user)
            .gid(group),
        b"",
    )
    .unwrap_or_else(|error| panic!("initdb: {error}"));
    let (ip, port) = (address.ip(), address.port());
    let mut text = fs::read_to_string(data.join("postgresql.conf")).expect("initdb wrote it");
    text += &format!(
        "\nlisten_addresses = '{ip}'\nport = {port}\nunix_socket_directories = '{}'\n\
         max_connections = 300\nshared_buffers = 16MB\nlog_min_messages = warning\n{settings}\n",
        data.display()
    );
    write_file(&data.join("postgresql.conf"), text);
    let rules = "local all all trust\nhost all all all scram-sha-256\n";
    write_file(&data.join("pg_hba.conf"), rules);
}

/// Waits for the server, and makes role and database.
fn prepare(address: SocketAddr, data: &Path) {
    let port = address.port();
    eventually("the server answers", || {
        psql(data, port, "postgres", "SELECT 1").ok()
    });
    for statement in [
        format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'"),
        format!("CREATE DATABASE {DATABASE} OWNER {ROLE}"),
    ] {
        psql(data, port, "postgres", &statement)
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

fn psql(data: &Path, port: u16, database: &str, statement: &str) -> Result<String, String> {
    let answer = run(
        Command::new(program("psql"))
            .args([
                "-X",
                "-q",
                "-t",
                "-A",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-h",
            ])
            .arg(data)
            .args(["-p", &port.to_string(), "-d", database, "-c", statement]),
        b"",
    )?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}

fn dump(data: &Path, port: u16) -> Vec<u8> {
    run(
        Command::new(program("pg_dump"))
            .args(["-U", "postgres", "-h"])
            .arg(data)
            .args(["-p", &port.to_string(), "-d", DATABASE]),
        b"",
    )
    .unwrap_or_else(|error| panic!("pg_dump: {error}"))
}

/// As whom the server runs: it refuses to be root.
fn owner() -> (u32, u32) {
    let own = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    if own.0 != 0 {
        return own;
    }
    let ask = |flag| {
        let answer = run(Command::new("id").args([flag, "postgres"]), b"").unwrap_or_else(|_| {
            panic!("there is no user postgres; run scripts/test, or: apt-get install -y postgresql")
        });
        String::from_utf8_lossy(&answer)
            .trim()
            .parse()
            .expect("a user has a number")
    };
    (ask("-u"), ask("-g"))
}

/// Debian keeps a directory for each version, and puts none of them on the PATH.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.sort();
    found
        .into_iter()
        .rev()
        .map(|version| version.join("bin").join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| find_program(name, "postgresql"))
}
