//! What a store or a backup holds, piece by piece.
//!
//! Read with as little of each record as is needed: a backup may come from an older version, and be large.

use std::collections::{BTreeMap, BTreeSet};

use countersign_store::{Item, Lineage, Record};
use jiff::Timestamp;
use serde::Deserialize;

use super::{GENERATIONS, IDENTITIES, KEYS, OUTBOX, Records, RecordsError, STORE_JOURNAL};
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
struct SlimIdentity {
    name: IdentityName,
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
        slim(GENERATIONS, &record.id, &record.bytes)
    }
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
    /// Keys, by the ids of their records, which may come before or after their generations.
    keys: BTreeSet<String>,
}

impl Gathered {
    pub(super) fn add(&mut self, item: &Item) -> Result<(), RecordsError> {
        match item {
            Item::Record { collection, record } => self.record(collection, record),
            Item::Entry { stream, entry } => {
                self.holdings.events += 1;
                if stream.starts_with("rotation/") || stream == STORE_JOURNAL {
                    let event: SlimEvent = slim("journal", stream, &entry.bytes)?;
                    let last = &mut self.holdings.last_event;
                    *last = (*last).max(Some(event.at));
                }
                Ok(())
            }
        }
    }

    fn record(&mut self, collection: &str, record: &Record) -> Result<(), RecordsError> {
        self.holdings.records += 1;
        match collection {
            IDENTITIES => {
                let identity: SlimIdentity = slim(IDENTITIES, &record.id, &record.bytes)?;
                self.issuers.insert(identity.name.clone(), identity.issuer);
                let held = HeldIdentity {
                    slots: identity.slots,
                    newest: identity.newest,
                    rotation: identity.rotation,
                };
                self.holdings.identities.insert(identity.name, held);
            }
            GENERATIONS => {
                let generation = SlimGeneration::read(record)?;
                let place = (generation.identity, generation.number);
                if let Some(leaf) = generation.leaf {
                    self.serials.insert(place.clone(), leaf.serial);
                }
                let held = HeldKey {
                    key_id: generation.key_id,
                    state: generation.key_state,
                    present: false,
                };
                self.holdings.generations.insert(place, held);
            }
            KEYS => drop(self.keys.insert(record.id.clone())),
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

    /// Everything was seen.
    pub(super) fn finish(mut self) -> Self {
        for ((identity, number), held) in &mut self.holdings.generations {
            held.present = self.keys.contains(&super::generation_id(identity, *number));
        }
        self
    }
}

impl Records {
    /// What of this store can be read. Damage to one thing does not hide the others.
    pub(super) fn gather(&self) -> Result<Gathered, RecordsError> {
        let mut gathered = Gathered::default();
        for collection in [IDENTITIES, GENERATIONS, KEYS, OUTBOX] {
            for record in self.store().survey(collection)?.records {
                let collection = collection.to_owned();
                gathered.add(&Item::Record { collection, record })?;
            }
        }
        // Without it, nothing proves that this store is of the same line; what it says of dead keys holds all the same.
        gathered.lineage = self.store().known_lineage().ok().flatten();
        Ok(gathered.finish())
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
