//! Journals of rotations: facts in order, and what they amount to.

use std::sync::PoisonError;

use countersign_store::Mark;
use jiff::Timestamp;

use super::{Batch, Records, RecordsError, Versioned};
use crate::model::{
    Generation, GenerationNumber, Identity, KeyState, StoreEvent,
    audit::{Action, Author, OneKey, told},
    rotation::{Event, Fact, Rotation, RotationId},
};

/// A rotation, and the number that its next fact will bear.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What the facts amount to.
    pub rotation: Rotation,
    /// The number of the next fact.
    pub next: u64,
}

impl Records {
    /// The facts of a rotation, in order; empty when there is no such rotation.
    pub fn history(&self, rotation: &RotationId) -> Result<Vec<Event>, RecordsError> {
        let entries = self.store().journal(&stream(rotation))?;
        entries
            .iter()
            .map(|entry| {
                serde_json::from_slice(&entry.bytes).map_err(|source| RecordsError::Unreadable {
                    collection: "journal",
                    id: format!("{rotation} entry {}", entry.sequence),
                    source,
                })
            })
            .collect()
    }

    /// A rotation as its facts tell it; `None` when there is no such rotation.
    pub fn rotation(&self, id: &RotationId) -> Result<Option<Replayed>, RecordsError> {
        let history = self.history(id)?;
        let next = history.len() as u64 + 1;
        let rotation =
            Rotation::replay(&history).map_err(|source| RecordsError::ImpossibleHistory {
                rotation: id.clone(),
                source,
            })?;
        Ok(rotation.map(|rotation| Replayed { rotation, next }))
    }
}

impl Records {
    /// What was decided about the store as a whole, oldest first.
    pub fn store_history(&self) -> Result<Vec<StoreEvent>, RecordsError> {
        let entries = self.store().journal(super::STORE_JOURNAL)?;
        entries
            .iter()
            .map(|entry| {
                serde_json::from_slice(&entry.bytes).map_err(|source| RecordsError::Unreadable {
                    collection: "journal",
                    id: format!("of the store, entry {}", entry.sequence),
                    source,
                })
            })
            .collect()
    }

    /// Plans a rotation: writes its first fact together with the identity that it belongs to.
    pub fn plan(
        &self,
        identity: &Versioned<Identity>,
        author: &Author,
        at: Timestamp,
        fact: Fact,
    ) -> Result<Rotation, RecordsError> {
        let event = Event { at, fact };
        let rotation =
            Rotation::begin(&event).map_err(|source| RecordsError::IllegalFact { source })?;
        let mut identity = identity.clone();
        identity.value.slots = rotation.slots();
        identity.value.newest = Some(rotation.to());
        identity.value.rotation = Some(rotation.to());
        let mut batch = Batch::new()
            .identity(&identity)
            .event(&rotation.id, 1, &event);
        if identity.version == 0 {
            batch = batch.tell(added(&identity.value));
        }
        for action in told(None, &rotation, &event.fact) {
            batch = batch.tell(action);
        }
        self.commit(author, at, batch)?;
        Ok(rotation)
    }

    /// Notes a fact of a rotation together with `batch` and with what follows for the identity and its keys.
    ///
    /// `fact` sees the rotation as it is now, whatever happened since the caller last looked, and may
    /// find that there is nothing to note: then nothing is written and `None` is returned.
    pub fn note(
        &self,
        id: &RotationId,
        author: &Author,
        at: Timestamp,
        mut batch: Batch,
        fact: impl FnOnce(&Rotation) -> Option<Fact>,
    ) -> Result<Option<Rotation>, RecordsError> {
        // Held from reading to writing, so that facts noted at the same time follow one another.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Replayed { rotation, next } =
            self.rotation(id)?
                .ok_or_else(|| RecordsError::NoSuchRotation {
                    rotation: id.clone(),
                })?;
        let Some(fact) = fact(&rotation) else {
            return Ok(None);
        };
        let event = Event { at, fact };
        // Evidence about a rotation that has ended changes nothing of what the identity is by now.
        let open = rotation.outcome.is_none();
        let (old_state, new_state) = (rotation.old_key_state(), rotation.new_key_state());
        let before = rotation.clone();
        let after = rotation
            .after(&event)
            .map_err(|source| RecordsError::IllegalFact { source })?;

        if let Some(mut identity) = self.identity(&id.identity)?.filter(|_| open) {
            let before = identity.value.clone();
            identity.value.slots = after.slots();
            if after.outcome.is_some() {
                identity.value.rotation = None;
            }
            if identity.value != before {
                batch = batch.identity(&identity);
            }
        }
        if let Some(from) = after.from.filter(|_| after.old_key_state() != old_state) {
            batch = self.key_state(batch, id, from, after.old_key_state(), at)?;
        }
        if after.new_key_state() != new_state {
            batch = self.key_state(batch, id, after.to(), after.new_key_state(), at)?;
        }
        for action in told(Some(&before), &after, &event.fact) {
            batch = batch.tell(action);
        }
        self.commit(author, at, batch.event(id, next, &event))?;
        Ok(Some(after))
    }

    fn key_state(
        &self,
        batch: Batch,
        id: &RotationId,
        number: GenerationNumber,
        state: KeyState,
        at: Timestamp,
    ) -> Result<Batch, RecordsError> {
        let Some(mut generation) = self.generation(&id.identity, number)? else {
            return Ok(batch);
        };
        // What a restore has suspended is put back into force by evidence or a person, not by a journal that may be
        // older than the key's end.
        let presented = matches!(state, KeyState::Active | KeyState::PreActivation);
        if generation.value.key_state == KeyState::Suspended && presented {
            return Ok(batch);
        }
        generation.value.key_state = state;
        let batch = match state {
            KeyState::Destroyed => batch.bury(generation.value.key_id, Mark::Destroyed),
            KeyState::Compromised => batch.bury(generation.value.key_id, Mark::Compromised),
            _ => batch,
        };
        let batch = match key_moved(&generation.value) {
            Some(action) => batch.tell(action),
            None => batch,
        };
        if state == KeyState::Destroyed {
            generation.value.destroyed_at = Some(at);
            return Ok(batch
                .generation(&generation)
                .destroy_key(&id.identity, number));
        }
        Ok(batch.generation(&generation))
    }
}

pub(super) fn added(identity: &Identity) -> Action {
    let names = &identity.subject.dns_names;
    Action::IdentityAdded {
        identity: identity.name.clone(),
        issuer: identity.issuer.clone(),
        policy: identity.policy.clone(),
        names: names.iter().map(|name| name.as_str().into()).collect(),
    }
}

/// What is to be told of a key that has come into another state.
pub(super) fn key_moved(generation: &Generation) -> Option<Action> {
    let key = OneKey {
        identity: generation.identity.clone(),
        generation: generation.number,
        key: generation.key_id,
    };
    key.moved_to(generation.key_state)
}

pub(super) fn stream(rotation: &RotationId) -> String {
    format!("rotation/{rotation}")
}
