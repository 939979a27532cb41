//! Restoring a backup: rehearsed first, then done beside the store that is there, and put in its place in one step.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

use countersign_store::{
    Backup, BackupError, BackupIdentity, EngineKind, Error, InitOptions, Loader, Mark, Transaction,
    Unlock, Witness, WitnessError, replace_store, room_beside,
};
use jiff::Timestamp;

use super::{
    Batch, Inspected, Records, RecordsError,
    amend::Amending,
    holdings::Gathered,
    witness::{Testimony, mark_of},
};
use crate::model::{
    Informant, Informants, KeyId, KeyState, Restoration,
    audit::{Action, Author, OneKey},
    restoration,
};

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
    /// Keys that the store that is there knows to be dead, whether or not the backup knows them.
    dead_today: Vec<(KeyId, Mark)>,
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
    let decided = restoration(&backup.holdings, informants);
    let dead_today = store
        .iter()
        .flat_map(|(gathered, _)| gathered.holdings.generations.values())
        .filter_map(|held| Some((held.key_id, mark_of(held.state)?)))
        .collect();
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
        dead_today,
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
        let one = OneKey {
            identity: key.identity.clone(),
            generation: key.generation,
            key: key.key_id,
        };
        // No key comes back in force that was not: there is nothing else to tell.
        match key.restored {
            KeyState::Destroyed | KeyState::Compromised | KeyState::Suspended => one
                .moved_to(key.restored)
                .into_iter()
                .fold(batch, Batch::tell),
            _ => batch,
        }
    })
}

/// The witness knows every key that is not brought back, before the store is that does not have it.
fn attend(path: &Path, rehearsal: &Rehearsal) -> Result<Witness, RestoreError> {
    let lineage = &rehearsal.backup.lineage;
    let decided = rehearsal.restoration.keys.iter();
    let decided = decided.filter_map(|key| Some((key.key_id, mark_of(key.restored)?)));
    let known = rehearsal.dead_today.iter().copied();
    // Of two accounts of one key, what was decided counts.
    let dead: BTreeMap<[u8; 32], Mark> = known
        .chain(decided)
        .map(|(key, mark)| (*key.as_bytes(), mark))
        .collect();
    if !Witness::exists(path) {
        let dead: Vec<_> = dead.into_iter().collect();
        return Ok(Witness::create(path, lineage, rehearsal.newest(), &dead)?);
    }
    let mut witness = Witness::open(path, lineage)?;
    let known = Testimony::of(&witness)?;
    for (key, mark) in dead {
        if !known.dead.contains_key(&KeyId::from_digest(key)) {
            witness.bury(&key, mark)?;
        }
    }
    Ok(witness)
}
