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
        rotation::{Output, Rotation},
    },
    probe::Prober,
    records::Batch,
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
        Ok((Output::Done, Batch::new()))
    }
}
