//! Handing a generation to a running connector, forwards and back.
//!
//! Contract: the intent is noted before anything is published, and from then on the connector is served
//! that generation after any restart. The step succeeds only when the connector was seen using it.

use super::{Done, StepError, credentials};
use crate::{
    delivery::{Handover, Publisher},
    exchange::Mailer,
    model::{
        Activation, ConnectorName, GenerationNumber, IdentityName, KeyState, Role,
        rotation::{Output, Rotation},
    },
    pki::Credentials,
    policy::Policy,
    probe::Prober,
    records::Batch,
    rotation::Driver,
};

impl<M: Mailer, P: Prober, B: Publisher> Driver<'_, M, P, B> {
    pub(super) async fn publish_new(
        &self,
        rotation: &Rotation,
        connector: &ConnectorName,
    ) -> Result<Done, StepError> {
        self.publish(rotation, connector, rotation.to()).await
    }

    pub(super) async fn publish_old(
        &self,
        rotation: &Rotation,
        connector: &ConnectorName,
    ) -> Result<Done, StepError> {
        match rotation.from {
            // Destroyed before the store was restored: there is nothing to be given back.
            Some(from) if self.is_gone(rotation.identity(), from)? => {
                Ok((Output::Done, Batch::new()))
            }
            Some(from) => self.publish(rotation, connector, from).await,
            None => Ok((Output::Done, Batch::new())),
        }
    }

    async fn publish(
        &self,
        rotation: &Rotation,
        connector: &ConnectorName,
        generation: GenerationNumber,
    ) -> Result<Done, StepError> {
        self.refuse_suspended(rotation, generation)?;
        let credentials = credentials(self.records, rotation.identity(), generation)?;
        let handover = handover(
            rotation.identity(),
            &credentials,
            generation,
            &self.setting.policy,
        );
        let fingerprint = handover.fingerprint;
        let applied = self
            .publisher
            .publish(connector, handover)
            .await
            .map_err(|error| StepError::from_error(&error, error.is_transient(), error.remedy()))?;
        let at = self.clock.now();
        let activation = Box::new(Activation {
            connector: connector.clone(),
            generation,
            fingerprint,
            applied,
            at,
        });
        Ok((Output::Published { activation }, Batch::new()))
    }
}

impl<M, P, B> Driver<'_, M, P, B> {
    /// Whether a key is known to be dead, and no longer there.
    pub(super) fn is_gone(
        &self,
        name: &IdentityName,
        generation: GenerationNumber,
    ) -> Result<bool, StepError> {
        let found = self.records.generation(name, generation)?;
        let dead = found.is_some_and(|found| {
            matches!(
                found.value.key_state,
                KeyState::Destroyed | KeyState::Compromised
            )
        });
        Ok(dead && self.records.private_key(name, generation)?.is_none())
    }

    /// What a restore has suspended is presented to nobody before it was spoken for.
    fn refuse_suspended(
        &self,
        rotation: &Rotation,
        generation: GenerationNumber,
    ) -> Result<(), StepError> {
        let name = rotation.identity();
        let found = self.records.generation(name, generation)?;
        if found.is_some_and(|found| found.value.key_state == KeyState::Suspended) {
            return Err(StepError::permanent(
                format!(
                    "generation {generation} is suspended since the store was restored from a backup"
                ),
                format!(
                    "countersign identity reinstate {name}, then countersign rotation retry {name}"
                ),
                Role::Ops,
            ));
        }
        Ok(())
    }
}

/// Credentials as they are handed over under a policy.
pub fn handover(
    identity: &IdentityName,
    credentials: &Credentials,
    generation: GenerationNumber,
    policy: &Policy,
) -> Handover {
    Handover {
        identity: identity.clone(),
        generation,
        fingerprint: credentials.fingerprint(),
        bundle_pem: credentials.bundle_pem(),
        key_pem: credentials.key().pem(),
        chain_pem: credentials.chain_pem(),
        drain: policy.activation.drain,
        confirm_within: policy.activation.confirm_within,
    }
}
