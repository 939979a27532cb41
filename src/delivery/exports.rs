//! The port through which it is written down that a private key leaves.
//!
//! Intent is durable before the first byte leaves, and what came of it after the last. What cannot be written
//! down does not leave; what was begun and has no end may have left.

use super::{error::DeliveryError, handover::Handover};
use crate::model::{
    ConnectorName, Fingerprint, GenerationNumber, IdentityName,
    audit::{ExportOutcome, Receiver},
};

/// A private key that is about to leave.
#[derive(Clone, Debug)]
pub struct Export {
    /// For whom.
    pub connector: ConnectorName,
    /// Whose.
    pub identity: IdentityName,
    /// Which generation.
    pub generation: GenerationNumber,
    /// Its certificate.
    pub certificate: Fingerprint,
    /// Into what.
    pub to: Receiver,
}

impl Export {
    pub(super) fn new(connector: &ConnectorName, handover: &Handover, to: Receiver) -> Self {
        Self {
            connector: connector.clone(),
            identity: handover.identity.clone(),
            generation: handover.generation,
            certificate: handover.fingerprint,
            to,
        }
    }
}

/// It could not be written down.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub struct NotWrittenDown {
    /// Why not, with its causes, on one line.
    pub why: String,
}

/// Writes down which private keys leave.
pub trait Exports: Send + Sync {
    /// Durable when it returns. The number to end it with.
    fn begin(&self, export: &Export) -> Result<u64, NotWrittenDown>;

    /// What came of it.
    fn end(
        &self,
        begun: u64,
        export: &Export,
        outcome: ExportOutcome,
    ) -> Result<(), NotWrittenDown>;
}

/// Where a key leaves for a connector.
#[derive(Clone, Copy)]
pub(super) struct Outlet<'a> {
    /// Who writes it down.
    pub(super) exports: &'a dyn Exports,
    /// For whom.
    pub(super) connector: &'a ConnectorName,
}

impl Outlet<'_> {
    /// Lets a key out by `write`, and has it written down before and after.
    pub(super) fn let_out(
        self,
        handover: &Handover,
        to: Receiver,
        write: impl FnOnce() -> Result<(), DeliveryError>,
    ) -> Result<(), DeliveryError> {
        let unwritten = |source| DeliveryError::NotWrittenDown {
            connector: self.connector.clone(),
            source,
        };
        let export = Export::new(self.connector, handover, to);
        let begun = self.exports.begin(&export).map_err(unwritten)?;
        let written = write();
        let outcome = match &written {
            Ok(()) => ExportOutcome::Delivered,
            Err(error) => ExportOutcome::Failed {
                why: error.to_string().into(),
            },
        };
        self.exports
            .end(begun, &export, outcome)
            .map_err(unwritten)?;
        written
    }
}

/// For tests: counts, or refuses.
#[cfg(test)]
pub(super) mod testing {
    use std::sync::Mutex;

    use super::{Export, ExportOutcome, Exports, NotWrittenDown};

    /// What was written down, in order.
    #[derive(Default)]
    pub(crate) struct Notebook {
        /// Beginnings and ends.
        pub(crate) lines: Mutex<Vec<String>>,
        /// Whether it is full.
        pub(crate) full: bool,
    }

    impl Exports for Notebook {
        fn begin(&self, export: &Export) -> Result<u64, NotWrittenDown> {
            if self.full {
                let why = "no space left".to_owned();
                return Err(NotWrittenDown { why });
            }
            let mut lines = self.lines.lock().unwrap();
            lines.push(format!("{} of {}", export.generation, export.identity));
            Ok(lines.len() as u64)
        }

        fn end(
            &self,
            begun: u64,
            _: &Export,
            outcome: ExportOutcome,
        ) -> Result<(), NotWrittenDown> {
            let word = match outcome {
                ExportOutcome::Delivered => "delivered",
                ExportOutcome::Failed { .. } => "failed",
            };
            self.lines.lock().unwrap().push(format!("{begun} {word}"));
            Ok(())
        }
    }
}
