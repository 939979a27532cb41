//! Putting back into force what a restore has suspended: by what the wire says, or on a named person's word.
//!
//! The wire proves that a partner still accepts a certificate, and nothing more: a key in other hands is accepted,
//! too. That is why a restore without anybody who was there needs a person to answer for it, and why keys that are
//! known to be compromised never come back.

use super::{Service, ServiceError};
use crate::{
    model::{
        Generation, Identity, IdentityName, KeyState, Verdict,
        audit::{Action, Author},
        one_line,
        rotation::Rotation,
    },
    probe::Prober,
    records::{Batch, Versioned},
    rotation::{Questions, probe_request},
};

impl Service {
    pub(super) async fn reinstate(
        &self,
        by: &Author,
        name: &IdentityName,
        stated: &str,
        reason: Option<&str>,
    ) -> Result<(), ServiceError> {
        let identity = self.existing(name)?.value;
        let suspended: Vec<_> = self
            .records
            .generations(name)?
            .into_iter()
            .filter(|generation| generation.value.key_state == KeyState::Suspended)
            .collect();
        if suspended.is_empty() {
            return Err(
                ServiceError::refused(format!("no generation of {name} is suspended"))
                    .hint(format!("countersign identity show {name}")),
            );
        }
        let rotation = self.rotation_in_progress(&identity)?;
        let mut refusals = Vec::new();
        for generation in &suspended {
            let spoken = match reason {
                Some(reason) => Ok((
                    Some(super::rotations::signed_name(stated)?),
                    super::rotations::stated_reason(reason)?,
                )),
                None => self
                    .wire_speaks_for(by, &identity, &generation.value)
                    .await?
                    .map(|said| (None, said)),
            };
            match spoken {
                Ok((decided_by, reason)) => {
                    let rotation = rotation.as_ref();
                    self.put_into_force(&identity, rotation, generation, decided_by, reason, by)?;
                }
                Err(why) => {
                    refusals.push(format!("generation {}: {why}", generation.value.number));
                }
            }
        }
        self.seat_connectors();
        if refusals.len() == suspended.len() {
            return Err(ServiceError::refused(format!(
                "{name} stays suspended: {}",
                refusals.join("; ")
            ))
            .hint(format!(
                "have the partner look; or answer for it: countersign identity reinstate {name} --reason WHY"
            )));
        }
        Ok(())
    }

    /// What the wire says at every destination: an acceptance everywhere, or why not.
    async fn wire_speaks_for(
        &self,
        by: &Author,
        identity: &Identity,
        generation: &Generation,
    ) -> Result<Result<String, String>, ServiceError> {
        if generation.chain.is_empty() {
            return Ok(Err("it has no certificate to be presented".to_owned()));
        }
        let config = self.config();
        let credentials = self.credentials(identity, generation.number)?;
        let ports = self.ports(by, identity)?;
        let mut said = Vec::new();
        for destination in config.destinations_of(&identity.name) {
            let Some((_, environment)) = config.environment(&destination) else {
                continue;
            };
            let request = probe_request(
                &identity.name,
                &destination,
                environment,
                &credentials,
                Questions {
                    controls: true,
                    verbs: false,
                },
                self.clock.now(),
            );
            let report = ports.prober.probe(&request).await;
            let words = format!("{destination}: {}", one_line(&report.summary));
            if report.verdict != Verdict::Accepted {
                return Ok(Err(words));
            }
            said.push(words);
        }
        Ok(if said.is_empty() {
            Err("no environment in the configuration names the identity".to_owned())
        } else {
            Ok(said.join("; "))
        })
    }

    fn put_into_force(
        &self,
        identity: &Identity,
        rotation: Option<&Rotation>,
        generation: &Versioned<Generation>,
        decided_by: Option<String>,
        reason: String,
        by: &Author,
    ) -> Result<(), ServiceError> {
        let number = generation.value.number;
        let state = match rotation {
            Some(rotation) if rotation.to() == number => rotation.new_key_state(),
            Some(rotation) if rotation.from == Some(number) => rotation.old_key_state(),
            _ if identity.slots.current == Some(number) => KeyState::Active,
            _ => KeyState::PreActivation,
        };
        let mut generation = generation.clone();
        generation.value.key_state = state;
        let batch = Batch::new()
            .generation(&generation)
            .tell(Action::KeyReinstated {
                identity: identity.name.clone(),
                generation: number,
                key: generation.value.key_id,
                decided_by: decided_by.map(Into::into),
                reason: reason.into(),
            });
        self.records.commit(by, self.clock.now(), batch)?;
        Ok(())
    }

    /// Refuses to present what a restore has suspended.
    pub(super) fn refuse_suspended(&self, generation: &Generation) -> Result<(), ServiceError> {
        if generation.key_state != KeyState::Suspended {
            return Ok(());
        }
        let name = &generation.identity;
        Err(ServiceError::refused(format!(
            "generation {} of {name} is suspended: it was restored from a backup, and nobody has spoken for it yet",
            generation.number
        ))
        .hint(format!("countersign identity reinstate {name}")))
    }
}
