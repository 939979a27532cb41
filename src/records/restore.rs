//! Restoring a backup: rehearsed first, then done beside the store that is there, and put in its place in one step.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

use countersign_store::{
    Backup, BackupError, BackupIdentity, EngineKind, Error, InitOptions, Item, Loader, Mark,
    Record, Transaction, Unlock, Witness, WitnessError, replace_store, room_beside,
};
use jiff::Timestamp;

use super::{
    AUTHORITIES, AuthorityRecord, Batch, CODES, GENERATIONS, IDENTITIES, INBOX, Inspected, KEYS,
    OUTBOX, Records, RecordsError, RevokedRecord, STORE_JOURNAL,
    batch::encode,
    holdings::{Gathered, SlimGeneration},
    journal,
    witness::{Testimony, mark_of},
};
use crate::model::{
    Generation, Identity, Informant, Informants, KeyState, Restoration, RestoredKey, StoreEvent,
    StoreFact, Why,
    audit::{Action, Author},
    restoration,
    rotation::{Event, Fact, RotationId},
};

/// How far the numbers of revocation lists jump when it is not known which were issued since the backup: a list with
/// a number that was used before is not taken by anybody (RFC 5280 §5.2.3).
const LISTS_SKIPPED: u64 = 1_000_000;

/// Why a backup is not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It cannot be read, or is not whole.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The file was changed between two readings.
    #[error("the backup was changed while it was being restored; nothing was put in place")]
    Changed,
    /// It was taken of another store than the one that is there.
    #[error("the backup is of another store than the one in {path}")]
    Foreign {
        /// The store that is there.
        path: PathBuf,
    },
    /// It does not prove that a store wrote it.
    #[error("the backup does not prove its origin: it was not written by a store")]
    NoOrigin,
    /// The records could not be read or written.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The new store could not be made.
    #[error(transparent)]
    Store(#[from] Error),
    /// The witness could not be asked.
    #[error(transparent)]
    Witness(#[from] WitnessError),
}

/// What a restore would do, and on whose word.
pub struct Rehearsal {
    /// What was read.
    pub backup: Inspected,
    /// What becomes of it.
    pub restoration: Restoration,
    /// Who was there to be asked.
    pub informants: Vec<Informant>,
    /// How many transactions the store that is there has seen, if it opens.
    pub store_at: Option<u64>,
    /// How many transactions the witness knows of, if there is one.
    pub witness_at: Option<u64>,
}

impl Rehearsal {
    /// Whether nothing has happened since the backup was taken, as far as anybody knows.
    fn newest(&self) -> u64 {
        let known = [
            self.store_at,
            self.witness_at,
            Some(self.backup.head.transactions),
        ];
        known.into_iter().flatten().max().unwrap_or_default()
    }
}

/// Finds out what a restore would do. `today` is the store that would be replaced, if it opens; nothing is changed.
pub fn rehearse(
    backup: Inspected,
    today: Option<&Records>,
    witness: Option<&Path>,
) -> Result<Rehearsal, RestoreError> {
    let store = today
        .map(|today| -> Result<(Gathered, u64), RestoreError> {
            let gathered = today.gather()?;
            if let Some(lineage) = &gathered.lineage
                && !lineage.is(&backup.lineage)
            {
                let path = today.store().dir().to_owned();
                return Err(RestoreError::Foreign { path });
            }
            // One whose count cannot be read has seen nothing that it could prove.
            let count = today.store().transactions().unwrap_or_default();
            Ok((gathered, count))
        })
        .transpose()?;
    let testimony = witness
        .filter(|path| Witness::exists(path))
        .map(|path| Testimony::of(&Witness::open(path, &backup.lineage)?))
        .transpose()?;

    let taken = backup.head.transactions;
    let store_at = store.as_ref().map(|(_, count)| *count);
    let witness_at = testimony.as_ref().map(|testimony| testimony.mark);
    let store_is_current = store.as_ref().is_some_and(|(gathered, count)| {
        gathered.lineage.is_some()
            && *count >= taken
            && witness_at.is_none_or(|mark| *count >= mark)
    });
    let witness_is_current = witness_at.is_some_and(|mark| mark >= taken);
    let informants = Informants {
        store: store.as_ref().map(|(gathered, _)| &gathered.holdings),
        store_is_current,
        dead: testimony.as_ref().map(|testimony| &testimony.dead),
        witness_is_current,
    };
    // Only who is current can say that nothing has happened since.
    let moved_on = !((store_is_current && store_at == Some(taken))
        || (witness_is_current && witness_at == Some(taken)));
    let decided = restoration(&backup.holdings, informants, moved_on);
    let mut asked = Vec::new();
    if store.is_some() {
        asked.push(Informant::Store);
    }
    if testimony.is_some() {
        asked.push(Informant::Witness);
    }
    Ok(Rehearsal {
        backup,
        restoration: decided,
        informants: asked,
        store_at,
        witness_at,
    })
}

/// Where the restored store is to be, and what opens it.
pub struct Target<'a> {
    /// Its directory; what lies there now is kept beside.
    pub path: &'a Path,
    /// What is to open it.
    pub unlock: &'a Unlock,
    /// What is to keep its records.
    pub engine: EngineKind,
    /// Its witness, if it has one.
    pub witness: Option<&'a Path>,
}

/// Who answers for a restore.
#[derive(Clone, Debug)]
pub struct Answering {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Whose process does it.
    pub author: Author,
}

