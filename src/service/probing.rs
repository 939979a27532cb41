//! A probe by hand, or by the day: what it says is shown and remembered, and moves nothing. Where it speaks of a
//! certificate of which it was only claimed that it is trusted, it is noted as the evidence that was missing.

use super::{GenerationSlot, Service, ServiceError, identities::in_slot};
use crate::{
    config::Config,
    model::{
        Destination, Environment, GenerationNumber, Identity, IdentityName, ProbeReport, Stretch,
        audit::Author,
    },
    probe::{Account, Further, TlsProber, note_server_change},
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
        let (report, number) = self.ask_on_the_wire(identity, destination, slot).await?;
        self.keep_probe(by, identity, destination, slot, number, &report)?;
        Ok(report)
    }

    /// What is kept of a probe by hand.
    pub(super) fn keep_probe(
        &self,
        by: &Author,
        identity: &IdentityName,
        destination: &Destination,
        slot: GenerationSlot,
        number: GenerationNumber,
        report: &ProbeReport,
    ) -> Result<(), ServiceError> {
        // A generation that is not in use yet, or no more, says nothing of the identity's standing.
        if slot == GenerationSlot::Current {
            // Somebody waits to see it, also when the disk is full or another probe was remembered meanwhile.
            if let Err(error) = self.remember_probe(identity, destination, number, report) {
                tracing::error!(%identity, %destination, "a probe could not be remembered: {error}");
            }
        }
        self.note_on_claim(by, identity, number, destination, report)
    }

    /// The probe itself, and which generation was presented.
    pub(super) async fn ask_on_the_wire(
        &self,
        identity: &IdentityName,
        destination: &Destination,
        slot: GenerationSlot,
    ) -> Result<(ProbeReport, GenerationNumber), ServiceError> {
        self.ask_further(identity, destination, slot, None).await
    }

    /// The same, and a login at its end where there is an account.
    pub(super) async fn ask_further(
        &self,
        identity: &IdentityName,
        destination: &Destination,
        slot: GenerationSlot,
        account: Option<Account>,
    ) -> Result<(ProbeReport, GenerationNumber), ServiceError> {
        let config = self.config();
        let found = self.existing(identity)?.value;
        let environment = environment_of(&config, identity, destination)?;
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
        let mut report = TlsProber::default()
            .examine(
                &request,
                Further {
                    large_body: true,
                    spare: Some(self.spare_certificates(&found, environment)?),
                    account,
                },
            )
            .await;
        let history = self.records.probe_history(identity, destination)?.value;
        if let Some(change) = history.server_changed(&Stretch::of(&report, number)) {
            note_server_change(&mut report, &change);
        }
        Ok((report, number))
    }
}

impl Service {
    /// Certificates that may belong above one of this identity: those above its other generations, and the roots that
    /// its issuer and the environment name, among which intermediates may lie.
    fn spare_certificates(
        &self,
        identity: &Identity,
        environment: &Environment,
    ) -> Result<Vec<Vec<u8>>, ServiceError> {
        let mut spare = Vec::new();
        for generation in self.records.generations(&identity.name)? {
            let above = generation.value.chain.into_iter().skip(1);
            spare.extend(above.map(|certificate| certificate.0));
        }
        if let Some(issuer) = self.config().issuers.get(&identity.issuer) {
            spare.extend(issuer.anchors.iter().cloned());
        }
        spare.extend(environment.anchors.iter().cloned());
        Ok(spare)
    }
}

/// Where this identity is trusted, by the configuration: test identities act at test, and production ones at production.
pub(super) fn environment_of<'c>(
    config: &'c Config,
    identity: &IdentityName,
    destination: &Destination,
) -> Result<&'c Environment, ServiceError> {
    let (_, environment) = config.environment(destination).ok_or_else(|| {
        ServiceError::failed(format!(
            "there is no {destination} in {}",
            config.path.display()
        ))
    })?;
    if environment.identity != *identity {
        return Err(ServiceError::refused(format!(
            "{destination} trusts {}, not {identity}",
            environment.identity
        )));
    }
    Ok(environment)
}
