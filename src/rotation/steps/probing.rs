//! Asking the wire.
//!
//! Contract: what came back is the output, whatever it is; that something went wrong out there is not a
//! failure of the step. Whether it opens a gate is said by the transition function.

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Done, StepError, credentials};
use crate::{
    delivery::Publisher,
    exchange::Mailer,
    model::{
        Destination, Environment, GenerationNumber, IdentityName, Role,
        rotation::{Basis, Gate, Output, Rotation},
    },
    pki::Credentials,
    policy::{GateRule, RetireRule},
    probe::{ClientIdentity, ProbeRequest, Prober, TlsParity},
    records::Batch,
    rotation::Driver,
};

impl<M: Mailer, P: Prober, B: Publisher> Driver<'_, M, P, B> {
    pub(super) async fn probe_new(
        &self,
        rotation: &Rotation,
        destination: &Destination,
    ) -> Result<Done, StepError> {
        let waiver = rotation
            .legs
            .get(destination)
            .and_then(|leg| leg.waiver(Gate::Probe));
        let spared = match waiver {
            Some(waiver) => Some(Basis::Waived {
                by: waiver.by.clone(),
                reason: waiver.reason.clone(),
            }),
            None => (self.setting.policy.gates.probe == GateRule::NotRequired)
                .then_some(Basis::NotRequired),
        };
        if let Some(basis) = spared {
            return Ok((Output::ProbeSpared { basis }, Batch::new()));
        }
        let rules = &self.setting.policy.probe;
        self.probe(
            rotation,
            destination,
            rotation.to(),
            rules.controls,
            rules.verbs,
        )
        .await
    }

    /// With the old generation: its refusal is what we want to see. One that has expired need not be shown.
    pub(super) async fn probe_old(
        &self,
        rotation: &Rotation,
        destination: &Destination,
    ) -> Result<Done, StepError> {
        let Some(from) = rotation.from else {
            return Ok((Output::Expired, Batch::new()));
        };
        let old = self.records.generation(rotation.identity(), from)?;
        let expired = |now: Timestamp| {
            old.is_some_and(|g| g.value.leaf.is_none_or(|leaf| leaf.validity.is_over(now)))
        };
        if self.setting.policy.retire.proof == RetireRule::RefusedOrExpired
            && expired(self.clock.now())
        {
            return Ok((Output::Expired, Batch::new()));
        }
        self.probe(rotation, destination, from, false, false).await
    }

    async fn probe(
        &self,
        rotation: &Rotation,
        destination: &Destination,
        generation: GenerationNumber,
        controls: bool,
        verbs: bool,
    ) -> Result<Done, StepError> {
        let credentials = credentials(self.records, rotation.identity(), generation)?;
        let (_, environment) = self.setting.environment(destination).ok_or_else(|| {
            StepError::permanent(
                format!("{destination} is not in the configuration"),
                "name it in countersign.toml, or abandon the rotation",
                Role::Ops,
            )
        })?;
        let scope = Questions { controls, verbs };
        let request = probe_request(
            rotation.identity(),
            destination,
            environment,
            &credentials,
            scope,
            self.clock.now(),
        );
        let report = Box::new(self.prober.probe(&request).await);
        Ok((Output::Probed { report }, Batch::new()))
    }
}

/// What a probe asks besides whether the certificate is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Questions {
    /// Whether no certificate and a stranger's are refused.
    pub controls: bool,
    /// Whether the four methods pass.
    pub verbs: bool,
}

/// A probe of an environment with given credentials.
pub fn probe_request<'a>(
    identity: &IdentityName,
    destination: &Destination,
    environment: &'a Environment,
    credentials: &Credentials,
    questions: Questions,
    at: Timestamp,
) -> ProbeRequest<'a> {
    ProbeRequest {
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
        controls: questions.controls,
        verbs: questions.verbs,
        gateway: environment.gateway,
    }
}
