//! From what was backed up to what is restored: record by record, as it was decided.

use std::collections::BTreeSet;

use countersign_store::{Item, Record, Transaction};
use jiff::Timestamp;

use super::{
    AUTHORITIES, Answering, AuthorityRecord, CODES, GENERATIONS, IDENTITIES, INBOX, KEYS, OUTBOX,
    Records, RecordsError, Rehearsal, RevokedRecord, STORE_JOURNAL,
    batch::encode,
    holdings::{SlimGeneration, generation_of},
    journal,
    probes::PROBES,
    witness::mark_of,
};
use crate::model::{
    Generation, Identity, KeyState, RestoredKey, StoreEvent, StoreFact, Why,
    rotation::{Event, Fact, RotationId},
};

/// How far the numbers of revocation lists jump when it is not known which were issued since the backup: a list with
/// a number that was used before is not taken by anybody (RFC 5280 §5.2.3).
const LISTS_SKIPPED: u64 = 1_000_000;

/// From what was backed up to what is restored.
pub(super) struct Amending<'a> {
    pub(super) rehearsal: &'a Rehearsal,
    pub(super) today: Option<&'a Records>,
    pub(super) at: Timestamp,
    /// Mail of which the newer of two versions was taken.
    pub(super) seen: BTreeSet<(String, String)>,
    pub(super) last: Transaction,
}

/// Of these the newer version counts, whoever has it: what was said cannot be taken back.
const CARRIED: [&str; 4] = [OUTBOX, CODES, INBOX, PROBES];

