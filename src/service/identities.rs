//! Identities: adding, listing, requests and chains.

use super::{
    GenerationSlot, GenerationView, IdentityAdd, IdentityView, PemView, RotationView, Service,
    ServiceError,
};
use crate::{
    model::{
        Generation, GenerationNumber, Identity, IdentityName, Slots,
        audit::Author,
        rotation::{Fact, RotationReason},
    },
    pki::pem,
    records::Versioned,
    rotation::{RehearsalError, due, import_chain},
};

impl Service {
    pub(super) async fn add_identity(
        &self,
        by: &Author,
        add: IdentityAdd,
    ) -> Result<IdentityView, ServiceError> {
        let config = self.config();
        let policy = config.policies.get(&add.policy).ok_or_else(|| {
            let known: Vec<_> = config.policies.keys().map(ToString::to_string).collect();
            ServiceError::failed(format!("there is no policy {}", add.policy))
                .hint(format!("there are: {}", known.join(", ")))
        })?;
        if self.records.identity(&add.identity)?.is_some() {
            return Err(ServiceError::refused(format!(
                "there is an identity {} already",
                add.identity
            ))
            .hint(format!("countersign identity show {}", add.identity)));
        }
        let key_algorithm = add.key_algorithm.unwrap_or(policy.key.algorithm);
        if !policy.key.allowed.contains(&key_algorithm) {
            return Err(ServiceError::refused(format!(
                "[key-algorithm-not-allowed] policy {} does not allow {key_algorithm} keys",
                policy.name
            ))
            .hint(format!(
                "allowed: {}; another policy may allow it",
                policy
                    .key
                    .allowed
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        let identity = Identity {
            name: add.identity,
            issuer: add.issuer,
            policy: add.policy,
            subject: add.subject,
            key_algorithm,
            created_at: self.clock.now(),
            slots: Slots::default(),
            newest: None,
            rotation: None,
        };
        // Everything that it points at has to be there before anything is written.
        let ports = self.ports(by, &identity)?;
        self.driver(by, &ports)
            .rehearse(&identity)
            .await
            .map_err(|error| match error {
                RehearsalError::Failed(failure) => {
                    ServiceError::refused(failure.message).hint(failure.remedy)
                }
                RehearsalError::Records(error) => error.into(),
            })?;
        let name = identity.name.clone();
        self.plan(
            by,
            &Versioned {
                version: 0,
                value: identity,
            },
            RotationReason::Initial,
        )?;
        self.prepare(by, &name).await?;
        self.identity_view(&name)
    }

    /// Plans the rotation to the next generation.
    pub(super) fn plan(
        &self,
        by: &Author,
        identity: &Versioned<Identity>,
        reason: RotationReason,
    ) -> Result<(), ServiceError> {
        let setting = self.setting(&identity.value)?;
        let validity = setting.policy.certificate.validity;
        setting
            .policy
            .lead_time
            .check(validity)
            .map_err(|error| ServiceError::refused(error.to_string()))?;
        let to = identity
            .value
            .newest
            .map_or(GenerationNumber::FIRST, GenerationNumber::next);
        let fact = Fact::Planned {
            identity: identity.value.name.clone(),
            from: identity.value.slots.current,
            to,
            reason,
            scope: setting.scope,
        };
        let at = self.clock.now();
        let rotation = self.records.plan(identity, by, at, fact.clone())?;
        self.observer.noted(&rotation, at, &fact);
        Ok(())
    }

    pub(super) fn import(
        &self,
        by: &Author,
        identity: &IdentityName,
        file: &[u8],
    ) -> Result<RotationView, ServiceError> {
        let found = self.existing(identity)?;
        let setting = self.setting(&found.value)?;
        let now = self.clock.now();
        let (rotation, _) = import_chain(&self.records, &setting, by, identity, file, now)?;
        self.rotation_view(&rotation)
    }

    /// The request that waits for the partner's authority.
    pub(super) fn pending_request(&self, identity: &IdentityName) -> Result<PemView, ServiceError> {
        let found = self.existing(identity)?.value;
        let generation = found.rotation.or(found.slots.current);
        let generation = match generation {
            Some(number) => self.records.generation(identity, number)?,
            None => None,
        };
        let generation = generation
            .map(|found| found.value)
            .filter(|generation| !generation.request.is_empty())
            .ok_or_else(|| {
                ServiceError::refused(format!("{identity} has no certification request"))
            })?;
        Ok(PemView {
            schema: 1,
            what: format!(
                "certification request of {identity}, generation {}",
                generation.number
            ),
            fingerprint: None,
            pem: pem::request_pem(&generation.request),
        })
    }

    /// The chain of a generation.
    pub(super) fn certificate(
        &self,
        identity: &IdentityName,
        slot: GenerationSlot,
    ) -> Result<PemView, ServiceError> {
        let found = self.existing(identity)?.value;
        let number = in_slot(&found, slot)?;
        let generation = self.records.generation(identity, number)?.map(|g| g.value);
        let generation = generation.filter(|g| !g.chain.is_empty()).ok_or_else(|| {
            ServiceError::refused(format!(
                "generation {number} of {identity} has no certificate yet"
            ))
        })?;
        Ok(PemView {
            schema: 1,
            what: format!("certificate chain of {identity}, generation {number}"),
            fingerprint: generation.leaf.as_ref().map(|leaf| leaf.fingerprint),
            pem: generation
                .chain
                .iter()
                .map(|certificate| pem::certificate_pem(&certificate.0))
                .collect(),
        })
    }

    pub(super) fn identity_view(
        &self,
        identity: &IdentityName,
    ) -> Result<IdentityView, ServiceError> {
        self.view_of(self.existing(identity)?.value)
    }

    pub(super) fn existing(
        &self,
        identity: &IdentityName,
    ) -> Result<Versioned<Identity>, ServiceError> {
        self.records.identity(identity)?.ok_or_else(|| {
            ServiceError::failed(format!("there is no identity {identity}"))
                .hint("countersign identity list")
        })
    }

    pub(super) fn view_of(&self, identity: Identity) -> Result<IdentityView, ServiceError> {
        let config = self.config();
        let generations: Vec<Generation> = self
            .records
            .generations(&identity.name)?
            .into_iter()
            .map(|g| g.value)
            .collect();
        let current = generations
            .iter()
            .find(|g| Some(g.number) == identity.slots.current);
        let due = match config.policies.get(&identity.policy) {
            Some(policy) => due(&identity, current, policy, self.clock.now()),
            None => crate::rotation::Due::Never,
        };
        let rotation = self.rotation_in_progress(&identity)?;
        let claims = self.claims(&identity)?;
        Ok(IdentityView {
            schema: 1,
            due,
            claims,
            destinations: config.scope_of(&identity.name).destinations,
            generations: generations.into_iter().map(generation_view).collect(),
            rotation: rotation
                .as_ref()
                .map(|rotation| self.rotation_view(rotation))
                .transpose()?,
            identity: identity.name,
            issuer: identity.issuer,
            policy: identity.policy,
            common_name: identity.subject.common_name,
            slots: identity.slots,
        })
    }
}

/// The generation in a slot.
pub(super) fn in_slot(
    identity: &Identity,
    slot: GenerationSlot,
) -> Result<GenerationNumber, ServiceError> {
    let (number, word) = match slot {
        GenerationSlot::Current => (identity.slots.current, "current"),
        GenerationSlot::Next => (identity.slots.next, "next"),
        GenerationSlot::Previous => (identity.slots.previous, "previous"),
    };
    number.ok_or_else(|| {
        ServiceError::refused(format!("{} has no {word} generation", identity.name))
            .hint(format!("countersign identity show {}", identity.name))
    })
}

fn generation_view(generation: Generation) -> GenerationView {
    GenerationView {
        generation: generation.number,
        key_algorithm: generation.key_algorithm,
        key_id: generation.key_id,
        key_state: generation.key_state,
        origin: generation.origin,
        created_at: generation.created_at,
        destroyed_at: generation.destroyed_at,
        certificate: generation.leaf,
    }
}
