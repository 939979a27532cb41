//! What is due and what is under way, found without looking at anything else.
//!
//! Two collections that hold nothing but ids, in order: the identities with a rotation in progress, and the
//! others by policy and by the end of the certificate in force. When a rotation has to begin is decided by the
//! policy of the day, which takes the same time off every end; so who is due stands at the beginning of a
//! policy's row, and a policy or configuration that changes moves nothing in it. Both change in the transaction
//! that changes an identity, and are sealed as everything else is.
//!
//! They can be made anew from the identities, and are when the store does not have them for itself: it is of an
//! older version, or was restored.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;

use countersign_store::{Expect, Transaction};
use jiff::Timestamp;

use super::{Batch, IDENTITIES, Records, RecordsError, Versioned, decode};
use crate::model::{Generation, GenerationNumber, Identity, IdentityName, PolicyName};

const UNDER_WAY: &str = "under-way";
const EXPIRING: &str = "expiring";

/// Says for which store the two were made.
const OUTLOOK: &str = "outlook";

/// How many identities are looked at in one transaction when they are made anew, and ids read at once.
const CHUNK: usize = 500;

/// Makes every second since long before the first certificate a number of thirteen digits.
const OFFSET: i64 = 1_000_000_000_000;

/// An identity, and when its certificate in force ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expiring {
    /// Which.
    pub identity: IdentityName,
    /// The last second of the certificate.
    pub not_after: Timestamp,
}

/// What a batch says of identities; see [`Records::with_outlook`].
#[derive(Default)]
pub(super) struct Told {
    identities: Vec<Identity>,
    ends: BTreeMap<(IdentityName, GenerationNumber), Option<Timestamp>>,
}

impl Told {
    pub(super) fn identity(&mut self, identity: &Identity) {
        self.identities.push(identity.clone());
    }

    pub(super) fn generation(&mut self, generation: &Generation) {
        let key = (generation.identity.clone(), generation.number);
        self.ends.insert(key, end_of(generation));
    }
}

impl Records {
    /// The identities with a rotation in progress, by name.
    pub fn under_way(&self) -> Result<Vec<IdentityName>, RecordsError> {
        let mut names = Vec::new();
        self.each_id(UNDER_WAY, "", |id| {
            names.extend(id.parse());
            true
        })?;
        Ok(names)
    }

    /// How many identities have a rotation in progress.
    pub fn count_under_way(&self) -> Result<u64, RecordsError> {
        Ok(self.store().count(UNDER_WAY)?)
    }

    /// Visits the identities of a policy that have no rotation in progress, those whose certificate ends first
    /// before the others, for as long as `visit` wants more.
    pub fn each_expiring(
        &self,
        policy: &PolicyName,
        mut visit: impl FnMut(Expiring) -> bool,
    ) -> Result<(), RecordsError> {
        self.each_id(EXPIRING, &format!("{policy}/"), |id| {
            read_id(id).is_none_or(&mut visit)
        })
    }

    /// How many identities of a policy have no rotation in progress and a certificate that ends by then.
    pub fn count_expiring(&self, policy: &PolicyName, by: Timestamp) -> Result<u64, RecordsError> {
        let (from, to) = (format!("{policy}/"), instant(policy, by) + "0");
        Ok(self.store().count_range(EXPIRING, &*from..&*to)?)
    }

    /// The first `limit` identities whose names come after `after`, by name.
    pub fn identities_after(
        &self,
        after: Option<&IdentityName>,
        limit: usize,
    ) -> Result<Vec<Versioned<Identity>>, RecordsError> {
        let page = self
            .store()
            .page(IDENTITIES, after.map(IdentityName::as_str), limit)?;
        page.iter()
            .map(|record| decode(IDENTITIES, record))
            .collect()
    }

    /// How many identities there are.
    pub fn count_identities(&self) -> Result<u64, RecordsError> {
        Ok(self.store().count(IDENTITIES)?)
    }

    /// A batch with what follows from it for both collections.
    ///
    /// A certificate that is in force is not replaced but by a rotation, which writes the identity.
    pub(super) fn with_outlook(&self, mut batch: Batch) -> Result<Batch, RecordsError> {
        let Told { identities, ends } = std::mem::take(&mut batch.outlook);
        for identity in identities {
            // Should it change before this is written, nothing of this is.
            let before = match self.identity(&identity.name)? {
                Some(before) => self.place_of(&before.value, &BTreeMap::new())?,
                None => None,
            };
            let after = self.place_of(&identity, &ends)?;
            if before != after {
                put(&mut batch.transaction, before, after);
            }
        }
        Ok(batch)
    }

