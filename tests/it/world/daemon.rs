//! The daemon, started and ended as an operating system does.

use std::{
    fs::File,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::World;

const LOG: &str = "daemon.log";

/// A running daemon; killed when dropped.
pub(super) struct DaemonProcess(Child);

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    /// Starts the daemon and returns when it answers.
    pub(crate) fn start_daemon(&mut self) {
        assert!(self.daemon.is_none(), "one daemon is running already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path(LOG))
            .unwrap();
        let child = self
            .command(&["daemon"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = DaemonProcess(child);
        self.poll("the daemon answers", 20, || {
            if let Some(status) = daemon.0.try_wait().unwrap() {
                panic!("the daemon ended with {status}:\n{}", self.daemon_log());
            }
            UnixStream::connect(self.path("run/control.sock")).ok()
        });
        self.daemon = Some(daemon);
    }

    /// Ends the daemon with SIGTERM, which it must heed in good order.
    pub(crate) fn stop_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon is running");
        kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
        let status = self.poll("the daemon ends", 20, || daemon.0.try_wait().unwrap());
        assert!(status.success(), "{status}:\n{}", self.daemon_log());
    }

    /// Ends the daemon with SIGKILL, of which it learns nothing.
    pub(crate) fn kill_daemon(&mut self) {
        drop(self.daemon.take().expect("a daemon is running"));
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
