//! Going on with a store that is older than its witness: an operator's decision, and what has to come with it.
//!
//! The store is treated as an old backup of itself would be: the keys that the witness knows to be dead are destroyed
//! here as well, rotations wait for a person, and the count of transactions goes on after the one that the witness
//! knows, so that the state that was lost is not taken for a newer one should it turn up again.

use std::path::Path;

use countersign_store::{Transaction, Witness};

use super::{
    AUTHORITIES, Answering, AuthorityRecord, GENERATIONS, IDENTITIES, KEYS, Records, RecordsError,
    RevokedRecord, STORE_JOURNAL, Versioned,
    batch::encode,
    generation_id,
    journal::stream,
    witness::{Testimony, mark_of},
};
use crate::model::{
    Generation, Identity, KeyId, KeyState, StoreEvent, StoreFact,
    audit::Action,
    rotation::{Event, Fact, RotationId},
};

/// What was accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// How many transactions the store had seen.
    pub store_at: u64,
    /// How many the witness knew of.
    pub witness_at: u64,
    /// Keys that were destroyed here as well.
    pub destroyed: Vec<KeyId>,
    /// Rotations that wait for a person now.
    pub held: Vec<RotationId>,
}

impl Records {
    /// Accepts this store as it is, although its witness at `path` knows a later state. Not for one that attends
    /// already. `None` when there is nothing to accept.
    pub fn accept_rollback(
        &self,
        path: &Path,
        answering: &Answering,
    ) -> Result<Option<Accepted>, RecordsError> {
        let mut witness = Witness::open(path, &self.store.lineage()?)?;
        let store_at = self.store.transactions()?;
        let testimony = Testimony::of(&witness)?;
        if store_at >= testimony.mark {
            return Ok(None);
        }
        let at = answering.at;
        let mut transaction = Transaction::new();
        transaction.go_on_after(testimony.mark);
        let mut accepted = Accepted {
            store_at,
            witness_at: testimony.mark,
            destroyed: Vec::new(),
            held: Vec::new(),
        };
        let put = |transaction: &mut Transaction, collection, id: &str, bytes| {
            transaction.put(collection, id, bytes, countersign_store::Expect::Any);
        };
        for Versioned { value, .. } in self.identities_after(None, usize::MAX)? {
            let mut identity: Identity = value;
            let mut authority = self.authority(&identity.issuer)?;
            let (mut changed, mut revoked) = (false, false);
            for Versioned { value, .. } in self.generations(&identity.name)? {
                let mut generation: Generation = value;
                let known = testimony.dead.get(&generation.key_id).copied();
                let Some(state) = known.filter(|_| mark_of(generation.key_state).is_none()) else {
                    continue;
                };
                let id = generation_id(&identity.name, generation.number);
                transaction.delete(KEYS, &id, countersign_store::Expect::Any);
                generation.key_state = state;
                if state == KeyState::Destroyed {
                    generation.destroyed_at.get_or_insert(at);
                }
                for slot in [&mut identity.slots.current, &mut identity.slots.previous] {
                    changed |= *slot == Some(generation.number);
                    *slot = slot.filter(|number| *number != generation.number);
                }
                if let (Some(authority), Some(leaf)) = (&mut authority, &generation.leaf) {
                    revoked |= revoke(&mut authority.value, leaf.serial.clone(), at);
                }
                accepted.destroyed.push(generation.key_id);
                put(&mut transaction, GENERATIONS, &id, encode(&generation));
            }
            if changed {
                put(
                    &mut transaction,
                    IDENTITIES,
                    identity.name.as_str(),
                    encode(&identity),
                );
            }
            if let (true, Some(authority)) = (revoked, authority) {
                put(
                    &mut transaction,
                    AUTHORITIES,
                    identity.issuer.as_str(),
                    encode(&authority.value),
                );
            }
            if let Some(generation) = identity.rotation {
                let id = RotationId {
                    identity: identity.name.clone(),
                    generation,
                };
                let fact = Fact::Held {
                    why: "the store was put back to an older state, and nobody knows which letters went out since: ask \
                          the partners what they have received, then go on"
                        .to_owned(),
                };
                transaction.append(&stream(&id), encode(&Event { at, fact }));
                accepted.held.push(id);
            }
        }
        let fact = StoreFact::RollbackAccepted {
            store: store_at,
            witness: testimony.mark,
            by: answering.by.clone(),
            reason: answering.reason.clone(),
        };
        transaction.append(STORE_JOURNAL, encode(&StoreEvent { at, fact }));
        // What is due has changed past the books that are kept of it: they are made anew.
        Self::forget_outlook(&mut transaction);
        self.store.transact(transaction)?;
        self.ensure_outlook()?;
        let told = Action::RollbackAccepted {
            store: store_at,
            witness: testimony.mark,
            decided_by: answering.by.as_str().into(),
            reason: answering.reason.as_str().into(),
        };
        self.record(&answering.author, at, told)?;
        witness.note(self.store.transactions()?)?;
        Ok(Some(accepted))
    }
}

/// Puts a certificate on the list of those revoked, if it is not there.
fn revoke(
    authority: &mut AuthorityRecord,
    serial: crate::model::SerialNumber,
    at: jiff::Timestamp,
) -> bool {
    let listed = authority.revoked.iter().any(|entry| entry.serial == serial);
    if !listed {
        authority.revoked.push(RevokedRecord { serial, at });
    }
    !listed
}
