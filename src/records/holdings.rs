//! What a store or a backup holds, piece by piece.
//!
//! Read with as little of each record as is needed: a backup may come from an older version, and be large.

use std::collections::BTreeMap;

use countersign_store::{Entry, Item, Lineage, Record};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    GENERATIONS, IDENTITIES, KEYS, OUTBOX, Records, RecordsError, STORE_JOURNAL, generation_id,
};
use crate::model::{
    GenerationNumber, HeldIdentity, HeldKey, Holdings, IdentityName, IssuerName, KeyId, KeyState,
    SerialNumber, Slots,
};

/// As much of a generation as a restore needs.
#[derive(Deserialize)]
pub(super) struct SlimGeneration {
    pub(super) identity: IdentityName,
    pub(super) number: GenerationNumber,
    pub(super) key_id: KeyId,
    pub(super) key_state: KeyState,
    leaf: Option<SlimLeaf>,
}

#[derive(Deserialize)]
struct SlimLeaf {
    serial: SerialNumber,
}

#[derive(Deserialize)]
pub(super) struct SlimIdentity {
    pub(super) name: IdentityName,
    issuer: IssuerName,
    slots: Slots,
    newest: Option<GenerationNumber>,
    rotation: Option<GenerationNumber>,
}

#[derive(Deserialize)]
struct SlimEvent {
    at: Timestamp,
}

impl SlimGeneration {
    pub(super) fn read(record: &Record) -> Result<Self, RecordsError> {
        let read: Self = slim(GENERATIONS, &record.id, &record.bytes)?;
        let own = generation_id(&read.identity, read.number);
        in_place(GENERATIONS, record, own).map(|()| read)
    }

    /// It, of which it is not known yet whether its private key is there.
    pub(super) fn held(&self) -> HeldKey {
        HeldKey {
            key_id: self.key_id,
            state: self.key_state,
            present: false,
        }
    }
}

impl SlimIdentity {
    pub(super) fn read(record: &Record) -> Result<Self, RecordsError> {
        let read: Self = slim(IDENTITIES, &record.id, &record.bytes)?;
        in_place(IDENTITIES, record, read.name.to_string()).map(|()| read)
    }

    pub(super) fn held(&self) -> HeldIdentity {
        HeldIdentity {
            slots: self.slots,
            newest: self.newest,
            rotation: self.rotation,
        }
    }
}

/// When an event was noted, if it is one of those that tell how far a store had come.
pub(super) fn noted_at(stream: &str, entry: &Entry) -> Result<Option<Timestamp>, RecordsError> {
    if !stream.starts_with("rotation/") && stream != STORE_JOURNAL {
        return Ok(None);
    }
    let event: SlimEvent = slim("journal", stream, &entry.bytes)?;
    Ok(Some(event.at))
}

/// A record is found by its id, and speaks of itself by its name.
fn in_place(collection: &'static str, record: &Record, own: String) -> Result<(), RecordsError> {
    if record.id == own {
        return Ok(());
    }
    let id = record.id.clone();
    Err(RecordsError::Misplaced {
        collection,
        id,
        own,
    })
}

/// What was gathered.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) holdings: Holdings,
    /// Which store it is of.
    pub(super) lineage: Option<Lineage>,
    /// By whom each generation was certified, and under which number.
    pub(super) serials: BTreeMap<(IdentityName, GenerationNumber), SerialNumber>,
    pub(super) issuers: BTreeMap<IdentityName, IssuerName>,
}

impl Gathered {
    pub(super) fn add(&mut self, item: &Item) -> Result<(), RecordsError> {
        match item {
            Item::Record { collection, record } => self.record(collection, record),
            Item::Entry { stream, entry } => {
                self.holdings.events += 1;
                let last = &mut self.holdings.last_event;
                *last = (*last).max(noted_at(stream, entry)?);
                Ok(())
            }
        }
    }

    fn record(&mut self, collection: &str, record: &Record) -> Result<(), RecordsError> {
        self.holdings.records += 1;
        match collection {
            IDENTITIES => {
                let identity = SlimIdentity::read(record)?;
                let held = identity.held();
                self.issuers.insert(identity.name.clone(), identity.issuer);
                self.holdings.identities.insert(identity.name, held);
            }
            GENERATIONS => {
                let generation = SlimGeneration::read(record)?;
                let held = generation.held();
                let place = (generation.identity, generation.number);
                if let Some(leaf) = generation.leaf {
                    self.serials.insert(place.clone(), leaf.serial);
                }
                self.holdings.generations.insert(place, held);
            }
            // Keys come after their generations: collections are read in the order of their names.
            KEYS => {
                let place = generation_of(&record.id);
                if let Some(held) = place.and_then(|at| self.holdings.generations.get_mut(&at)) {
                    held.present = true;
                }
            }
            OUTBOX => {
                let letters = &mut self.holdings.letters;
                letters.insert(record.id.clone(), record.version);
            }
            _ => {
                if let Some(lineage) = Lineage::from_record(collection, record) {
                    self.lineage = Some(lineage);
                }
            }
        }
        Ok(())
    }
}

/// The generation to which a key of this id belongs.
pub(super) fn generation_of(id: &str) -> Option<(IdentityName, GenerationNumber)> {
    let (identity, number) = id.rsplit_once('/')?;
    let number = number.trim_start_matches('0').parse().ok()?;
    let place: (IdentityName, GenerationNumber) = (identity.parse().ok()?, number);
    (generation_id(&place.0, place.1) == id).then_some(place)
}

impl Records {
    /// What of this store can be read. Damage to one thing does not hide the others.
    pub(super) fn gather(&self) -> Result<Gathered, RecordsError> {
        let mut gathered = Gathered::default();
        let view = self.store().snapshot()?;
        // Keys after their generations.
        for collection in [IDENTITIES, GENERATIONS, KEYS, OUTBOX] {
            let mut outcome = Ok(());
            view.survey_each(collection, &mut |record| {
                if outcome.is_ok() {
                    outcome = gathered.record(collection, &record);
                }
            })?;
            outcome?;
        }
        drop(view);
        // Without it, nothing proves that this store is of the same line; what it says of dead keys holds all the same.
        gathered.lineage = self.store().known_lineage().ok().flatten();
        Ok(gathered)
    }
}

fn slim<'a, T: Deserialize<'a>>(
    collection: &'static str,
    id: &str,
    bytes: &'a [u8],
) -> Result<T, RecordsError> {
    serde_json::from_slice(bytes).map_err(|source| RecordsError::Unreadable {
        collection,
        id: id.to_owned(),
        source,
    })
}
