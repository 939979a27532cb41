//! From calls that wait to a database that is spoken to without waiting.
//!
//! The store is synchronous and may be called from a thread of somebody else's runtime. So the
//! conversation with the database has a thread of its own, and whoever waits tells the runtime that
//! it waits.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::{AbortHandle, block_in_place};
use tokio::time::timeout;

use super::error::PostgresError;
use crate::EngineError;

/// The thread that talks to the database.
pub(super) struct Link {
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Link {
    pub(super) fn new() -> Result<Self, PostgresError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("database")
            .enable_all()
            .build()
            .map_err(PostgresError::Runtime)?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Lets something go on by itself.
    pub(super) fn spawn(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Option<AbortHandle> {
        let runtime = self.runtime.as_ref()?;
        Some(runtime.spawn(work).abort_handle())
    }

    /// Waits for an answer, for so long at most.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
    ) -> Result<T, EngineError> {
        let silent = || {
            EngineError::from(PostgresError::Silent {
                seconds: limit.as_secs_f64(),
            })
        };
        let (answer, answered) = sync_channel(1);
        self.spawn(async move {
            // Whoever asked may have gone.
            let _ = answer.send(timeout(limit, work).await);
        });
        match patiently(|| answered.recv()) {
            Ok(Ok(outcome)) => outcome,
            // Out of time, or the thread is gone.
            Ok(Err(_)) | Err(_) => Err(silent()),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // To wait for a runtime is forbidden within another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits, and lets the runtime whose thread this is go on with something else meanwhile.
fn patiently<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            block_in_place(wait)
        }
        _ => wait(),
    }
}
