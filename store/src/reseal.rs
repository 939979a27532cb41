//! Replacing the master key: everything that is stored is sealed anew, a stretch at a time.
//!
//! How far it has come is part of the root, and changes in the same batch as what was sealed anew: it
//! can be interrupted anywhere and goes on from there. Other transactions take place in between; what
//! they write is under the new key already.

use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, PoisonError};

use crate::crypto::SecretKey;
use crate::error::{Damage, Error, Result};
use crate::index::Span;
use crate::index::tree::{self, Met};
use crate::plan::Plan;
use crate::snapshot::{Access, Snapshot};
use crate::store::{Inner, Store};
use crate::vault::{Epoch, Resealing, epoch_of};

/// How a pass over the store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// How many records and events it has come past.
    pub done: u64,
    /// How many there are.
    pub total: u64,
    /// Whether there is more to do.
    pub state: ResealState,
    /// What this step could not seal anew: it can no longer be opened, or is not the latest.
    pub damage: Vec<Damage>,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResealState {
    /// Call again.
    UnderWay,
    /// Everything is sealed under the newest master key; the one before may be forgotten.
    Finished,
    /// The pass is over, but something is damaged and remained under the old key. Another call
    /// begins another pass.
    Obstructed,
}

impl Store {
    /// Seals the next `limit` records and events under the newest master key.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the root is; other damage is in the answer. [`Error::Engine`],
    /// [`Error::Random`].
    pub fn reseal_step(&self, limit: usize) -> Result<Resealed> {
        self.inner.reseal_step(limit)
    }
}

impl Inner {
    fn reseal_step(&self, limit: usize) -> Result<Resealed> {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let view = Snapshot::new(self, Access::Writer)?;
        let newest = view.vault.newest();
        let root = view.root()?;
        let total = root.top.map_or(0, |top| top.count);
        let mut resealing = root.resealing.clone();
        if resealing.whole == newest {
            return Ok(Resealed {
                done: total,
                total,
                state: ResealState::Finished,
                damage: Vec::new(),
            });
        }
        if resealing.towards != newest {
            resealing = Resealing {
                towards: newest,
                reached: Vec::new(),
                skipped: 0,
                ..resealing
            };
        }

        let span = Span {
            from: Bound::Excluded(resealing.reached.clone()),
            to: Bound::Unbounded,
        };
        let (mut entries, mut damage) = (Vec::new(), Vec::new());
        tree::walk(&view, view.top()?, &span, &mut |met| {
            match met {
                // Met again by the next step when nothing but it comes after what was reached.
                Met::Lost(lost, _) => damage.push(lost),
                Met::Entry(entry) => entries.push(entry.clone()),
            }
            Ok(if entries.len() == limit.max(1) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        let over = entries.len() < limit.max(1);
        let values = view.values(&entries)?;
        let mut plan = Plan::new(view)?;
        for (entry, value) in entries.iter().zip(values) {
            match plan.view().open(entry, value.as_deref()) {
                Ok(_) if value.as_deref().and_then(epoch_of) == Some(newest) => {}
                Ok(opened) => plan.reseal(entry, &opened)?,
                Err(found) => damage.push(found),
            }
        }
        resealing.skipped += damage.len() as u64;
        if let Some(last) = entries.last() {
            resealing.reached.clone_from(&last.key);
        }
        let done = done(plan.view(), &resealing.reached)?;
        let state = match (over, resealing.skipped) {
            (false, _) => ResealState::UnderWay,
            (true, 0) => {
                resealing = Resealing {
                    whole: newest,
                    ..Resealing::default()
                };
                ResealState::Finished
            }
            (true, _) => {
                resealing = Resealing {
                    whole: resealing.whole,
                    ..Resealing::default()
                };
                ResealState::Obstructed
            }
        };
        plan.root_mut().resealing = resealing;
        self.carry_out(plan.finish_regardless()?)?;
        Ok(Resealed {
            done,
            total,
            state,
            damage,
        })
    }

    /// From now on everything is sealed under this master key; what the ones before sealed is still
    /// opened.
    pub(crate) fn add_master(&self, master: &SecretKey, epoch: Epoch) {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut vault = self.vault.write().unwrap_or_else(PoisonError::into_inner);
        *vault = Arc::new(vault.with(master, epoch, &self.store_id));
    }

    /// Forgets every master key but the newest.
    ///
    /// # Errors
    /// [`Error::ResealingUnfinished`] when something is still sealed under another.
    pub(crate) fn forget_old_masters(&self) -> Result<()> {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let view = Snapshot::new(self, Access::Writer)?;
        if view.root()?.resealing.whole != view.vault.newest() {
            return Err(Error::ResealingUnfinished);
        }
        drop(view);
        // The canary is of no epoch's interest, but it is sealed, too.
        self.sing()?;
        let mut vault = self.vault.write().unwrap_or_else(PoisonError::into_inner);
        *vault = Arc::new(vault.newest_alone());
        Ok(())
    }
}

/// How many entries a pass has come past: nothing, should the index not say.
fn done(view: &Snapshot<'_>, reached: &[u8]) -> Result<u64> {
    // The first key after this one.
    let next = [reached, &[0]].concat();
    match tree::rank(view, view.top()?, &next) {
        Err(Error::Damaged { .. }) => Ok(0),
        counted => counted,
    }
}
