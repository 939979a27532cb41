//! Probes over time: each is remembered, and current identities are probed daily, so that it is known when something
//! changed, and not only that it has.

use jiff::Timestamp;

use super::{GenerationSlot, Service, ServiceError};
use crate::{
    model::{
        Destination, GenerationNumber, IdentityName, KeyState, ProbeReport, Stretch,
        next_daily_probe,
    },
    records::Batch,
};

/// `probe history`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct ProbeHistoryView {
    /// 1.
    pub schema: u32,
    /// Whose.
    pub identity: IdentityName,
    /// Place by place.
    pub destinations: Vec<DestinationHistoryView>,
}

/// The history of a place.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct DestinationHistoryView {
    /// Where.
    pub destination: Destination,
    /// Oldest first; each ends where something changed.
    pub stretches: Vec<Stretch>,
}

impl Service {
    pub(super) fn probe_history(
        &self,
        identity: &IdentityName,
        destination: Option<&Destination>,
    ) -> Result<ProbeHistoryView, ServiceError> {
        self.existing(identity)?;
        let config = self.config();
        let places: Vec<Destination> = match destination {
            Some(destination) => vec![destination.clone()],
            None => config.destinations_of(identity).collect(),
        };
        let destinations = places
            .into_iter()
            .map(|destination| {
                let found = self.records.probe_history(identity, &destination)?;
                Ok(DestinationHistoryView {
                    destination,
                    stretches: found.value.stretches,
                })
            })
            .collect::<Result<_, ServiceError>>()?;
        Ok(ProbeHistoryView {
            schema: 1,
            identity: identity.clone(),
            destinations,
        })
    }

    /// Remembers a probe. One that is remembered at the same moment by somebody else goes before.
    pub(super) fn remember_probe(
        &self,
        identity: &IdentityName,
        destination: &Destination,
        generation: GenerationNumber,
        report: &ProbeReport,
    ) -> Result<bool, ServiceError> {
        let mut history = self.records.probe_history(identity, destination)?;
        let changed = history.value.remember(Stretch::of(report, generation));
        let batch = Batch::new().probe_history(identity, destination, &history);
        self.records.commit(&self.itself, self.clock.now(), batch)?;
        Ok(changed)
    }

    /// The places at which the current generation of their identity has not been probed for about a day, the
    /// longest ago first. What began today is not: whoever began it has just looked.
    pub fn daily_probes_due(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(IdentityName, Destination)>, ServiceError> {
        let config = self.config();
        let mut due = Vec::new();
        for (identity, destination) in config.places() {
            let Some(found) = self.records.identity(identity)? else {
                continue;
            };
            let Some(current) = found.value.slots.current else {
                continue;
            };
            let history = self.records.probe_history(identity, &destination)?;
            let Some(generation) = self.records.generation(identity, current)? else {
                continue;
            };
            // What was withheld is not shown to anybody.
            if generation.value.key_state != KeyState::Active {
                continue;
            }
            let since = history.value.last().unwrap_or(generation.value.created_at);
            let place = format!("{identity}/{destination}");
            // A clock that was set back must not silence us for years.
            if next_daily_probe(since, &place) <= now || since > now {
                due.push((since, identity.clone(), destination));
            }
        }
        due.sort();
        Ok(due
            .into_iter()
            .map(|(_, identity, destination)| (identity, destination))
            .collect())
    }

    /// One of the daily probes; says whether it shows something else than the one before.
    pub async fn daily_probe(
        &self,
        identity: &IdentityName,
        destination: &Destination,
    ) -> Result<(ProbeReport, bool), ServiceError> {
        let slot = GenerationSlot::Current;
        let (report, generation) = self.ask_on_the_wire(identity, destination, slot).await?;
        let changed = self.remember_probe(identity, destination, generation, &report)?;
        Ok((report, changed))
    }
}
