//! The master keys of an open store, and the slots that hold them.
//!
//! Every change makes a whole new header; only when that is in its place, durably, is it in force. So a
//! slot is there or not, and a crash leaves the one header or the other.
//!
//! Replacing the master key takes three steps, of which this module has the first and the last: a new
//! master key is sealed to each slot beside the old one; everything that is stored is sealed anew
//! (see [`Store::reseal_step`](crate::Store)); the old master key is taken out of each slot. A store that is
//! opened in between has both.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::crypto::{self, SecretKey};
use crate::engine::EngineKind;
use crate::error::{Error, Result};
use crate::header::{Header, Held, MOST_SLOTS, Unverified};
use crate::secret::Unlock;
use crate::slot::{Attempt, Masters, Slot, SlotInfo, SlotOptions};
use crate::vault::{Epoch, Vault};

/// The number of the first master key.
const FIRST: Epoch = 1;

/// The master keys and slots of an open store.
pub(crate) struct Keyring {
    dir: PathBuf,
    state: Mutex<State>,
}

struct State {
    header: Header,
    masters: Masters,
}

/// Puts the text of a header in its place, durably, before it returns.
pub(crate) type Publish<'a> = &'a dyn Fn(&[u8]) -> Result<()>;

impl Keyring {
    /// The keyring of a new store, with one slot. Its header is not written yet.
    pub(crate) fn create(
        dir: &Path,
        engine: EngineKind,
        unlock: &Unlock,
        options: &SlotOptions,
    ) -> Result<Self> {
        let mut store_id = [0; 16];
        crypto::fill(&mut store_id)?;
        let masters = vec![(FIRST, SecretKey::random()?)];
        let slot = Slot::seal(1, &masters, unlock, options, &store_id)?;
        let header = Header {
            engine,
            store_id,
            epoch: FIRST,
            retiring: None,
            next_slot: 2,
            slots: vec![Held::Sound(slot)],
        };
        Ok(Self::new(dir, header, masters))
    }

    /// The keyring of the store in `dir`, opened with a secret.
    pub(crate) fn open(dir: &Path, unlock: &Unlock) -> Result<Self> {
        let (header, masters) = Unverified::read(dir)?.open(dir, unlock)?;
        Ok(Self::new(dir, header, masters))
    }

    fn new(dir: &Path, header: Header, masters: Masters) -> Self {
        Self {
            dir: dir.to_owned(),
            state: Mutex::new(State { header, masters }),
        }
    }

    /// Which engine has the records.
    pub(crate) fn engine(&self) -> EngineKind {
        self.state().header.engine
    }

    /// The store's id.
    pub(crate) fn store_id(&self) -> [u8; 16] {
        self.state().header.store_id
    }

    /// The keys that the records are sealed with.
    pub(crate) fn vault(&self) -> Vault {
        let State { header, masters } = &*self.state();
        let (epoch, master) = &masters[0];
        let first = Vault::new(master, *epoch, &header.store_id);
        masters[1..].iter().fold(first, |vault, (epoch, master)| {
            vault.with(master, *epoch, &header.store_id)
        })
    }

