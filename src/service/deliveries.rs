//! Connectors have what they should have, whether or not a rotation is in progress: one that was added to
//! the configuration, one whose file was lost, one that comes back after a while.

use super::{FaultSource, Service, ServiceError};
use crate::{
    delivery::{Publisher, Sink},
    model::{
        ConnectorName, Destination, GenerationNumber, Identity, audit::Author, rotation::RotationId,
    },
    rotation::handover,
};

impl Service {
    /// Makes a seat for every connector that holds a connection, and lays out what each is to present now.
    /// What cannot be laid out is shown as a fault and hinders nobody else.
    pub fn seat_connectors(&self) {
        let config = self.config();
        let sockets = config
            .connectors
            .iter()
            .filter(|(_, c)| c.sink == Sink::Socket);
        self.hub()
            .seat(sockets.clone().map(|(name, _)| name.clone()));
        let mut faults = Vec::new();
        for (name, connector) in sockets {
            if let Err(error) = self.lay_out(name, &connector.destination) {
                faults.push(format!("connector {name}: {error}"));
            }
        }
        self.set_faults(FaultSource::Seats, faults);
    }

    fn lay_out(&self, name: &ConnectorName, destination: &Destination) -> Result<(), ServiceError> {
        if let Some((identity, generation)) = self.wanted(name, destination)? {
            self.refuse_unpresentable(&identity, generation)?;
            let setting = self.setting(&identity)?;
            let credentials = self.credentials(&identity, generation)?;
            self.hub().lay_out(
                name,
                handover(&identity.name, &credentials, generation, &setting.policy),
            );
        }
        Ok(())
    }

    /// Publishes to every reader of files that lacks what it should have.
    pub async fn deliver_missing(&self, by: &Author) {
        let config = self.config();
        let mut faults = Vec::new();
        for (name, connector) in &config.connectors {
            if let Sink::Bundle(_) | Sink::Directory(_) = connector.sink
                && let Err(error) = self.deliver(by, name, &connector.destination).await
            {
                faults.push(format!("connector {name}: {error}"));
            }
        }
        self.set_faults(FaultSource::Files, faults);
    }

    async fn deliver(
        &self,
        by: &Author,
        name: &ConnectorName,
        destination: &Destination,
    ) -> Result<(), ServiceError> {
        let Some((identity, generation)) = self.wanted(name, destination)? else {
            return Ok(());
        };
        // A rotation that has begun to switch it publishes by itself.
        if self.is_being_switched(name, &identity)? {
            return Ok(());
        }
        self.refuse_unpresentable(&identity, generation)?;
        let ports = self.ports(by, &identity)?;
        let credentials = self.credentials(&identity, generation)?;
        if ports.sinks.published(name) == Some(credentials.fingerprint()) {
            return Ok(());
        }
        tracing::info!(connector = %name, identity = %identity.name, %generation, "publishing what it lacks");
        let handover = handover(
            &identity.name,
            &credentials,
            generation,
            &ports.setting.policy,
        );
        let published = ports.sinks.publish(name, handover).await;
        published
            .map(drop)
            .map_err(|error| ServiceError::from_error(&error))
    }

    fn refuse_unpresentable(
        &self,
        identity: &Identity,
        generation: GenerationNumber,
    ) -> Result<(), ServiceError> {
        match self.records.generation(&identity.name, generation)? {
            Some(found) => self.refuse_suspended(&found.value),
            None => Ok(()),
        }
    }

    fn is_being_switched(
        &self,
        connector: &ConnectorName,
        identity: &Identity,
    ) -> Result<bool, ServiceError> {
        let rotation = self.rotation_in_progress(identity)?;
        let leg = rotation
            .as_ref()
            .and_then(|rotation| rotation.connectors.get(connector));
        Ok(leg.is_some_and(|leg| leg.switched.is_some() && leg.activation.is_none()))
    }

    /// The generation that a connector is to present now.
    pub(super) fn wanted(
        &self,
        connector: &ConnectorName,
        destination: &Destination,
    ) -> Result<Option<(Identity, GenerationNumber)>, ServiceError> {
        let config = self.config();
        let Some((_, environment)) = config.environment(destination) else {
            return Ok(None);
        };
        let Some(found) = self.records.identity(&environment.identity)? else {
            return Ok(None);
        };
        let identity = found.value;
        let rotating = match identity.rotation {
            Some(generation) => self.records.rotation(&RotationId {
                identity: identity.name.clone(),
                generation,
            })?,
            None => None,
        };
        let generation = match rotating {
            Some(replayed) if replayed.rotation.connectors.contains_key(connector) => {
                replayed.rotation.generation_for(connector)
            }
            _ => identity.slots.current,
        };
        Ok(generation.map(|generation| (identity, generation)))
    }
}
