//! How things stand.

use jiff::Timestamp;

use super::{ConnectorView, Service, ServiceError, StatusView};
use crate::{delivery::Sink, model::rotation::Rotation, rotation::Decision};

/// What an activation of a rotation led to.
#[derive(Clone, Debug)]
pub struct Advanced {
    /// The rotation afterwards; `None` when there is none.
    pub rotation: Option<Rotation>,
    /// What it waits for.
    pub decision: Option<Decision>,
}

impl Advanced {
    /// When to look again at the latest.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.decision
            .as_ref()
            .and_then(|decision| decision.next.wake_at())
    }
}

impl Service {
    pub(super) fn status(&self) -> Result<StatusView, ServiceError> {
        let config = self.config();
        let mut connectors = Vec::new();
        for (name, connector) in &config.connectors {
            let wanted = match self.wanted(name, &connector.destination)? {
                Some((identity, number)) => self.records.generation(&identity.name, number)?,
                None => None,
            };
            let state = self.hub().state(name);
            connectors.push(ConnectorView {
                connector: name.clone(),
                destination: connector.destination.clone(),
                delivery: match connector.sink {
                    Sink::Socket => "socket",
                    Sink::Bundle(_) => "bundle",
                    Sink::Directory(_) => "directory",
                }
                .to_owned(),
                wanted: wanted.and_then(|generation| Some(generation.value.leaf?.fingerprint)),
                connections: state.as_ref().map(|state| state.connections.len()),
                report: state.and_then(|state| state.last),
            });
        }
        let totals = self.totals()?;
        Ok(StatusView {
            schema: 1,
            now: self.clock.now(),
            daemon_since: self.since,
            engine: self.records.engine().to_string(),
            term: self.leadership().map(|leadership| leadership.epoch()),
            faults: self.faults(),
            identities: self.most_pressing(&totals)?,
            totals,
            connectors,
        })
    }
}
