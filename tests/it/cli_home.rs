//! An installation without a partner: what can be asked of the program alone. Nobody answers at the mail
//! server and the gateway that it names.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use countersign_peers::{Authority, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::Outcome;

/// What opens the store.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A directory with a configuration.
pub(crate) struct Home {
    daemon: Option<Daemon>,
    /// What every process has in its environment beside the usual.
    environment: Vec<(String, String)>,
    directory: TempDir,
}

/// Killed when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the daemon wrote is gone with the directory: a test that fails shows it first.
impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() && self.daemon.is_some() {
            let _ = writeln!(std::io::stderr(), "{}", self.daemon_log());
        }
    }
}

/// How the store opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opens {
    /// By a key file: at once.
    KeyFile,
    /// By a passphrase in a file.
    PassphraseFile,
    /// By a person.
    Terminal,
}

impl Home {
    /// A configuration, and no store yet.
    pub(crate) fn new(opens: Opens) -> Self {
        let home = Self {
            daemon: None,
            environment: Vec::new(),
            directory: tempfile::tempdir().unwrap(),
        };
        let unlock = match opens {
            Opens::KeyFile => "key-file = \"store.key\"",
            Opens::PassphraseFile => "passphrase-file = \"passphrase\"",
            Opens::Terminal => "",
        };
        home.file("passphrase", PASSPHRASE);
        home.file("root.pem", Authority::root("Some root").pem());
        home.file("policies/own.toml", policy("own", "[\"ecdsa-p256\"]"));
        home.file("countersign.toml", configuration(unlock));
        home
    }

    /// With a store.
    pub(crate) fn with_store(opens: Opens) -> Self {
        let home = Self::new(opens);
        home.ok(&["store", "init"]);
        home
    }

    /// Puts something into the environment of every process from now on.
    pub(crate) fn with_environment(mut self, environment: Vec<(String, String)>) -> Self {
        self.environment.extend(environment);
        self
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file for us alone, all of it at once.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let fresh = path.with_extension("fresh");
        fs::write(&fresh, content).unwrap();
        fs::set_permissions(&fresh, PermissionsExt::from_mode(0o600)).unwrap();
        fs::rename(&fresh, &path).unwrap();
        path
    }

    /// The program with arguments, in the directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env_remove("COUNTERSIGN_LOG")
            .env("RUST_BACKTRACE", "0")
            .env("USER", "olga")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        Outcome {
            command: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> Outcome {
        self.run(arguments).expect(0)
    }

    /// Runs the program with `--json`, which must succeed.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let all: Vec<_> = [&["--json"], arguments].concat();
        self.ok(&all).json()
    }

    /// Runs the program at a terminal of its own, where a person answers each prompt with the next line once it
    /// is shown; returns the exit code and everything that the terminal showed.
    pub(crate) fn at_terminal(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        dialogue: &[(&str, &str)],
    ) -> (i32, String) {
        let script = self.file("terminal.py", TERMINAL);
        let turns: Vec<_> = dialogue
            .iter()
            .flat_map(|(ask, say)| [*ask, *say])
            .collect();
        let output = Command::new("python3")
            .arg(script)
            .arg(turns.len().to_string())
            .args(turns)
            .arg(env!("CARGO_BIN_EXE_countersign"))
            .args(arguments)
            .current_dir(self.path(""))
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(self.environment.iter().cloned())
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let code = output.status.code();
        (code.unwrap_or_else(|| panic!("{output:?}")), shown)
    }

    /// The same for one question whose answer is shown as it is typed.
    pub(crate) fn at_terminal_echoing(
        &self,
        arguments: &[&str],
        ask: &str,
        say: &str,
    ) -> (i32, String) {
        self.at_terminal(arguments, &[], &[(ask, say)])
    }

    /// Starts the daemon and returns when it answers.
    pub(crate) fn start_daemon(&mut self) {
        self.start_daemon_with(&[]);
    }

