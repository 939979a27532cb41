//! Runs of the real binary, and waiting for what they lead to.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use countersign_peers::eventually;
use serde_json::Value;

use super::{Drive, IDENTITY, World};

/// Pause between two looks at something that another process changes.
const PAUSE: Duration = Duration::from_millis(100);

/// By how much a machine may be busier than the one on which the limits of the tests were found. Nothing waits longer
/// than it has to, and a story in which every append is died at is hundreds of processes long.
const BUSIER: u64 = 10;

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// What was run, for messages.
    pub(crate) command: String,
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Itself, if it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

impl World {
    /// The program with arguments, in the installation's directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_countersign");
        let mut command = if self.plan.drive == Drive::Pair {
            // A daemon that was stopped takes requests, and answers none.
            let mut patient = Command::new("timeout");
            patient.args(["--signal=KILL", "20", program]);
            patient
        } else {
            Command::new(program)
        };
        if self.plan.shared.is_some() {
            command.args(["--config", &format!("{}.toml", self.machine.get())]);
        }
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env_remove("COUNTERSIGN_LOG")
            .env("RUST_BACKTRACE", "0")
            .env("USER", "olga");
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, b"", &[])
    }

    /// Runs the program to its end with standard input and more environment.
    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        input: &[u8],
        environment: &[(&str, &str)],
    ) -> Outcome {
        let mut child = self
            .command(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may leave without reading: its exit code tells that better than a broken pipe.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Outcome {
            command: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the program again and again and kills it at the first append to a journal that it makes, on either side
    /// of the append in turn, until it ends without one.
    pub(crate) fn run_killed(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        loop {
            for after in [false, true] {
                let outcome = self.run_with(arguments, input, &fatal(after));
                if outcome.code.is_some() {
                    return outcome;
                }
                self.deaths.set(self.deaths.get() + 1);
            }
        }
    }

    /// How often the program was killed at an append.
    pub(crate) fn deaths(&self) -> u32 {
        self.deaths.get()
    }

    /// Runs the program as the plan says that it is run.
    pub(crate) fn drive(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        match self.plan.drive {
            Drive::Daemon | Drive::Cron => self.run_with(arguments, input, &[]),
            Drive::Killed => self.run_killed(arguments, input),
            Drive::Pair => eventually("one of the machines answers", || {
                self.tend_pair();
                let outcome = self.run_with(arguments, input, &[]);
                Some(outcome).filter(|outcome| matches!(outcome.code, Some(0 | 1)))
            }),
            // It may die over the request, which may have been carried out; and so may the program that finds no
            // daemon and does it itself.
            Drive::DyingDaemon => eventually("somebody lives to answer", || {
                self.revive_daemon();
                let outcome = self.run_with(arguments, input, &self.next_fault());
                if outcome.code.is_none() {
                    self.deaths.set(self.deaths() + 1);
                }
                Some(outcome).filter(|outcome| matches!(outcome.code, Some(0 | 1)))
            }),
        }
    }

    /// What kills on the other side of the append than the last time.
    pub(super) fn next_fault(&self) -> [(&'static str, &'static str); 3] {
        fatal(self.deaths() % 2 == 1)
    }

    /// Sees to it that things go on.
    fn go_on(&self) {
        match self.plan.drive {
            Drive::Daemon => {}
            Drive::DyingDaemon => self.revive_daemon(),
            Drive::Pair => self.tend_pair(),
            Drive::Cron | Drive::Killed => {
                let outcome = self.drive(&["renew"], b"");
                assert!(matches!(outcome.code, Some(0 | 4)), "{outcome:#?}");
            }
        }
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = match self.plan.drive {
            Drive::DyingDaemon | Drive::Pair => self.drive(arguments, b""),
            _ => self.run(arguments),
        };
        outcome.expect(0)
    }

    /// Runs the program with `--json`, which must succeed.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        self.ok(&all).json()
    }

    /// `rotation show --json`.
    pub(crate) fn rotation(&self) -> Value {
        self.json(&["rotation", "show", IDENTITY])
    }

    /// `identity show --json`.
    pub(crate) fn identity(&self) -> Value {
        self.json(&["identity", "show", IDENTITY])
    }

    /// The generation of this number in `identity show`.
    pub(crate) fn generation(&self, number: u64) -> Value {
        let identity = self.identity();
        let mut generations = identity["generations"].as_array().unwrap().iter();
        let found = generations.find(|g| g["generation"] == number);
        found
            .unwrap_or_else(|| panic!("no generation {number} in {identity:#}"))
            .clone()
    }

    /// Polls `rotation show` until `is` says so, and returns it; panics with everything that is known when it takes
    /// longer than so many seconds on a machine that has nothing else to do.
    #[track_caller]
    pub(crate) fn wait_until(
        &self,
        what: &str,
        seconds: u64,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        self.poll(what, seconds, || {
            let shown = self.run(&["--json", "rotation", "show", IDENTITY]);
            // While a daemon is being restarted nobody answers, or the store is held for a moment.
            (shown.code == Some(0)).then(|| shown.json()).filter(&is)
        })
    }

    /// Asks until there is an answer.
    #[track_caller]
    pub(crate) fn poll<T>(
        &self,
        what: &str,
        seconds: u64,
        mut ask: impl FnMut() -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + Duration::from_secs(seconds * BUSIER);
        loop {
            self.go_on();
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "gave up waiting until {what}\n{}",
                self.story()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Everything that helps to understand a story that went wrong.
    pub(crate) fn story(&self) -> String {
        let said = |arguments: &[&str]| {
            let outcome = self.run(arguments);
            format!(
                "$ countersign {}\n{}{}\n",
                outcome.command, outcome.stdout, outcome.stderr
            )
        };
        let tail = |text: String| {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(60)..].join("\n")
        };
        said(&["status"])
            + &said(&["--json", "rotation", "show", IDENTITY])
            + "daemon:\n"
            + &tail(self.daemon_log())
            + "\nmail:\n"
            + &tail(self.office.log())
            + "\ngateway:\n"
            + &tail(self.gateway.error_log())
    }
}

/// Whether a rotation has come so far.
pub(crate) fn phase(name: &str) -> impl Fn(&Value) -> bool {
    let name = name.to_owned();
    move |rotation| rotation["phase"] == name.as_str()
}

/// What makes the program die at its first append to a rotation's journal, on this side of it. The audit log has
/// entries between those, such as those of keys that leave; a program that died at each of them would never get further.
fn fatal(after: bool) -> [(&'static str, &'static str); 3] {
    let side = if after { "after" } else { "before" };
    [
        ("COUNTERSIGN_ABORT_AT_APPEND", "1"),
        ("COUNTERSIGN_ABORT_AT_STREAM", "rotation/"),
        ("COUNTERSIGN_ABORT_WHEN", side),
    ]
}
