//! The slots of an open store: adding, changing and removing what opens it.

use crate::error::Result;
use crate::secret::Unlock;
use crate::slot::{SlotInfo, SlotOptions};
use crate::store::Store;

impl Store {
    /// The slots, in the order in which they are tried.
    #[must_use]
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.inner.keyring.slots()
    }

    /// The slot that a secret opens, if it opens one.
    ///
    /// # Errors
    /// [`Error::KdfCost`](crate::Error::KdfCost).
    pub fn slot_of(&self, unlock: &Unlock) -> Result<Option<u32>> {
        self.inner.keyring.opened_by(unlock)
    }

    /// Lets one more secret open the store. Durable when this returns; the number of the slot.
    ///
    /// # Errors
    /// [`Error::EmptyPassphrase`](crate::Error::EmptyPassphrase),
    /// [`Error::SlotLabel`](crate::Error::SlotLabel),
    /// [`Error::TooManySlots`](crate::Error::TooManySlots), [`Error::Io`](crate::Error::Io).
    pub fn add_slot(&self, unlock: &Unlock, options: &SlotOptions) -> Result<u32> {
        let inner = &*self.inner;
        inner
            .keyring
            .add(unlock, options, &|text| inner.put_header(text))
    }

    /// Gives a slot another secret, or the same one at another cost. The secret that it had opens it no
    /// more: it opens older copies of the header.
    ///
    /// # Errors
    /// [`Error::NoSuchSlot`](crate::Error::NoSuchSlot), and as [`add_slot`](Self::add_slot).
    pub fn change_slot(&self, id: u32, unlock: &Unlock, options: &SlotOptions) -> Result<()> {
        let inner = &*self.inner;
        inner
            .keyring
            .change(id, unlock, options, &|text| inner.put_header(text))
    }

    /// Takes a slot away. Its secret opens the store no more, but it opens older copies of the header,
    /// and those hold the same master key until it is replaced.
    ///
    /// # Errors
    /// [`Error::NoSuchSlot`](crate::Error::NoSuchSlot), [`Error::LastSlot`](crate::Error::LastSlot),
    /// [`Error::Io`](crate::Error::Io).
    pub fn remove_slot(&self, id: u32) -> Result<()> {
        let inner = &*self.inner;
        inner.keyring.remove(id, &|text| inner.put_header(text))
    }
}
