//! What a restore brings back, and what it must not: decided from what is known, and from nothing else.
//!
//! Whoever has an old backup, and can talk an operator into restoring it, wants a key back that was destroyed, or one
//! that is in other hands. So a key is brought back in force only when somebody who was there later says that it is
//! still alive: the store that is to be replaced, or its witness. What neither knows is *suspended* (SP 800-57 part 1
//! §7.3): kept, and not presented before the wire, or a named person, has spoken for it. A key that either knows to
//! be dead is not brought back at all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{GenerationNumber, IdentityName, KeyId, KeyState, Slots};

/// A generation, as a store or a backup has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldKey {
    /// Which key.
    pub key_id: KeyId,
    /// Where it stands.
    pub state: KeyState,
    /// Whether the private key is there.
    pub present: bool,
}

/// An identity, as a store or a backup has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldIdentity {
    /// What is in use.
    pub slots: Slots,
    /// The youngest generation ever begun.
    pub newest: Option<GenerationNumber>,
    /// The rotation in progress.
    pub rotation: Option<GenerationNumber>,
}

/// What a store or a backup holds, as far as a restore is concerned.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holdings {
    /// Its identities.
    pub identities: BTreeMap<IdentityName, HeldIdentity>,
    /// Their generations.
    pub generations: BTreeMap<(IdentityName, GenerationNumber), HeldKey>,
    /// Letters that went out or wait to, by their names in the store, with their versions.
    pub letters: BTreeMap<String, u64>,
    /// The last thing that was noted about any rotation.
    pub last_event: Option<Timestamp>,
    /// How many records there are of every kind.
    pub records: u64,
    /// How many events there are in all journals.
    pub events: u64,
}

/// Who says that a key is dead.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Informant {
    /// The store that is to be replaced.
    Store,
    /// The witness.
    Witness,
}

/// Somebody who can speak for what happened after the backup.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Informants<'a> {
    /// The store that is to be replaced, if it opens.
    pub store: Option<&'a Holdings>,
    /// Whether that store has seen everything that the backup and the witness have.
    pub store_is_current: bool,
    /// The keys that the witness knows to be destroyed or in other hands.
    pub dead: Option<&'a BTreeMap<KeyId, KeyState>>,
    /// Whether the witness has seen everything that the backup has.
    pub witness_is_current: bool,
}

/// Why a generation comes back as it does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Why {
    /// It was dead when the backup was taken.
    DeadInBackup,
    /// It is alive today.
    KnownAlive {
        /// Who says so.
        by: Informant,
    },
    /// It was destroyed, or got into other hands, since the backup was taken.
    DiedSince {
        /// Who says so.
        by: Informant,
    },
    /// It has been put out of use since the backup was taken.
    WithdrawnSince,
    /// The store that is to be replaced has another key in its place.
    OtherKey,
    /// Nobody is there who could know.
    Unknown,
}

/// What becomes of a generation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestoredKey {
    /// Whose.
    pub identity: IdentityName,
    /// Which.
    pub generation: GenerationNumber,
    /// Its key.
    pub key_id: KeyId,
    /// Where it stood in the backup.
    pub backed_up: KeyState,
    /// Where it stands in the store that is there; `None` when that does not know it.
    pub today: Option<KeyState>,
    /// Where it will stand.
    pub restored: KeyState,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

/// A generation that the backup does not have: its key would be lost.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ForgottenKey {
    /// Whose.
    pub identity: IdentityName,
    /// Which.
    pub generation: GenerationNumber,
    /// Its key.
    pub key_id: KeyId,
    /// Where it stands today.
    pub today: KeyState,
}

/// What a restore would do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Restoration {
    /// Every generation of the backup.
    pub keys: Vec<RestoredKey>,
    /// Living generations that only the store of today has.
    pub forgotten: Vec<ForgottenKey>,
    /// Letters that only the store of today knows of: they are carried over.
    pub letters: Vec<String>,
    /// Rotations that may have gone further than the backup knows: they wait for an operator.
    pub held: Vec<(IdentityName, GenerationNumber)>,
}

impl Restoration {
    /// What becomes of a generation.
    pub fn of(
        &self,
        identity: &IdentityName,
        generation: GenerationNumber,
    ) -> Option<&RestoredKey> {
        // In the order of the backup, which is that of their names.
        self.keys
            .binary_search_by(|key| (&key.identity, key.generation).cmp(&(identity, generation)))
            .ok()
            .map(|at| &self.keys[at])
    }

    /// Whether somebody has to answer for it: some key comes back of which nobody knows whether it is alive.
    pub fn needs_statement(&self) -> bool {
        self.keys.iter().any(|key| key.why == Why::Unknown)
    }
}

