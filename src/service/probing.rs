//! A probe by hand: what it says is shown, and moves nothing. Where it speaks of a certificate of which it was only
//! claimed that it is trusted, it is noted as the evidence that was missing.

use super::{GenerationSlot, Service, ServiceError, identities::in_slot};
use crate::{
    model::{Destination, IdentityName, ProbeReport, audit::Author},
    probe::Prober,
    rotation::{Questions, probe_request},
};

impl Service {
    pub(super) async fn probe(
        &self,
        by: &Author,
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
        let number = in_slot(&found, slot)?;
        let credentials = self.credentials(&found, number)?;
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
        let report = ports.prober.probe(&request).await;
        self.note_on_claim(by, identity, number, destination, &report)?;
        Ok(report)
    }
}
