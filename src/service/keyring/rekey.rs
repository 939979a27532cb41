//! Replacing the master key: begun by somebody, done a stretch at a time by whoever has the store open.

use std::sync::PoisonError;

use super::{RekeyState, RekeyView};
use crate::{
    model::audit::{Action, Author, Stage},
    records::ResealState,
    service::{FaultSource, Service, ServiceError},
};

/// Records that are sealed anew in one transaction. More would make other transactions wait noticeably.
const STRETCH: usize = 64;

impl Service {
    /// Whether there is something to be sealed anew.
    pub fn is_rekeying(&self) -> bool {
        self.records.is_rekeying() && self.rekey_progress().state == RekeyState::UnderWay
    }

    /// Waits until somebody has the master key replaced.
    pub async fn rekey_begun(&self) {
        self.rekey_begun.notified().await;
    }

    pub(super) fn begin_rekey(&self, by: &Author) -> Result<RekeyView, ServiceError> {
        let new = !self.records.is_rekeying();
        self.records.begin_rekey()?;
        if new {
            self.tell_rekey(by, Stage::Begun)?;
        }
        let view = RekeyView {
            state: RekeyState::UnderWay,
            epoch: self.records.epoch(),
            damage: Vec::new(),
            ..self.rekey_progress()
        };
        self.note_rekey(view.clone());
        self.rekey_begun.notify_one();
        Ok(view)
    }

    /// Seals the next stretch anew; gives the old master key up after the last.
    pub fn rekey_step(&self) -> Result<RekeyView, ServiceError> {
        let step = self.records.rekey_step(STRETCH)?;
        let mut damage = self.rekey_progress().damage;
        damage.extend(step.damage.iter().map(ToString::to_string));
        let state = match step.state {
            ResealState::UnderWay => RekeyState::UnderWay,
            ResealState::Obstructed => RekeyState::Obstructed,
            ResealState::Finished => {
                self.records.end_rekey()?;
                let itself = self.itself.clone();
                self.tell_rekey(&itself, Stage::Finished)?;
                RekeyState::Finished
            }
        };
        let view = RekeyView {
            schema: 1,
            state,
            epoch: self.records.epoch(),
            done: step.done,
            total: step.total,
            damage,
        };
        self.note_rekey(view.clone());
        Ok(view)
    }

    pub(super) fn rekey_progress(&self) -> RekeyView {
        let noted = self.rekey.lock().unwrap_or_else(PoisonError::into_inner);
        noted.clone().unwrap_or_else(|| RekeyView {
            schema: 1,
            state: if self.records.is_rekeying() {
                RekeyState::UnderWay
            } else {
                RekeyState::Finished
            },
            epoch: self.records.epoch(),
            done: 0,
            total: 0,
            damage: Vec::new(),
        })
    }

    fn note_rekey(&self, view: RekeyView) {
        let faults = match view.state {
            RekeyState::Obstructed => vec![format!(
                "the old master key is kept, because something is damaged that only it opens ({}): `countersign store verify`, restore it, then `countersign store rekey`",
                view.damage.join("; ")
            )],
            RekeyState::Finished | RekeyState::UnderWay => Vec::new(),
        };
        self.set_faults(FaultSource::MasterKey, faults);
        *self.rekey.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }

    fn tell_rekey(&self, by: &Author, stage: Stage) -> Result<(), ServiceError> {
        let told = Action::MasterKeyReplaced {
            epoch: self.records.epoch().into(),
            stage,
        };
        self.records.record(by, self.clock.now(), told)?;
        Ok(())
    }
}
