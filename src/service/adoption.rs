//! Identities that were in use before they came to us, and what is claimed of them until a probe proves it.

use jiff::Timestamp;

use super::{AdoptedView, IdentityAdopt, Service, ServiceError, rotations::signed_name};
use crate::{
    model::{
        Destination, GenerationNumber, Identity, IdentityName, ProbeReport, Slots, SubjectRequest,
        audit::Author,
        rotation::{Fact, Rotation, RotationId, RotationReason},
    },
    pki::PrivateKey,
    records::Batch,
    rotation::{Adopted, Adoption, adopt},
};

impl Service {
    pub(super) fn adopt_identity(
        &self,
        author: &Author,
        wanted: IdentityAdopt,
    ) -> Result<AdoptedView, ServiceError> {
        let config = self.config();
        let policy = config.policies.get(&wanted.policy).ok_or_else(|| {
            let known: Vec<_> = config.policies.keys().map(ToString::to_string).collect();
            ServiceError::failed(format!("there is no policy {}", wanted.policy))
                .hint(format!("there are: {}", known.join(", ")))
        })?;
        let name = wanted.identity.clone();
        if self.records.identity(&name)?.is_some() {
            return Err(
                ServiceError::refused(format!("there is an identity {name} already")).hint(
                    "adopt it under another name, or start a rotation of the one that is there",
                ),
            );
        }
        let key_algorithm = wanted.key_algorithm.unwrap_or(policy.key.algorithm);
        if !policy.key.allowed.contains(&key_algorithm) {
            return Err(ServiceError::refused(format!(
                "[key-algorithm-not-allowed] policy {} does not allow {key_algorithm} keys",
                policy.name
            ))
            .hint("choose another with --key, or another policy"));
        }
        let key = PrivateKey::from_pkcs8(wanted.key.expose())
            .map_err(|error| ServiceError::from_error(&error))?;
        // What the configuration says of an identity that is not there yet.
        let setting = self.setting(&Identity {
            name: name.clone(),
            issuer: wanted.issuer,
            policy: wanted.policy,
            subject: SubjectRequest {
                common_name: String::new(),
                organization: None,
                dns_names: Vec::new(),
            },
            key_algorithm,
            created_at: self.clock.now(),
            slots: Slots::default(),
            newest: None,
            rotation: None,
        })?;
        let adoption = Adoption {
            identity: name.clone(),
            key,
            certificates: wanted.certificates.into_iter().map(|der| der.0).collect(),
            names: wanted.names,
            key_algorithm,
            by: signed_name(&wanted.by)?,
            from: wanted.from,
        };
        let Adopted {
            rotation,
            story,
            warnings,
            ..
        } = adopt(&self.records, &setting, author, adoption, self.clock.now())?;
        for event in &story {
            self.observer.noted(&rotation, event.at, &event.fact);
        }
        // Connectors that wait for it have it from here on.
        self.seat_connectors();
        Ok(AdoptedView {
            schema: 1,
            warnings,
            claimed: rotation.legs.keys().cloned().collect(),
            identity: self.identity_view(&name)?,
        })
    }

    /// What is claimed of the current generation, and since when a probe has proven it.
    pub(super) fn claims(
        &self,
        identity: &Identity,
    ) -> Result<Vec<(Destination, Option<Timestamp>)>, ServiceError> {
        let Some(adoption) = self.adoption_of(&identity.name, identity.slots.current)? else {
            return Ok(Vec::new());
        };
        Ok(adoption
            .legs
            .iter()
            .filter(|(_, leg)| leg.claimed.is_some())
            .map(|(destination, leg)| {
                let proven = leg.proven.as_ref().map(|(at, _)| *at);
                (destination.clone(), proven)
            })
            .collect())
    }

    /// Notes what the wire said of a generation of which it was only claimed that it is trusted there.
    pub(super) fn note_on_claim(
        &self,
        by: &Author,
        identity: &IdentityName,
        number: GenerationNumber,
        destination: &Destination,
        report: &ProbeReport,
    ) -> Result<(), ServiceError> {
        let Some(adoption) = self.adoption_of(identity, Some(number))? else {
            return Ok(());
        };
        if !adoption.legs.contains_key(destination) {
            return Ok(());
        }
        let (at, fact) = (
            self.clock.now(),
            Fact::ClaimProbed {
                destination: destination.clone(),
                report: Box::new(ProbeReport {
                    // They repeat the evidence in the order of a reader.
                    findings: Vec::new(),
                    ..report.clone()
                }),
            },
        );
        let noted = self
            .records
            .note(&adoption.id, by, at, Batch::new(), |adoption| {
                // What says the same again is kept by the history of probes, which does not grow with it.
                let noted = adoption.legs.get(destination)?.probe.as_ref();
                let news = noted.is_none_or(|before| !says_the_same(&before.report, report));
                news.then(|| fact.clone())
            })?;
        if let Some(rotation) = noted {
            self.observer.noted(&rotation, at, &fact);
        }
        Ok(())
    }

    /// The rotation by which a generation was adopted, if it was.
    fn adoption_of(
        &self,
        identity: &IdentityName,
        number: Option<GenerationNumber>,
    ) -> Result<Option<Rotation>, ServiceError> {
        let Some(generation) = number else {
            return Ok(None);
        };
        let id = RotationId {
            identity: identity.clone(),
            generation,
        };
        Ok(self
            .records
            .rotation(&id)?
            .map(|replayed| replayed.rotation)
            .filter(|rotation| rotation.reason == RotationReason::Adopted))
    }
}

fn says_the_same(before: &ProbeReport, now: &ProbeReport) -> bool {
    (before.verdict, before.tier, before.proves_acceptance())
        == (now.verdict, now.tier, now.proves_acceptance())
}
