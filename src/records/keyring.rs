//! The secrets that open the store under the records, and its master key.

use std::path::Path;

use countersign_store::Store;
pub use countersign_store::{
    KdfCost, ResealState, Resealed, SlotInfo, SlotKind, SlotOptions, TokenKey,
};

use super::{Records, RecordsError, Unlock};

impl Records {
    /// The slots of the store in a directory, as its header states them; nobody has verified them.
    pub fn slots_in(directory: &Path) -> Result<Vec<SlotInfo>, RecordsError> {
        Ok(Store::slots_in(directory)?)
    }

    /// What opens the store in a directory, by its header alone: one phrase for each slot.
    pub fn openers(directory: &Path) -> Result<Vec<String>, RecordsError> {
        Ok(Self::slots_in(directory)?.iter().map(phrase).collect())
    }

    /// The slots.
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.store().slots()
    }

    /// The slot that a secret opens, if it opens one.
    pub fn slot_of(&self, secret: &Unlock) -> Result<Option<u32>, RecordsError> {
        Ok(self.store().slot_of(secret)?)
    }

    /// Lets one more secret open the store; the number of its slot.
    pub fn add_slot(&self, secret: &Unlock, options: &SlotOptions) -> Result<u32, RecordsError> {
        Ok(self.store().add_slot(secret, options)?)
    }

    /// Gives a slot another secret, or the same at another cost.
    pub fn change_slot(
        &self,
        id: u32,
        secret: &Unlock,
        options: &SlotOptions,
    ) -> Result<(), RecordsError> {
        Ok(self.store().change_slot(id, secret, options)?)
    }

    /// Takes a slot away.
    pub fn remove_slot(&self, id: u32) -> Result<(), RecordsError> {
        Ok(self.store().remove_slot(id)?)
    }

    /// Whether the master key is being replaced.
    pub fn is_rekeying(&self) -> bool {
        self.store().is_rekeying()
    }

    /// The number of the master key that everything is sealed under from now on.
    pub fn epoch(&self) -> u16 {
        self.store().epoch()
    }

    /// Makes a new master key, or goes on with one that was made before.
    pub fn begin_rekey(&self) -> Result<(), RecordsError> {
        Ok(self.store().begin_rekey()?)
    }

    /// Seals the next few records anew.
    pub fn rekey_step(&self, limit: usize) -> Result<Resealed, RecordsError> {
        Ok(self.store().rekey_step(limit)?)
    }

    /// Gives the old master key up.
    pub fn end_rekey(&self) -> Result<(), RecordsError> {
        Ok(self.store().end_rekey()?)
    }
}

fn phrase(slot: &SlotInfo) -> String {
    let kind = slot
        .kind
        .map_or_else(|| "damaged secret".to_owned(), |kind| kind.to_string());
    let label = if slot.label.is_empty() {
        String::new()
    } else {
        format!(" ({})", slot.label)
    };
    let token = slot.token.as_ref().map_or_else(String::new, |key| {
        format!(": key {key} on token {}", key.token)
    });
    format!("the {kind} of slot {}{label}{token}", slot.id)
}
