//! Replacing the master key, from its first step to its last.
//!
//! 1. [`begin_rekey`](Store::begin_rekey): a new master key, sealed to each slot beside the old one. From
//!    here on everything is written under the new key.
//! 2. [`rekey_step`](Store::rekey_step), again and again: what was there before is sealed anew.
//! 3. [`end_rekey`](Store::end_rekey): the old master key is taken out of each slot.
//!
//! Each step is whole or did not happen, and a store that is opened in between knows where it stands
//! ([`is_rekeying`](Store::is_rekeying)), so the work can be interrupted anywhere.

use crate::error::Result;
use crate::reseal::Resealed;
use crate::store::Store;

impl Store {
    /// Whether the master key is being replaced.
    #[must_use]
    pub fn is_rekeying(&self) -> bool {
        self.inner.keyring.is_replacing()
    }

    /// The number of the newest master key: 1 for the first, one more for each that replaces it.
    #[must_use]
    pub fn epoch(&self) -> u16 {
        self.inner.keyring.epoch()
    }

    /// Makes a new master key, or goes on with one that was made before. Durable when this returns.
    ///
    /// # Errors
    /// [`Error::SlotUnusable`](crate::Error::SlotUnusable) when a slot is damaged, since its secret
    /// would open nothing afterwards; [`Error::Io`](crate::Error::Io).
    pub fn begin_rekey(&self) -> Result<()> {
        let inner = &*self.inner;
        inner
            .keyring
            .begin_epoch(&|text| inner.put_header(text), |master, epoch| {
                inner.add_master(master, epoch);
            })
    }

    /// Seals the next `limit` records and events under the new master key.
    ///
    /// # Errors
    /// As [`reseal_step`](Self::reseal_step).
    pub fn rekey_step(&self, limit: usize) -> Result<Resealed> {
        self.reseal_step(limit)
    }

    /// Gives the old master key up. Nothing is left that it opens, but for copies made before.
    ///
    /// # Errors
    /// [`Error::ResealingUnfinished`](crate::Error::ResealingUnfinished), and as
    /// [`begin_rekey`](Self::begin_rekey).
    pub fn end_rekey(&self) -> Result<()> {
        let inner = &*self.inner;
        if !self.is_rekeying() {
            return Ok(());
        }
        inner.forget_old_masters()?;
        inner.keyring.end_epoch(&|text| inner.put_header(text))
    }
}
