//! Where identities come from: tasks that feed a [`Publisher`](crate::Publisher) for as long as they are kept.
//!
//! A source never takes an identity away. Whatever happens to it, the last good one stays in memory and in use, and
//! the fault is told by [`Status`](crate::Status).

use tokio::task::JoinHandle;

pub mod bundle_file;
pub mod socket;

pub use bundle_file::BundleFile;
pub use socket::Socket;

/// A running source. Dropping it ends the source, and with it the publisher; the last identity stays in use.
#[derive(Debug)]
pub struct Running(JoinHandle<()>);

impl Running {
    fn new(task: JoinHandle<()>) -> Self {
        Self(task)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