    /// The same with more environment.
    pub(crate) fn start_daemon_with(&mut self, environment: &[(&str, &str)]) {
        self.launch(environment);
        eventually("the daemon answers", || {
            UnixStream::connect(self.path("run/control.sock")).ok()
        });
    }

    /// Starts the daemon and waits for nothing.
    pub(crate) fn launch_daemon(&mut self) {
        self.launch(&[]);
    }

    fn launch(&mut self, environment: &[(&str, &str)]) {
        let log = fs::File::create(self.path("daemon.log")).unwrap();
        let child = self
            .command(&["daemon"])
            .envs(environment.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemon = Some(Daemon(child));
    }

    /// Kills the daemon.
    pub(crate) fn kill_daemon(&mut self) {
        drop(self.daemon.take().expect("a daemon is running"));
    }

    /// Starts the daemon where nobody can be asked for a passphrase, as a service manager does.
    pub(crate) fn start_daemon_without_terminal(&mut self) {
        let log = fs::File::create(self.path("daemon.log")).unwrap();
        let child = Command::new("setsid")
            .arg(env!("CARGO_BIN_EXE_countersign"))
            .arg("daemon")
            .current_dir(self.path(""))
            .env_remove("COUNTERSIGN_LOG")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemon = Some(Daemon(child));
        eventually("the daemon answers", || {
            UnixStream::connect(self.path("run/control.sock")).ok()
        });
    }

    /// Ends the daemon as an operating system does.
    pub(crate) fn stop_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon is running");
        kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
        let status = eventually("the daemon ends", || daemon.0.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.daemon_log());
    }

    /// The daemon's process.
    pub(crate) fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().expect("a daemon is running").0.id()
    }

    /// What the daemon has written.
    pub(crate) fn daemon_log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// Every file of the store with its content. A lock is no content.
    pub(crate) fn store_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.path("store")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.file_name().is_none_or(|name| name != "lock") {
                    let content = fs::read(&path).unwrap();
                    files.insert(path, content);
                }
            }
        }
        files
    }
}

/// A policy whose certificates may have these keys.
pub(crate) fn policy(name: &str, allowed: &str) -> String {
    format!(
        r#"
name = "{name}"
description = "For tests"
[key]
algorithm = "ecdsa-p256"
allowed = {allowed}
[certificate]
validity = "90d"
max-validity = "398d"
min-remaining = "20d"
[lead-time]
issuance = "1d"
delivery = "1d"
partner-answer = "5d"
change-window = "1d"
soak = "1d"
margin = "1d"
"#
    )
}

fn configuration(unlock: &str) -> String {
    format!(
        r#"
[store]
{unlock}
[ops]
name = "Align Ops"
[mail]
from = "ops@align.test"
host = "127.0.0.1"
port = 1
security = "starttls"
anchors = "root.pem"
[policies]
directory = "policies"
[issuer.ca]
kind = "local-ca"
approved-domains = ["align.test"]
[issuer.own]
kind = "self-signed"
approved-domains = ["align.test"]
[issuer.theirs]
kind = "partner-ca"
approved-domains = ["align.test"]
anchors = "root.pem"
[partner.acme]
title = "Acme Inc."
[[partner.acme.contact]]
name = "Jo Doe"
email = "sec@acme.test"
role = "jira-sec"
[partner.acme.production]
identity = "jira"
endpoint = "https://127.0.0.1:1"
anchors = "root.pem"
gateway = "nginx"
"#
    )
}

/// A terminal and a person: `COUNT (PROMPT ANSWER)… PROGRAM ARGUMENT…`.
const TERMINAL: &str = r#"
import os, pty, sys, termios, time
count = int(sys.argv[1])
turns, command = sys.argv[2:2 + count], sys.argv[2 + count:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
shown = b""
unread = 0
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if turns and turns[0].encode() in shown[unread:]:
        unread = len(shown)
        # A person is slower than the program that is about to stop showing what is typed.
        for _ in range(500):
            if not termios.tcgetattr(terminal)[3] & termios.ECHO:
                break
            time.sleep(0.01)
        os.write(terminal, turns[1].encode() + b"\n")
        turns = turns[2:]
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))
"#;