    /// Has both collections made anew before they are asked again: for who writes identities without a batch.
    pub(super) fn forget_outlook(transaction: &mut Transaction) {
        transaction.delete(OUTLOOK, OUTLOOK, Expect::Any);
    }

    /// Makes both collections, unless they were made for this store.
    pub(super) fn ensure_outlook(&self) -> Result<(), RecordsError> {
        let made_for = hex::encode(self.store().id());
        let stands = self.store().read(OUTLOOK, OUTLOOK)?;
        if stands.is_some_and(|record| *record.bytes == made_for.as_bytes()) {
            return Ok(());
        }
        for collection in [UNDER_WAY, EXPIRING] {
            loop {
                let labels = self.store().labels(collection, .., CHUNK)?;
                if labels.is_empty() {
                    break;
                }
                let mut transaction = Transaction::new();
                for label in labels {
                    transaction.delete(collection, &label.id, Expect::Any);
                }
                self.store().transact(transaction)?;
            }
        }
        let mut after: Option<IdentityName> = None;
        loop {
            let page = self.identities_after(after.as_ref(), CHUNK)?;
            let Some(last) = page.last() else { break };
            after = Some(last.value.name.clone());
            let mut transaction = Transaction::new();
            for identity in &page {
                let place = self.place_of(&identity.value, &BTreeMap::new())?;
                put(&mut transaction, None, place);
            }
            self.store().transact(transaction)?;
        }
        // Last: with it they count as made.
        let mut transaction = Transaction::new();
        transaction.put(OUTLOOK, OUTLOOK, made_for.into_bytes(), Expect::Any);
        Ok(self.store().transact(transaction)?)
    }

    /// Where an identity stands: in which collection, under which id. Nowhere when it has neither a rotation
    /// nor a certificate.
    fn place_of(
        &self,
        identity: &Identity,
        ends: &BTreeMap<(IdentityName, GenerationNumber), Option<Timestamp>>,
    ) -> Result<Option<Place>, RecordsError> {
        if identity.rotation.is_some() {
            return Ok(Some((UNDER_WAY, identity.name.as_str().to_owned())));
        }
        let Some(current) = identity.slots.current else {
            return Ok(None);
        };
        let end = match ends.get(&(identity.name.clone(), current)) {
            Some(end) => *end,
            None => self
                .generation(&identity.name, current)?
                .and_then(|generation| end_of(&generation.value)),
        };
        Ok(end.map(|end| {
            let id = format!("{}/{}", instant(&identity.policy, end), identity.name);
            (EXPIRING, id)
        }))
    }

    fn each_id(
        &self,
        collection: &str,
        prefix: &str,
        mut visit: impl FnMut(&str) -> bool,
    ) -> Result<(), RecordsError> {
        let view = self.store().snapshot()?;
        let mut after: Option<String> = None;
        loop {
            let from = match &after {
                Some(after) => Bound::Excluded(&**after),
                None => Bound::Included(prefix),
            };
            // Few at first: most of the time nobody is due.
            let limit = if after.is_some() { CHUNK } else { 16 };
            let page = view.labels(collection, (from, Bound::Unbounded), limit)?;
            for label in &page {
                if !label.id.starts_with(prefix) || !visit(&label.id) {
                    return Ok(());
                }
            }
            match page.into_iter().next_back() {
                Some(last) => after = Some(last.id),
                None => return Ok(()),
            }
        }
    }
}

type Place = (&'static str, String);

fn put(transaction: &mut Transaction, before: Option<Place>, after: Option<Place>) {
    if let Some((collection, id)) = before {
        transaction.delete(collection, &id, Expect::Any);
    }
    if let Some((collection, id)) = after {
        transaction.put(collection, &id, Vec::new(), Expect::Any);
    }
}

fn end_of(generation: &Generation) -> Option<Timestamp> {
    generation
        .leaf
        .as_ref()
        .map(|leaf| leaf.validity.not_after())
}

/// What the ids of a policy's identities begin with whose certificates end then.
fn instant(policy: &PolicyName, at: Timestamp) -> String {
    format!("{policy}/{:013}", at.as_second() + OFFSET)
}

fn read_id(id: &str) -> Option<Expiring> {
    let mut parts = id.splitn(3, '/').skip(1);
    let second = parts.next()?.parse::<i64>().ok()? - OFFSET;
    Some(Expiring {
        not_after: Timestamp::from_second(second).ok()?,
        identity: parts.next()?.parse().ok()?,
    })
}