/// What was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// Where the store that was there lies now.
    pub kept: Option<PathBuf>,
    /// How many transactions the restored store counts.
    pub transactions: u64,
}

/// Restores a backup as it was rehearsed. The store that is there is read for what is to be carried over, closed, and
/// replaced by the new one when that is whole and durable.
pub fn restore(
    input: impl Read,
    identity: &BackupIdentity,
    rehearsal: &Rehearsal,
    today: Option<Records>,
    target: &Target<'_>,
    answering: &Answering,
) -> Result<Restored, RestoreError> {
    let options = InitOptions {
        engine: target.engine,
        ..InitOptions::default()
    };
    let room = room_beside(target.path)?;
    let mut loader = Loader::begin(&room, target.unlock, &options, rehearsal.newest())?;
    let mut amending = Amending {
        rehearsal,
        today: today.as_ref(),
        at: answering.at,
        seen: BTreeSet::new(),
        last: Transaction::new(),
    };
    let mut backup = Backup::open(input, identity)?;
    while let Some(item) = backup.next()? {
        if let Some(item) = amending.amend(item)? {
            loader.add(item)?;
        }
    }
    if backup.manifest() != Some(&rehearsal.backup.manifest) {
        return Err(RestoreError::Changed);
    }
    for item in amending.only_today()? {
        loader.add(item)?;
    }
    amending.note(answering);
    let restored = Records::new(loader.finish(amending.last)?);
    // The log goes on where the backup's ends, and says so before anybody opens it.
    restored.commit(&answering.author, answering.at, told(rehearsal, answering))?;
    let transactions = restored.store().transactions()?;
    drop((restored, today));

    let mut witness = target
        .witness
        .map(|path| attend(path, rehearsal))
        .transpose()?;
    let replaced = replace_store(target.path, &room)?;
    if let Some(witness) = &mut witness {
        witness.note(transactions)?;
    }
    Ok(Restored {
        kept: replaced.kept,
        transactions,
    })
}

/// What the audit log tells of it.
fn told(rehearsal: &Rehearsal, answering: &Answering) -> Batch {
    let head = &rehearsal.backup.head;
    let batch = Batch::new().tell(Action::StoreRestored {
        from: hex::encode(rehearsal.backup.manifest.sha256).into(),
        made: head.taken_at.as_str().into(),
        decided_by: answering.by.as_str().into(),
        reason: answering.reason.as_str().into(),
    });
    let changed = rehearsal.restoration.keys.iter();
    let changed = changed.filter(|key| key.restored != key.backed_up);
    changed.fold(batch, |batch, key| {
        let (identity, generation, key_id) = (key.identity.clone(), key.generation, key.key_id);
        match key.restored {
            KeyState::Destroyed => batch.tell(Action::KeyDestroyed {
                identity,
                generation,
                key: key_id,
            }),
            KeyState::Compromised => batch.tell(Action::KeyCompromised {
                identity,
                generation,
                key: key_id,
            }),
            KeyState::Suspended => batch.tell(Action::KeySuspended {
                identity,
                generation,
                key: key_id,
            }),
            _ => batch,
        }
    })
}

/// The witness knows every key that is not brought back, before the store is that does not have it.
fn attend(path: &Path, rehearsal: &Rehearsal) -> Result<Witness, RestoreError> {
    let lineage = &rehearsal.backup.lineage;
    let dead: BTreeMap<[u8; 32], Mark> = rehearsal
        .restoration
        .keys
        .iter()
        .filter_map(|key| Some((*key.key_id.as_bytes(), mark_of(key.restored)?)))
        .collect();
    if !Witness::exists(path) {
        let dead: Vec<_> = dead.into_iter().collect();
        return Ok(Witness::create(path, lineage, rehearsal.newest(), &dead)?);
    }
    let mut witness = Witness::open(path, lineage)?;
    let known = Testimony::of(&witness)?;
    for (key, mark) in dead {
        let id = crate::model::KeyId::from_digest(key);
        if !known.dead.contains_key(&id) {
            witness.bury(&key, mark)?;
        }
    }
    Ok(witness)
}

/// From what was backed up to what is restored.
struct Amending<'a> {
    rehearsal: &'a Rehearsal,
    today: Option<&'a Records>,
    at: Timestamp,
    /// Mail of which the newer of two versions was taken.
    seen: BTreeSet<(String, String)>,
    last: Transaction,
}

/// Of these the newer version counts, whoever has it: what was said cannot be taken back.
const CARRIED: [&str; 3] = [OUTBOX, CODES, INBOX];

impl Amending<'_> {
    fn amend(&mut self, item: Item) -> Result<Option<Item>, RecordsError> {
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
        let (identity, number) = record.id.rsplit_once('/')?;
        let number = number.trim_start_matches('0').parse().ok()?;
        let fate = self
            .rehearsal
            .restoration
            .of(&identity.parse().ok()?, number)?;
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
        let record = self.newer(AUTHORITIES, record);
        let mut authority = super::decode::<AuthorityRecord>(AUTHORITIES, &record)?.value;
        if self.rehearsal.store_at.is_none() {
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
        let today = self
            .today
            .and_then(|today| today.store().read(collection, &record.id).ok().flatten());
        match today {
            Some(today) if today.version > record.version => today,
            _ => record,
        }
    }

    /// Mail that only the store of today has.
    fn only_today(&self) -> Result<Vec<Item>, RecordsError> {
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
    fn note(&mut self, answering: &Answering) {
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