/// Decides what is brought back, and how.
pub fn restoration(backup: &Holdings, informants: Informants<'_>) -> Restoration {
    let keys = backup
        .generations
        .iter()
        .map(|((identity, generation), held)| {
            let today = informants
                .store
                .and_then(|store| store.generations.get(&(identity.clone(), *generation)));
            let (restored, why) = judge(held, today, informants);
            RestoredKey {
                identity: identity.clone(),
                generation: *generation,
                key_id: held.key_id,
                backed_up: held.state,
                today: today.map(|today| today.state),
                restored,
                why,
            }
        })
        .collect();
    let store = informants.store;
    let forgotten = store
        .into_iter()
        .flat_map(|store| &store.generations)
        .filter(|(place, today)| {
            let kept = backup.generations.get(place);
            today.present && kept.is_none_or(|kept| kept.key_id != today.key_id)
        })
        .map(|((identity, generation), today)| ForgottenKey {
            identity: identity.clone(),
            generation: *generation,
            key_id: today.key_id,
            today: today.state,
        })
        .collect();
    let letters = store
        .into_iter()
        .flat_map(|store| &store.letters)
        .filter(|(name, version)| backup.letters.get(*name).is_none_or(|old| old < version))
        .map(|(name, _)| name.clone())
        .collect();
    // With the letters of today carried over, nothing is written twice; without them only a person can know. The witness
    // does not: it is told of dead keys at once, and of everything else now and then.
    let held = if !informants.store_is_current {
        backup
            .identities
            .iter()
            .filter_map(|(name, identity)| Some((name.clone(), identity.rotation?)))
            .collect()
    } else {
        Vec::new()
    };
    Restoration {
        keys,
        forgotten,
        letters,
        held,
    }
}

fn judge(held: &HeldKey, today: Option<&HeldKey>, informants: Informants<'_>) -> (KeyState, Why) {
    let dead = |state| matches!(state, KeyState::Destroyed | KeyState::Compromised);
    if dead(held.state) {
        return (held.state, Why::DeadInBackup);
    }
    // The worst that anybody says is believed, whoever it is: an older store has seen less, and invents nothing.
    let by_witness = informants
        .dead
        .and_then(|tombstones| tombstones.get(&held.key_id))
        .map(|state| (*state, Informant::Witness));
    let by_store = today
        .filter(|today| today.key_id == held.key_id && dead(today.state))
        .map(|today| (today.state, Informant::Store));
    let told = [by_witness, by_store];
    let worst = told
        .iter()
        .flatten()
        .find(|(state, _)| *state == KeyState::Compromised);
    if let Some((state, by)) = worst.or_else(|| told.iter().flatten().next()) {
        return (*state, Why::DiedSince { by: *by });
    }
    let suspended = |why| match held.state {
        // What is out of use stays so: it is not presented in any case.
        KeyState::Deactivated => (KeyState::Deactivated, why),
        _ => (KeyState::Suspended, why),
    };
    match today {
        Some(today) if today.key_id != held.key_id => suspended(Why::OtherKey),
        Some(today) if informants.store_is_current => {
            if today.state == KeyState::Deactivated && held.state != KeyState::Deactivated {
                return suspended(Why::WithdrawnSince);
            }
            let by = Informant::Store;
            if today.state == KeyState::Suspended {
                return (KeyState::Suspended, Why::KnownAlive { by });
            }
            (held.state, Why::KnownAlive { by })
        }
        _ if informants.witness_is_current => (
            held.state,
            Why::KnownAlive {
                by: Informant::Witness,
            },
        ),
        _ => suspended(Why::Unknown),
    }
}

/// What was decided about the store as a whole, noted in a journal of its own.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fact")]
pub enum StoreFact {
    /// The store was filled from a backup.
    Restored {
        /// When the backup was taken, in its own words.
        taken_at: String,
        /// The digest of what it held.
        sha256: String,
        /// Who was asked what happened since.
        informants: Vec<Informant>,
        /// Who answers for it.
        by: String,
        /// Why, in their words.
        reason: String,
        /// Keys that were not brought back, since they are dead.
        dead: Vec<KeyId>,
        /// Keys that were brought back suspended.
        suspended: Vec<KeyId>,
        /// Keys that are lost with the store that was replaced.
        forgotten: Vec<KeyId>,
    },
    /// A store that is older than its witness was accepted.
    RollbackAccepted {
        /// How many transactions the store had seen.
        store: u64,
        /// How many the witness knows of.
        witness: u64,
        /// Who answers for it.
        by: String,
        /// Why.
        reason: String,
    },
}

/// A fact about the store and when it was noted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StoreEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub fact: StoreFact,
}

#[cfg(test)]
mod tests;
