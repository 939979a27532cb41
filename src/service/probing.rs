//! A probe by hand: what it says is shown, and moves nothing.

use super::{GenerationSlot, Service, ServiceError, identities::in_slot};
use crate::{
    model::{Destination, IdentityName, ProbeReport},
    probe::Prober,
    rotation::{Questions, probe_request},
};

impl Service {
    pub(super) async fn probe(
        &self,
        identity: &IdentityName,
        destination: &Destination,
        slot: GenerationSlot,
    ) -> Result<ProbeReport, ServiceError> {
        let config = self.config();
        let found = self.existing(identity)?.value;
        let (_, environment) = config.environment(destination).ok_or_else(|| {
            ServiceError::failed(format!(
                "there is no {destination} in {}",
                config.path.display()
            ))
        })?;
        // Test identities act at test, and production ones at production: the configuration says which is which.
        if environment.identity != *identity {
            return Err(ServiceError::refused(format!(
                "{destination} trusts {}, not {identity}",
                environment.identity
            )));
        }
        let credentials = self.credentials(&found, in_slot(&found, slot)?)?;
        let everything = Questions {
            controls: true,
            verbs: true,
        };
        let request = probe_request(
            identity,
            destination,
            environment,
            &credentials,
            everything,
            self.clock.now(),
        );
        let ports = self.ports(&self.itself, &found)?;
        Ok(ports.prober.probe(&request).await)
    }
}
