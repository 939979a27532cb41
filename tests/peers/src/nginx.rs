//! nginx as the partner's gateway.

mod config;
mod log;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

pub use self::log::LogEntry;
use crate::gateway::Gateway;
use crate::process::{Port, Process, eventually, find_program, read_lossy};

/// A running nginx. As a gateway it answers 400 to a missing or unacceptable client
/// certificate, after a handshake that succeeds, and 403 to one that is not pinned.
pub struct Nginx {
    // Dropped in this order: the process before the files that it writes.
    process: Process,
    gateway: Gateway,
    port: Port,
    /// How often the configuration was written.
    revision: u32,
    directory: TempDir,
}

impl Nginx {
    /// Starts nginx and returns when it answers.
    pub fn start(gateway: Gateway) -> Self {
        let program = find_program("nginx", "nginx-light");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = Port::claim();
        config::write(directory.path(), &gateway, &port, 0);
        let error_log = directory.path().join(config::ERROR_LOG);
        let mut process = Process::spawn(
            Command::new(program)
                .arg("-p")
                .arg(directory.path())
                .arg("-e")
                .arg(&error_log)
                .args(["-c", config::CONFIG, "-g", "daemon off;"]),
            &error_log,
        );
        process.await_listening(port.addr());
        let nginx = Self {
            process,
            gateway,
            port,
            revision: 0,
            directory,
        };
        // A master that has not started its workers yet loses the signals that it is sent.
        eventually("nginx has started its workers", || {
            (log::running_workers(&nginx.error_log()).len() == config::WORKERS
                && nginx.revision_in_force() == Some(0))
            .then_some(())
        });
        nginx
    }

    /// Where it listens for TLS.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The configuration in force.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Puts another configuration in force, as an administrator does: written, then
    /// `SIGHUP`. Returns when no worker takes new connections under the old one; idle
    /// connections are closed by then, busy ones live on.
    ///
    /// Panics with nginx's words when it refuses the configuration.
    pub fn reload(&mut self, gateway: Gateway) {
        let before = self.error_log().len();
        let old_workers = log::running_workers(&self.error_log());
        self.revision += 1;
        config::write(self.directory.path(), &gateway, &self.port, self.revision);
        self.process.signal(Signal::HUP);
        eventually("nginx has taken the new configuration", || {
            let log = self.error_log();
            let news = &log[before..];
            assert!(
                !news.contains("[emerg]"),
                "nginx refuses its configuration:\n{news}"
            );
            let stopped = log::stopping_workers(news);
            (old_workers.iter().all(|worker| stopped.contains(worker))
                && self.revision_in_force() == Some(self.revision))
            .then_some(())
        });
        self.gateway = gateway;
    }

    /// Trusts exactly these certificates from now on (SHA-1, lower-case hex).
    pub fn set_pins(&mut self, pins: &[&str]) {
        let mut gateway = self.gateway.clone();
        gateway.clients.set_pins(pins);
        self.reload(gateway);
    }

    /// The requests that were answered so far, oldest first. An entry is written after
    /// its answer was sent: see [`Self::await_log`].
    pub fn access_log(&self) -> Vec<LogEntry> {
        log::parse(&read_lossy(&self.directory.path().join(config::ACCESS_LOG)))
    }

    /// Returns the log as soon as `complete` says that all is there that must be.
    pub fn await_log(&self, complete: impl Fn(&[LogEntry]) -> bool) -> Vec<LogEntry> {
        eventually("the access log is complete", || {
            Some(self.access_log()).filter(|log| complete(log))
        })
    }

    /// What nginx has to say about itself.
    pub fn error_log(&self) -> String {
        self.process.log()
    }

    /// Which writing of the configuration a new connection meets.
    fn revision_in_force(&self) -> Option<u32> {
        let answer = ask(&self.directory.path().join(config::CONTROL_SOCKET))?;
        answer.rsplit("\r\n").next()?.trim().parse().ok()
    }
}

fn ask(socket: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