    /// The text of the header as it is.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let state = self.state();
        state.header.encode(&self.dir, newest(&state.masters))
    }

    /// What the slots say of themselves.
    pub(crate) fn slots(&self) -> Vec<SlotInfo> {
        self.state().header.slots.iter().map(Held::info).collect()
    }

    /// The newest master key's number.
    pub(crate) fn epoch(&self) -> Epoch {
        self.state().header.epoch
    }

    /// Whether one master key is being replaced by another.
    pub(crate) fn is_replacing(&self) -> bool {
        self.state().header.retiring.is_some()
    }

    /// Whether a secret opens the store, and by which slot.
    pub(crate) fn opened_by(&self, unlock: &Unlock) -> Result<Option<u32>> {
        // Deriving takes a while: nobody else has to wait for it.
        let (slots, store_id) = {
            let header = &self.state().header;
            (header.slots.clone(), header.store_id)
        };
        let sound = || slots.iter().filter_map(Held::sound);
        if let Unlock::Token(token) = unlock {
            // Known by its key: another token than that of the slots may be the one that is meant.
            let known: Vec<_> = sound().filter_map(Slot::question).collect();
            if known.is_empty() {
                return Ok(None);
            }
            let key = token.identify()?;
            let same = known.iter().find(|known| known.key.is(&key));
            return Ok(same.map(|known| known.slot));
        }
        let attempt = Attempt::at(unlock, sound())?;
        for slot in sound() {
            if slot.open(&attempt, &store_id)?.is_some() {
                return Ok(Some(slot.id));
            }
        }
        Ok(None)
    }

    /// Adds a slot; its number.
    pub(crate) fn add(
        &self,
        unlock: &Unlock,
        options: &SlotOptions,
        publish: Publish<'_>,
    ) -> Result<u32> {
        let mut state = self.state();
        let mut header = state.header.clone();
        if header.slots.len() >= MOST_SLOTS {
            return Err(Error::TooManySlots { limit: MOST_SLOTS });
        }
        let id = header.next_slot;
        header.next_slot = id.saturating_add(1);
        let slot = Slot::seal(id, &state.masters, unlock, options, &header.store_id)?;
        header.slots.push(Held::Sound(slot));
        self.put(&mut state, header, publish)?;
        Ok(id)
    }

    /// Gives a slot another secret, or the same one at another cost.
    pub(crate) fn change(
        &self,
        id: u32,
        unlock: &Unlock,
        options: &SlotOptions,
        publish: Publish<'_>,
    ) -> Result<()> {
        let mut state = self.state();
        let mut header = state.header.clone();
        let held = header.slots.iter_mut().find(|held| held.id() == id);
        let held = held.ok_or(Error::NoSuchSlot { id })?;
        *held = Held::Sound(Slot::seal(
            id,
            &state.masters,
            unlock,
            options,
            &header.store_id,
        )?);
        self.put(&mut state, header, publish)
    }

    /// Takes a slot away. The last one that opens the store stays.
    pub(crate) fn remove(&self, id: u32, publish: Publish<'_>) -> Result<()> {
        let mut state = self.state();
        let mut header = state.header.clone();
        if !header.slots.iter().any(|held| held.id() == id) {
            return Err(Error::NoSuchSlot { id });
        }
        header.slots.retain(|held| held.id() != id);
        if !header
            .slots
            .iter()
            .any(|held| matches!(held, Held::Sound(_)))
        {
            return Err(Error::LastSlot { id });
        }
        self.put(&mut state, header, publish)
    }

    /// Makes a new master key and seals it to every slot beside the old one; goes on with one that was
    /// begun before. `take` is handed the new key and its epoch as soon as the header holds them.
    pub(crate) fn begin_epoch(
        &self,
        publish: Publish<'_>,
        take: impl FnOnce(&SecretKey, Epoch),
    ) -> Result<()> {
        let mut state = self.state();
        if state.header.retiring.is_some() {
            return Ok(());
        }
        let mut header = state.header.clone();
        let old = header.epoch;
        let new = old.checked_add(1).ok_or(Error::EpochsUsedUp)?;
        let master = SecretKey::random()?;
        for held in &mut header.slots {
            match held {
                Held::Sound(slot) => slot.admit(
                    (old, newest(&state.masters)),
                    (new, &master),
                    &header.store_id,
                )?,
                Held::Damaged { id, .. } => return Err(Error::SlotUnusable { id: *id }),
            }
        }
        header.epoch = new;
        header.retiring = Some(old);
        publish(&header.encode(&self.dir, &master)?)?;
        take(&master, new);
        state.masters.push((new, master));
        state.header = header;
        Ok(())
    }

    /// Takes the old master key out of every slot and forgets it. Nothing may be sealed under it any more.
    pub(crate) fn end_epoch(&self, publish: Publish<'_>) -> Result<()> {
        let mut state = self.state();
        if state.header.retiring.is_none() {
            return Ok(());
        }
        let mut header = state.header.clone();
        header.retiring = None;
        let newest = header.epoch;
        for held in &mut header.slots {
            match held {
                Held::Sound(slot) => slot.keep_only(newest),
                Held::Damaged { id, .. } => return Err(Error::SlotUnusable { id: *id }),
            }
        }
        self.put(&mut state, header, publish)?;
        state.masters.retain(|(epoch, _)| *epoch == newest);
        Ok(())
    }

    fn put(&self, state: &mut State, header: Header, publish: Publish<'_>) -> Result<()> {
        publish(&header.encode(&self.dir, newest(&state.masters))?)?;
        state.header = header;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is replaced as a whole, so a panic elsewhere has not harmed it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest(masters: &[(Epoch, SecretKey)]) -> &SecretKey {
    // There is one from the beginning, and none is taken away but for a newer one.
    let (_, master) = masters.last().expect("a store has a master key");
    master
}
