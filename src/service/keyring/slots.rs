//! Slots: what opens the store, from an open store.

use jiff::Timestamp;

use super::{CostView, KeyringReply, SlotChanged, SlotView, SlotsView, TokenView};
use crate::{
    model::audit::{Action, Author, SlotChange},
    records::{KdfCost, SlotInfo, SlotKind, SlotOptions, TokenKey, Unlock},
    service::{Service, ServiceError},
};

impl SlotsView {
    /// What a header states, which nobody has verified.
    pub fn stated(slots: &[SlotInfo]) -> Self {
        Self {
            schema: 1,
            verified: false,
            slots: slots.iter().map(SlotView::new).collect(),
        }
    }
}

impl SlotView {
    fn new(slot: &SlotInfo) -> Self {
        let id = slot.id;
        let caution = match (slot.kind, slot.cost) {
            (None, _) => Some(format!(
                "damaged: it opens nothing any more; `countersign store slot remove {id}`, and add one for its secret"
            )),
            (Some(_), Some(cost)) if cost.is_below_default() => Some(format!(
                "a guess costs less than it does today; `countersign store slot change {id} --same-secret`"
            )),
            _ => None,
        };
        Self {
            id,
            kind: slot.kind.map(|kind| word(kind).to_owned()),
            label: slot.label.clone(),
            since: slot
                .since
                .and_then(|since| Timestamp::from_second(since).ok()),
            cost: slot.cost.map(CostView::new),
            token: slot.token.as_ref().map(TokenView::new).map(Box::new),
            caution,
        }
    }
}

impl TokenView {
    fn new(key: &TokenKey) -> Self {
        Self {
            token: key.token.label.to_string(),
            serial: key.token.serial.to_string(),
            maker: key.token.maker.to_string(),
            model: key.token.model.to_string(),
            key: key.label.to_string(),
            id: hex::encode(&key.id),
        }
    }
}

impl CostView {
    fn new(cost: KdfCost) -> Self {
        Self {
            memory_kib: cost.memory_kib(),
            iterations: cost.iterations(),
            lanes: cost.lanes(),
        }
    }
}

fn word(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Passphrase => "passphrase",
        SlotKind::Credential => "credential",
        SlotKind::KeyFile => "key-file",
        SlotKind::Token => "token",
        // The store crate may learn new kinds before this one has a word for them.
        _ => "other",
    }
}

impl Service {
    pub(super) fn slots(&self) -> SlotsView {
        SlotsView {
            verified: true,
            ..SlotsView::stated(&self.records.slots())
        }
    }

    pub(super) fn add_slot(
        &self,
        by: &Author,
        label: String,
        secret: &Unlock,
    ) -> Result<KeyringReply, ServiceError> {
        // One secret in two slots would go on opening the store when one of them is removed.
        if let Some(id) = self.records.slot_of(secret)? {
            return Err(ServiceError::refused(format!(
                "this secret opens the store already, by slot {id}"
            ))
            .hint("countersign store slot list"));
        }
        let id = self.records.add_slot(secret, &self.options(label))?;
        self.tell(by, id, SlotChanged::Added, None)
    }

    pub(super) fn change_slot(
        &self,
        by: &Author,
        id: u32,
        label: Option<String>,
        same_secret: bool,
        secret: &Unlock,
    ) -> Result<KeyringReply, ServiceError> {
        let opens = self.records.slot_of(secret)?;
        match opens {
            Some(other) if other != id => {
                return Err(ServiceError::refused(format!(
                    "this secret is that of slot {other}, not of slot {id}"
                ))
                .hint("countersign store slot list"));
            }
            None if same_secret => {
                return Err(ServiceError::locked(format!(
                    "this is not the secret of slot {id}, which stays as it was"
                ))
                .hint("to give it another one, leave --same-secret away"));
            }
            _ => {}
        }
        let known = self.slot(id);
        let label = label.or_else(|| known.map(|slot| slot.label));
        let options = self.options(label.unwrap_or_default());
        self.records.change_slot(id, secret, &options)?;
        self.tell(by, id, SlotChanged::Changed, None)
    }

    pub(super) fn remove_slot(&self, by: &Author, id: u32) -> Result<KeyringReply, ServiceError> {
        let was = self.slot(id);
        self.records.remove_slot(id)?;
        self.tell(by, id, SlotChanged::Removed, was)
    }

    fn slot(&self, id: u32) -> Option<SlotView> {
        self.slots().slots.into_iter().find(|slot| slot.id == id)
    }

    fn options(&self, label: String) -> SlotOptions {
        SlotOptions {
            label,
            since: Some(self.clock.now().as_second()),
            kdf: KdfCost::default(),
        }
    }

    /// Writes down what was done to a slot. It is in force already: it cannot be part of a transaction.
    fn tell(
        &self,
        by: &Author,
        id: u32,
        change: SlotChanged,
        was: Option<SlotView>,
    ) -> Result<KeyringReply, ServiceError> {
        let slot = was.or_else(|| self.slot(id)).ok_or_else(|| {
            ServiceError::refused(format!("slot {id} was removed by somebody else just now"))
        })?;
        let told = Action::SlotChanged {
            slot: id,
            kind: slot
                .kind
                .clone()
                .unwrap_or_else(|| "damaged".to_owned())
                .into(),
            label: slot.label.clone().into(),
            change: match change {
                SlotChanged::Added => SlotChange::Added,
                SlotChanged::Changed => SlotChange::Changed,
                SlotChanged::Removed => SlotChange::Removed,
            },
        };
        self.records.record(by, self.clock.now(), told)?;
        tracing::info!(
            slot = id,
            "a key slot was {}",
            match change {
                SlotChanged::Added => "added",
                SlotChanged::Changed => "changed",
                SlotChanged::Removed => "removed",
            }
        );
        Ok(KeyringReply::Slot {
            schema: 1,
            change,
            slot,
        })
    }
}
