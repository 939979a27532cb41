//! What probes have shown over time, by identity and place.

use super::{Batch, Records, RecordsError, Versioned};
use crate::model::{Destination, IdentityName, ProbeHistory};

/// Stores of earlier versions have none of these, and earlier versions do not look for them.
pub(super) const PROBES: &str = "probe";

impl Records {
    /// What probes of a place have shown; the empty history when there were none.
    pub fn probe_history(
        &self,
        identity: &IdentityName,
        destination: &Destination,
    ) -> Result<Versioned<ProbeHistory>, RecordsError> {
        let found = self.read(PROBES, &id(identity, destination))?;
        Ok(found.unwrap_or(Versioned {
            version: 0,
            value: ProbeHistory::default(),
        }))
    }
}

impl Batch {
    /// Writes a history in the place of the version that was read.
    pub fn probe_history(
        self,
        identity: &IdentityName,
        destination: &Destination,
        history: &Versioned<ProbeHistory>,
    ) -> Self {
        self.put(
            PROBES,
            &id(identity, destination),
            history.version,
            &history.value,
        )
    }
}

fn id(identity: &IdentityName, destination: &Destination) -> String {
    format!("{identity}/{destination}")
}
