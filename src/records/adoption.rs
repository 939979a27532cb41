//! Taking in an identity that was in use before: its key, its certificate and the story of both, at once or not at all.

use std::sync::PoisonError;

use super::{
    Batch, GENERATIONS, Records, RecordsError, Versioned,
    journal::{added, key_moved},
};
use crate::model::{
    Generation, GenerationNumber, Identity, IdentityName, KeyId,
    audit::{self, Action, Author},
    rotation::{Event, Rotation},
};

impl Records {
    /// Whose key it is, if it is known: of any generation, destroyed ones included.
    pub fn holder_of(
        &self,
        key: KeyId,
    ) -> Result<Option<(IdentityName, GenerationNumber)>, RecordsError> {
        let generations: Vec<Versioned<Generation>> = self.list(GENERATIONS)?;
        Ok(generations
            .into_iter()
            .map(|found| found.value)
            .find(|generation| generation.key_id == key)
            .map(|generation| (generation.identity, generation.number)))
    }

    /// Writes a new identity with its first generation, the private key (PKCS#8) and the facts that tell of it.
    ///
    /// A key that has become known meanwhile is a conflict: of two who adopt it at once, one is told.
    pub fn adopt(
        &self,
        identity: Identity,
        generation: Generation,
        key: &[u8],
        from: &str,
        author: &Author,
        story: [&Event; 2],
    ) -> Result<Rotation, RecordsError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((identity, number)) = self.holder_of(generation.key_id)? {
            return Err(RecordsError::KeyKnown { identity, number });
        }
        if let Some(state) = self.fate_of(generation.key_id)? {
            return Err(RecordsError::KeyDead { state });
        }
        let [planned, adopted] = story;
        let illegal = |source| RecordsError::IllegalFact { source };
        let begun = Rotation::begin(planned).map_err(illegal)?;
        let rotation = begun.clone().after(adopted).map_err(illegal)?;
        let told = [
            added(&identity),
            Action::KeyImported {
                identity: identity.name.clone(),
                generation: generation.number,
                algorithm: generation.key_algorithm,
                key: generation.key_id,
                from: from.into(),
            },
        ];
        let (name, number) = (identity.name.clone(), generation.number);
        let value = Identity {
            slots: rotation.slots(),
            newest: Some(rotation.to()),
            rotation: rotation.outcome.is_none().then(|| rotation.to()),
            ..identity
        };
        let moved = key_moved(&generation);
        let mut batch = Batch::new()
            .identity(&Versioned { version: 0, value })
            .generation(&Versioned {
                version: 0,
                value: generation,
            })
            .new_key(&name, number, key);
        for (sequence, event) in (1..).zip(story) {
            batch = batch.event(&rotation.id, sequence, event);
        }
        let of_the_story = audit::told(None, &begun, &planned.fact)
            .into_iter()
            .chain(audit::told(Some(&begun), &rotation, &adopted.fact));
        for action in told.into_iter().chain(moved).chain(of_the_story) {
            batch = batch.tell(action);
        }
        self.commit(author, adopted.at, batch)?;
        Ok(rotation)
    }
}
