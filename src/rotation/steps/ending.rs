//! The end of a key.
//!
//! Contract: what was published of it is removed first, so that no copy outlives the record; the record
//! goes in the same transaction as the fact. Removing twice is harmless.

use super::{Done, StepError};
use crate::{
    delivery::Publisher,
    exchange::Mailer,
    model::{
        GenerationNumber,
        audit::Action,
        rotation::{Output, Rotation},
    },
    probe::Prober,
    records::{Batch, RevokedRecord},
    rotation::Driver,
};

impl<M: Mailer, P: Prober, B: Publisher> Driver<'_, M, P, B> {
    pub(super) async fn destroy(
        &self,
        rotation: &Rotation,
        generation: Option<GenerationNumber>,
    ) -> Result<Done, StepError> {
        let Some(generation) = generation else {
            return Ok((Output::Done, Batch::new()));
        };
        for connector in rotation.connectors.keys() {
            self.publisher
                .retract(connector, generation)
                .await
                .map_err(|error| {
                    StepError::from_error(&error, error.is_transient(), error.remedy())
                })?;
        }
        Ok((Output::Done, self.revoked(rotation, generation)?))
    }

    /// A certificate of our own authority whose key is gone goes on its revocation list (RFC 5280 §5.3.1,
    /// superseded), for gateways that trust the authority and not the certificate.
    fn revoked(
        &self,
        rotation: &Rotation,
        generation: GenerationNumber,
    ) -> Result<Batch, StepError> {
        let issuer = &self.setting.issuer.name;
        let found = self.records.generation(rotation.identity(), generation)?;
        let leaf = found.and_then(|generation| generation.value.leaf);
        let (Some(leaf), Some(mut authority)) = (leaf, self.records.authority(issuer)?) else {
            return Ok(Batch::new());
        };
        let at = self.clock.now();
        let list = &mut authority.value.revoked;
        if leaf.validity.is_over(at) || list.iter().any(|entry| entry.serial == leaf.serial) {
            return Ok(Batch::new());
        }
        let serial = leaf.serial.clone();
        list.push(RevokedRecord {
            serial: leaf.serial,
            at,
        });
        let batch = Batch::new().authority(issuer, &authority);
        Ok(batch.tell(Action::CertificateRevoked {
            issuer: issuer.clone(),
            serial,
        }))
    }
}