impl Amending<'_> {
    pub(super) fn amend(&mut self, item: Item) -> Result<Option<Item>, RecordsError> {
        let Item::Record { collection, record } = item else {
            return Ok(Some(item));
        };
        let record = match collection.as_str() {
            KEYS => self.key(record),
            GENERATIONS => Some(self.generation(record)?),
            IDENTITIES => Some(self.identity(record)?),
            AUTHORITIES => Some(self.authority(record)?),
            name if CARRIED.contains(&name) => {
                self.seen.insert((collection.clone(), record.id.clone()));
                Some(self.newer(name, record))
            }
            _ => Some(record),
        };
        Ok(record.map(|record| Item::Record { collection, record }))
    }

    /// A key that is dead is not written at all: what was never there leaves nothing behind.
    fn key(&self, record: Record) -> Option<Record> {
        // A key without a generation belongs to nobody, and is not brought back.
        let (identity, number) = generation_of(&record.id)?;
        let fate = self.rehearsal.restoration.of(&identity, number)?;
        mark_of(fate.restored).is_none().then_some(record)
    }

    fn fate(&self, generation: &SlimGeneration) -> Option<&RestoredKey> {
        self.rehearsal
            .restoration
            .of(&generation.identity, generation.number)
    }

    fn generation(&self, record: Record) -> Result<Record, RecordsError> {
        let slim = SlimGeneration::read(&record)?;
        let Some(fate) = self
            .fate(&slim)
            .filter(|fate| fate.restored != fate.backed_up)
        else {
            return Ok(record);
        };
        let mut generation = super::decode::<Generation>(GENERATIONS, &record)?;
        generation.value.key_state = fate.restored;
        if fate.restored == KeyState::Destroyed {
            generation.value.destroyed_at.get_or_insert(self.at);
        }
        Ok(rewritten(record, &generation.value))
    }

    /// A slot never points to a key that is gone, and a number is not used again that was used since.
    fn identity(&self, record: Record) -> Result<Record, RecordsError> {
        let mut identity = super::decode::<Identity>(IDENTITIES, &record)?.value;
        let before = identity.clone();
        let gone = |number| {
            let fate = self.rehearsal.restoration.of(&before.name, number);
            fate.is_some_and(|fate| mark_of(fate.restored).is_some())
        };
        let slots = &mut identity.slots;
        for slot in [&mut slots.current, &mut slots.previous] {
            *slot = slot.filter(|number| !gone(*number));
        }
        if let Some(today) = self
            .today
            .and_then(|today| today.identity(&before.name).ok().flatten())
        {
            identity.newest = identity.newest.max(today.value.newest);
        }
        Ok(if identity == before {
            record
        } else {
            rewritten(record, &identity)
        })
    }

    /// What was revoked stays revoked, and the certificates of keys that died since are revoked now.
    fn authority(&self, record: Record) -> Result<Record, RecordsError> {
        let today = self.of_today(AUTHORITIES, &record.id);
        let known = today.is_some();
        let record = today
            .filter(|today| today.version > record.version)
            .unwrap_or(record);
        let mut authority = super::decode::<AuthorityRecord>(AUTHORITIES, &record)?.value;
        if !known {
            authority.crl_number = authority.crl_number.saturating_add(LISTS_SKIPPED);
        }
        let gathered = &self.rehearsal.backup.gathered;
        let died = self.rehearsal.restoration.keys.iter().filter(|key| {
            matches!(key.why, Why::DiedSince { .. })
                && gathered
                    .issuers
                    .get(&key.identity)
                    .is_some_and(|issuer| issuer.as_str() == record.id)
        });
        for key in died {
            let place = (key.identity.clone(), key.generation);
            if let Some(serial) = gathered.serials.get(&place)
                && !authority
                    .revoked
                    .iter()
                    .any(|entry| entry.serial == *serial)
            {
                authority.revoked.push(RevokedRecord {
                    serial: serial.clone(),
                    at: self.at,
                });
            }
        }
        Ok(rewritten(record, &authority))
    }

    /// The version of today, if it is newer and can be read.
    fn newer(&self, collection: &str, record: Record) -> Record {
        match self.of_today(collection, &record.id) {
            Some(today) if today.version > record.version => today,
            _ => record,
        }
    }

    /// As it is in the store of today, if that can be read.
    fn of_today(&self, collection: &str, id: &str) -> Option<Record> {
        self.today?.store().read(collection, id).ok().flatten()
    }

    /// Mail that only the store of today has.
    pub(super) fn only_today(&self) -> Result<Vec<Item>, RecordsError> {
        let mut items = Vec::new();
        let Some(today) = self.today else {
            return Ok(items);
        };
        for collection in CARRIED {
            for record in today.store().survey(collection)?.records {
                let place = (collection.to_owned(), record.id.clone());
                if !self.seen.contains(&place) {
                    let collection = collection.to_owned();
                    items.push(Item::Record { collection, record });
                }
            }
        }
        Ok(items)
    }

    /// What the restored store is to know of how it came about.
    pub(super) fn note(&mut self, answering: &Answering) {
        let Rehearsal {
            backup,
            restoration,
            informants,
            ..
        } = self.rehearsal;
        let keys = |wanted: fn(&RestoredKey) -> bool| {
            let keys = restoration.keys.iter().filter(|key| wanted(key));
            keys.map(|key| key.key_id).collect()
        };
        let fact = StoreFact::Restored {
            taken_at: backup.head.taken_at.clone(),
            sha256: hex::encode(backup.manifest.sha256),
            informants: informants.clone(),
            by: answering.by.clone(),
            reason: answering.reason.clone(),
            dead: keys(|key| matches!(key.why, Why::DiedSince { .. })),
            suspended: keys(|key| {
                key.restored == KeyState::Suspended && key.backed_up != KeyState::Suspended
            }),
            forgotten: restoration.forgotten.iter().map(|key| key.key_id).collect(),
        };
        let at = answering.at;
        self.last
            .append(STORE_JOURNAL, encode(&StoreEvent { at, fact }));
        for (identity, generation) in &restoration.held {
            let id = RotationId {
                identity: identity.clone(),
                generation: *generation,
            };
            let fact = Fact::Held {
                why: format!(
                    "the store was restored from a backup of {}, and nobody knows which letters went out since: ask the \
                     partners what they have received, then go on",
                    backup.head.taken_at
                ),
            };
            self.last
                .append(&journal::stream(&id), encode(&Event { at, fact }));
        }
    }
}

fn rewritten(record: Record, value: &impl serde::Serialize) -> Record {
    Record {
        version: record.version + 1,
        bytes: encode(value),
        ..record
    }
}
