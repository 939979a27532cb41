//! Programs of the machine, run for one test: found, started, awaited, ended.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a peer may take to do what was asked of it. Generous: a loaded machine must
/// not fail a test, and nothing waits longer than it has to.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two looks at something that another process changes.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `look` again and again until it answers, and returns the answer.
///
/// Panics with `what` when there is none in `PATIENCE`.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("gave up waiting until {what}"))
}

fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// A TCP port of 127.0.0.1 that stays this value's own for as long as it lives.
///
/// It lies below the ephemeral range, so no outgoing connection takes it, and the UDP
/// port of the same number is held as a claim that other tests, in this process or
/// another, respect.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims a port on which nothing listens.
    pub fn claim() -> Self {
        const FIRST: u16 = 20_000;
        const COUNT: u16 = 12_000;
        // Each process and each call starts elsewhere, so that claims rarely collide.
        let start = {
            use std::hash::{BuildHasher as _, RandomState};
            RandomState::new().hash_one(std::process::id())
        };
        (0..COUNT)
            .map(|step| FIRST + ((start % u64::from(COUNT)) as u16 + step) % COUNT)
            .find_map(|number| {
                let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                // Asked by knocking, not by listening: a process that another thread starts at this moment would
                // hold the listener until it has become its program, and be taken for the peer.
                let taken = TcpStream::connect((Ipv4Addr::LOCALHOST, number)).is_ok();
                (!taken).then_some(Self {
                    number,
                    _claim: claim,
                })
            })
            .expect("one of twelve thousand ports is free")
    }

    /// The address to listen on or connect to.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// The bare number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Where `program` lies, looked for in the PATH and in the directories of servers.
///
/// Panics with the command that installs `package` when it is nowhere.
pub(crate) fn find_program(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!("{program} is not installed; run scripts/test, or: apt-get install -y {package}")
        })
}

/// Writes a file of a peer. Not atomic: nobody reads it before the peer is told to.
pub(crate) fn write_file(path: &Path, content: impl AsRef<[u8]>) {
    File::create(path)
        .and_then(|mut file| file.write_all(content.as_ref()))
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

/// Everything that a file holds, read leniently; nothing when it does not exist.
pub(crate) fn read_lossy(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// Runs a program to its end with `input` on its standard input.
///
/// Returns standard output on success, else both outputs as text.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let input = input.to_vec();
    // A thread of its own: the program may answer before it has read everything, and it
    // may leave without reading, which its exit status tells better than a broken pipe.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child
        .wait_with_output()
        .expect("the output of a child can be read");
    let _ = writer.join();
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!(
            "{}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout),
        ))
    }
}

/// A running server, ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// What ends it together with its workers.
    end: Signal,
}

impl Process {
    /// Starts `command`, its outputs appended to `log`.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|error| panic!("cannot open {}: {error}", log.display()));
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self {
            child,
            log: log.to_owned(),
            // A killed master usually leaves its workers behind.
            end: Signal::TERM,
        }
    }

    /// Ends the program by `signal` instead of `SIGTERM`.
    pub(crate) fn ended_by(mut self, signal: Signal) -> Self {
        self.end = signal;
        self
    }

    /// Returns when `address` accepts connections; panics with the log when the program
    /// ends before it does.
    pub(crate) fn await_listening(&mut self, address: SocketAddr) {
        eventually(&format!("{address} accepts connections"), || {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            TcpStream::connect(address).ok()
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a running child can be signalled");
    }

    /// What the program wrote to its outputs and to its log.
    pub(crate) fn log(&self) -> String {
        read_lossy(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), self.end);
        let ended = within(Duration::from_secs(5), || {
            self.child.try_wait().ok().flatten()
        });
        if ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
