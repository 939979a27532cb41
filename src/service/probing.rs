//! A probe by hand: what it says is shown, and moves nothing.

use zeroize::Zeroizing;

use super::{GenerationSlot, Service, ServiceError, identities::in_slot};
use crate::{
    model::{Destination, IdentityName, ProbeReport},
    probe::{ClientIdentity, ProbeRequest, Prober, TlsParity},
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
        let at = self.clock.now();
        let request = ProbeRequest {
            probe_id: format!(
                "{identity}-{}-{}",
                destination.environment,
                at.as_millisecond()
            ),
            at,
            url: environment.endpoint.clone(),
            anchors: &environment.anchors,
            resolve: &environment.resolve,
            tls: if environment.tls13 {
                TlsParity::Tls12And13
            } else {
                TlsParity::Tls12Only
            },
            presented: Some(ClientIdentity {
                chain: credentials.presented_chain().to_vec(),
                key_pkcs8: Zeroizing::new(credentials.key().pkcs8().to_vec()),
                fingerprint: credentials.fingerprint(),
            }),
            controls: true,
            verbs: true,
            gateway: environment.gateway,
        };
        let ports = self.ports(&found)?;
        Ok(ports.prober.probe(&request).await)
    }
}
