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
        Destination, Environment, GenerationNumber, IdentityName, ProbeReport, Role, Verdict,
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
        let report = self
            .probe(
                rotation,
                destination,
                rotation.to(),
                rules.controls,
                rules.verbs,
            )
            .await?;
        Ok((
            Output::Probed {
                report: Box::new(report),
            },
            Batch::new(),
        ))
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
        // Destroyed before the store was restored: there is nothing left to be refused, and no way to ask.
        if self.is_gone(rotation.identity(), from)? {
            return Ok((Output::KeyGone, Batch::new()));
        }
        let old = self.records.generation(rotation.identity(), from)?;
        let expired = |now: Timestamp| {
            old.is_some_and(|g| g.value.leaf.is_none_or(|leaf| leaf.validity.is_over(now)))
        };
        if self.setting.policy.retire.proof == RetireRule::RefusedOrExpired
            && expired(self.clock.now())
        {
            return Ok((Output::Expired, Batch::new()));
        }
        let mut report = self
            .probe(rotation, destination, from, false, false)
            .await?;
        // A gateway that refuses everybody proves nothing about the old certificate: the key would be lost
        // for an outage. Only beside the acceptance of the new one is the refusal of the old one meant.
        if report.proves_refusal() {
            let beside = self
                .probe(rotation, destination, rotation.to(), false, false)
                .await?;
            if beside.verdict != Verdict::Accepted {
                report.verdict = Verdict::Inconclusive;
                report.summary = format!(
                    "the old certificate was refused, but the new one was not accepted either: {}",
                    beside.summary
                );
            }
        }
        Ok((
            Output::Probed {
                report: Box::new(report),
            },
            Batch::new(),
        ))
    }

    async fn probe(
        &self,
        rotation: &Rotation,
        destination: &Destination,
        generation: GenerationNumber,
        controls: bool,
        verbs: bool,
    ) -> Result<ProbeReport, StepError> {
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
        let report = self.prober.probe(&request).await;
        // They repeat the evidence in the order of a reader; the journal keeps the evidence.
        Ok(ProbeReport {
            findings: Vec::new(),
            ..report
        })
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
