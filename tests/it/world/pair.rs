//! Two machines that share a store: a configuration, a directory and a daemon each.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Outcome, World, daemon::DaemonProcess};

/// The machine that comes first.
pub(crate) const LEFT: &str = "left";
/// The other one.
pub(crate) const RIGHT: &str = "right";
/// Both.
const BOTH: [&str; 2] = [LEFT, RIGHT];

/// The daemons that run.
#[derive(Default)]
pub(super) struct Daemons {
    running: BTreeMap<&'static str, DaemonProcess>,
    /// Faults for the daemons to come, the last one first.
    faults: Vec<(&'static str, &'static str)>,
}

impl World {
    /// Runs the program at a machine.
    pub(crate) fn at_machine(&self, machine: &'static str, arguments: &[&str]) -> Outcome {
        let before = self.machine.replace(machine);
        let outcome = self.run(arguments);
        self.machine.set(before);
        outcome
    }

    /// Starts the daemon of a machine.
    pub(crate) fn start_at(&self, machine: &'static str) {
        self.start_within(machine, &[], &[]);
    }

    /// Starts the daemon of a machine by way of another program, and with more environment.
    pub(crate) fn start_within(
        &self,
        machine: &'static str,
        by: &[&str],
        environment: &[(&str, &str)],
    ) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path(format!("{machine}.log")))
            .unwrap();
        let program = env!("CARGO_BIN_EXE_countersign");
        let words: Vec<&str> = by.iter().copied().chain([program]).collect();
        let child = Command::new(words[0])
            .args(&words[1..])
            .args(["--config", &format!("{machine}.toml"), "daemon"])
            .current_dir(self.path(""))
            .env_remove("COUNTERSIGN_LOG")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let before = self
            .pair
            .borrow_mut()
            .running
            .insert(machine, DaemonProcess(child));
        assert!(before.is_none(), "{machine} runs already");
    }

    /// Signals the daemon of a machine.
    pub(crate) fn signal_at(&self, machine: &'static str, signal: Signal) {
        let pair = self.pair.borrow();
        kill_process(Pid::from_child(&pair.running[machine].0), signal).unwrap();
    }

    /// Ends the daemon of a machine in good order.
    pub(crate) fn stop_at(&self, machine: &'static str) {
        let mut daemon = self.pair.borrow_mut().running.remove(machine).unwrap();
        kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
        let status = self.poll("the daemon ends", 20, || daemon.0.try_wait().unwrap());
        assert!(status.success(), "{status}:\n{}", self.log_of(machine));
    }

    /// Ends the daemon of a machine with SIGKILL.
    pub(crate) fn kill_at(&self, machine: &'static str) {
        drop(self.pair.borrow_mut().running.remove(machine).unwrap());
    }

    /// What the daemons of a machine have written.
    pub(crate) fn log_of(&self, machine: &str) -> String {
        std::fs::read_to_string(self.path(format!("{machine}.log"))).unwrap_or_default()
    }

    /// `status --json` at a machine; `None` when no daemon answers there.
    pub(crate) fn status_at(&self, machine: &'static str) -> Option<Value> {
        self.path(format!("{machine}-run/control.sock"))
            .exists()
            .then(|| self.at_machine(machine, &["--json", "status"]))
            .filter(|outcome| outcome.code == Some(0))
            .map(|outcome| outcome.json())
    }

    /// Whether the daemon of a machine leads.
    pub(crate) fn leads(&self, machine: &'static str) -> bool {
        self.status_at(machine)
            .is_some_and(|status| status["term"].is_u64() && !status["daemon_since"].is_null())
    }

    /// Waits until the daemon of a machine leads, and runs commands there from now on.
    #[track_caller]
    pub(crate) fn until_leads(&self, machine: &'static str) {
        self.poll(&format!("{machine} leads"), 30, || {
            self.leads(machine).then_some(())
        });
        self.machine.set(machine);
    }

    /// Waits until the daemon of a machine follows another one.
    #[track_caller]
    pub(crate) fn until_follows(&self, machine: &'static str, leader: &str) {
        self.poll(&format!("{machine} follows {leader}"), 30, || {
            self.follows(machine, leader)
        });
    }

    /// Gives each daemon that is started from now on one of these faults, in their order: the number of the
    /// append, and what happens there.
    pub(crate) fn with_faults(&self, faults: &[(&'static str, &'static str)]) {
        self.pair.borrow_mut().faults = faults.iter().rev().copied().collect();
    }

    /// Whether all faults have been given out.
    pub(crate) fn faults_left(&self) -> usize {
        self.pair.borrow().faults.len()
    }

    /// Starts the daemon of a machine with the next fault, if there is one left.
    pub(crate) fn start_faulty(&self, machine: &'static str) {
        let fault = self.pair.borrow_mut().faults.pop();
        match fault {
            None => self.start_at(machine),
            Some((append, when)) => self.start_within(
                machine,
                &[],
                &[
                    ("COUNTERSIGN_ABORT_AT_APPEND", append),
                    ("COUNTERSIGN_ABORT_WHEN", when),
                ],
            ),
        }
    }

    /// Sees to it that both machines go on, and that commands are run where somebody leads. A daemon that died is
    /// started again when the other one leads; one that stands still is let go on then.
    pub(super) fn tend_pair(&self) {
        for machine in BOTH {
            let other = if machine == LEFT { RIGHT } else { LEFT };
            let Some((dead, stopped)) = self.condition(machine) else {
                continue;
            };
            if !(dead || stopped) {
                continue;
            }
            // No command meanwhile: one at the machine of a dead leader would lead in its place.
            let other_leads = countersign_peers::eventually(
                &format!("{other} leads, or has come to its own end"),
                || match self.condition(other) {
                    Some((false, false)) => self.leads(other).then_some(true),
                    _ => Some(false),
                },
            );
            if other_leads {
                self.machine.set(other);
            }
            self.deaths.set(self.deaths() + 1);
            if dead {
                self.kill_at(machine);
                self.start_faulty(machine);
            } else {
                self.signal_at(machine, Signal::CONT);
                if other_leads {
                    countersign_peers::eventually(&format!("{machine} follows"), || {
                        self.follows(machine, other)
                    });
                }
            }
        }
        for machine in BOTH {
            if matches!(self.condition(machine), Some((false, false))) && self.leads(machine) {
                self.machine.set(machine);
                return;
            }
        }
    }

    fn follows(&self, machine: &'static str, leader: &str) -> Option<()> {
        let status = self.status_at(machine)?;
        (status["standing"] == "following" && status["leader"]["machine"] == leader).then_some(())
    }

    /// Whether the daemon of a machine is dead, and whether it stands still; `None` when none was started.
    fn condition(&self, machine: &'static str) -> Option<(bool, bool)> {
        let mut pair = self.pair.borrow_mut();
        let child = &mut pair.running.get_mut(machine)?.0;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(
                status.signal().is_some(),
                "{machine} ended by itself with {status}:\n{}",
                self.log_of(machine)
            );
            return Some((true, false));
        }
        Some((false, is_stopped(child.id())))
    }
}

/// What the kernel says of the process: `T` is for one that was stopped.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('T'))
}
