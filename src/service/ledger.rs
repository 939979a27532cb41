//! Private keys that leave, written down in the audit log.

use std::sync::Arc;

use super::error::chain;
use crate::{
    delivery::{Export, Exports, NotWrittenDown},
    model::{
        Clock,
        audit::{Action, Author, ExportOutcome},
    },
    records::Records,
};

/// Writes on somebody's behalf.
pub(super) struct Ledger {
    pub(super) records: Arc<Records>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) author: Author,
}

impl Ledger {
    fn write(&self, action: Action) -> Result<u64, NotWrittenDown> {
        self.records
            .record(&self.author, self.clock.now(), action)
            .map_err(|error| NotWrittenDown { why: chain(&error) })
    }
}

impl Exports for Ledger {
    fn begin(&self, export: &Export) -> Result<u64, NotWrittenDown> {
        self.write(Action::KeyExportBegun {
            connector: export.connector.clone(),
            identity: export.identity.clone(),
            generation: export.generation,
            certificate: export.certificate,
            to: export.to.clone(),
        })
    }

    fn end(
        &self,
        begun: u64,
        export: &Export,
        outcome: ExportOutcome,
    ) -> Result<(), NotWrittenDown> {
        let ended = Action::KeyExportEnded {
            begun,
            connector: export.connector.clone(),
            identity: export.identity.clone(),
            generation: export.generation,
            outcome,
        };
        self.write(ended).map(drop)
    }
}
