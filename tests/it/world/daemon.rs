//! The daemon, started and ended as an operating system does.

use std::{
    fs::File,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Stdio},
};

use countersign_peers::eventually;
use rustix::process::{Pid, Signal, kill_process};

use super::{Drive, World};

const LOG: &str = "daemon.log";

/// A running daemon; killed when dropped.
pub(super) struct DaemonProcess(pub(super) Child);

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    /// Starts the daemon and returns when it answers.
    pub(crate) fn start_daemon(&self) {
        self.spawn_daemon(&[]);
        let answers = self.poll("the daemon answers", 20, || self.daemon_is_up());
        assert!(answers, "the daemon ended:\n{}", self.daemon_log());
    }

    /// Where daemons die at an append, starts the next one when the last is dead.
    pub(super) fn revive_daemon(&self) {
        if self.plan.drive != Drive::DyingDaemon {
            return;
        }
        eventually("a daemon answers", || {
            match self.daemon_is_up() {
                Some(true) => return Some(()),
                Some(false) => {
                    self.deaths.set(self.deaths() + 1);
                    self.kill_daemon();
                }
                None => {}
            }
            if self.daemon.borrow().is_none() {
                self.spawn_daemon(&self.next_fault());
            }
            None
        });
    }

    /// Whether the daemon answers; `None` while it neither answers nor has ended.
    pub(super) fn daemon_is_up(&self) -> Option<bool> {
        let mut daemon = self.daemon.borrow_mut();
        if daemon.as_mut()?.0.try_wait().unwrap().is_some() {
            return Some(false);
        }
        UnixStream::connect(self.path("run/control.sock"))
            .is_ok()
            .then_some(true)
    }

    fn spawn_daemon(&self, environment: &[(&str, &str)]) {
        assert!(
            self.daemon.borrow().is_none(),
            "one daemon is running already"
        );
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path(LOG))
            .unwrap();
        let child = self
            .command(&["daemon"])
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.daemon.borrow_mut() = Some(DaemonProcess(child));
    }

    /// Ends the daemon with SIGTERM, which it must heed in good order.
    pub(crate) fn stop_daemon(&self) {
        let mut daemon = self.daemon.take().expect("a daemon is running");
        kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
        let status = self.poll("the daemon ends", 20, || daemon.0.try_wait().unwrap());
        assert!(status.success(), "{status}:\n{}", self.daemon_log());
    }

    /// Ends the daemon with SIGKILL, of which it learns nothing.
    pub(crate) fn kill_daemon(&self) {
        drop(self.daemon.take().expect("a daemon is running"));
    }

    /// Ends the daemon if one runs: the store is free then.
    pub(crate) fn end_daemon(&self) {
        drop(self.daemon.take());
    }

    /// What the daemons of this installation have written.
    pub(crate) fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.path(LOG)).unwrap_or_default()
    }

    /// Where connectors find the daemon.
    pub(crate) fn connector_socket(&self) -> PathBuf {
        self.path("run/connectors.sock")
    }
}
