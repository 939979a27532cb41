//! Reading what is there, with the damage beside it rather than in its stead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use crate::engine::Stored;
use crate::error::{Damage, Fault, Place, Result};
use crate::store::{Inner, Store};
use crate::vault::{
    CANARY_KEY, Entry, GROUP_PREFIX, Group, ROOT_KEY, Record, SUMMARY_PREFIX, Tally,
};

/// The readable part of a collection, and what is wrong with the rest.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The records that are authentic, by ascending id.
    pub records: Vec<Record>,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
}

/// What [`Store::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Authentic records in all collections.
    pub records: u64,
    /// Authentic events in all journals.
    pub entries: u64,
    /// How many transactions this store has seen; never decreases, so a smaller number than one
    /// seen before tells of an older copy of the whole store. Zero when that cannot be read.
    pub transactions: u64,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
}

impl Store {
    /// Reads and checks everything, and reports all damage rather than the first.
    ///
    /// What it cannot see is the whole store replaced by an older copy of itself; compare
    /// [`transactions`](Verification::transactions) with a number kept elsewhere.
    ///
    /// # Errors
    /// [`Error::Engine`](crate::Error::Engine). Damage is not an error here but the answer.
    pub fn verify(&self) -> Result<Verification> {
        self.inner.verify()
    }
}

impl Inner {
    pub(crate) fn survey(&self, collection: &str, id_prefix: &str) -> Result<Survey> {
        let _reading = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.survey_unguarded(collection, id_prefix)
    }

    /// The events of a journal that can be read, and all damage to it.
    pub(crate) fn history(&self, stream: &str) -> Result<(Vec<Entry>, Vec<Damage>)> {
        let _reading = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.history_unguarded(stream)
    }

    // The lock is not to be taken twice by one thread: with a writer waiting in between, that
    // would be the end of both.

    fn survey_unguarded(&self, collection: &str, id_prefix: &str) -> Result<Survey> {
        let group = Group::Collection(collection.to_owned());
        let (values, mut damage) = self.members(&group)?;
        let mut records = Vec::new();
        for Stored { key, value } in &values {
            let wanted = match self.vault.open_label(collection, key, value) {
                Ok(label) => label.id.starts_with(id_prefix),
                Err(found) => {
                    damage.insert(0, found);
                    false
                }
            };
            if wanted {
                match self.vault.open_record(collection, key, value) {
                    Ok(record) => records.push(record),
                    Err(found) => damage.insert(0, found),
                }
            }
        }
        records.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(Survey { records, damage })
    }

    fn history_unguarded(&self, stream: &str) -> Result<(Vec<Entry>, Vec<Damage>)> {
        let group = Group::Stream(stream.to_owned());
        let prefix = self.vault.prefix(&group);
        let (values, whole) = self.members(&group)?;
        let mut values: BTreeMap<u64, Vec<u8>> = values
            .into_iter()
            .filter_map(|Stored { key, value }| {
                let sequence = key.strip_prefix(&*prefix)?.try_into().ok()?;
                Some((u64::from_be_bytes(sequence), value))
            })
            .collect();
        let mut entries = Vec::new();
        let mut damage = Vec::new();
        let count = self
            .tally(&group)
            .map_or(values.len() as u64, |tally| tally.count);
        for sequence in 1..=count {
            match values.remove(&sequence) {
                Some(value) => match self.vault.open_entry(stream, sequence, &value) {
                    Ok(entry) => entries.push(entry),
                    Err(found) => damage.push(found),
                },
                None => damage.push(Damage {
                    place: Place::Entry {
                        stream: stream.to_owned(),
                        sequence,
                    },
                    fault: Fault::Missing,
                }),
            }
        }
        damage.extend(values.into_keys().map(|sequence| Damage {
            place: Place::Entry {
                stream: stream.to_owned(),
                sequence,
            },
            fault: Fault::Unaccounted,
        }));
        damage.extend(whole);
        Ok((entries, damage))
    }

    /// The values of a group, and whether they are those that its summary counts.
    fn members(&self, group: &Group) -> Result<(Vec<Stored>, Vec<Damage>)> {
        let values = self.scan(&self.vault.prefix(group))?;
        let mut found = Tally::default();
        for Stored { key, value } in &values {
            found.add(&self.vault.fingerprint(key, value));
        }
        let damage = match self.tally(group) {
            Ok(tally) if tally == found => Vec::new(),
            Ok(_) => vec![Damage {
                place: group.place(),
                fault: Fault::Replaced,
            }],
            Err(crate::Error::Damaged { damage }) => vec![damage],
            Err(error) => return Err(error),
        };
        Ok((values, damage))
    }

    fn verify(&self) -> Result<Verification> {
        let _reading = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut report = Verification::default();
        let mut summaries = Tally::default();
        let mut prefixes = BTreeSet::new();
        for Stored { key, value } in self.scan(SUMMARY_PREFIX)? {
            summaries.add(&self.vault.fingerprint(&key, &value));
            // The key of a summary ends with the prefix of what it summarises: known even when the
            // summary cannot be read, so that its values are not reported once more each.
            prefixes.extend(key.strip_prefix(SUMMARY_PREFIX).map(<[u8]>::to_vec));
            match self.vault.open_summary(&key, &value) {
                Ok((Group::Collection(collection), _)) => {
                    let survey = self.survey_unguarded(&collection, "")?;
                    report.records += survey.records.len() as u64;
                    report.damage.extend(survey.damage);
                }
                Ok((Group::Stream(stream), _)) => {
                    let (entries, damage) = self.history_unguarded(&stream)?;
                    report.entries += entries.len() as u64;
                    report.damage.extend(damage);
                }
                Err(damage) => report.damage.push(damage),
            }
        }
        match self.vault.open_root(self.get(ROOT_KEY)?.as_deref()) {
            Ok(root) => {
                report.transactions = root.transactions;
                if root.summaries != summaries {
                    report.damage.push(Damage {
                        place: Place::Root,
                        fault: Fault::Replaced,
                    });
                }
            }
            Err(damage) => report.damage.push(damage),
        }
        for Stored { key, .. } in self.scan(b"")? {
            let accounted_for = key.starts_with(SUMMARY_PREFIX)
                || [ROOT_KEY, CANARY_KEY].contains(&&*key)
                || key
                    .get(..GROUP_PREFIX)
                    .is_some_and(|prefix| prefixes.contains(prefix));
            if !accounted_for {
                let place = Place::Stray {
                    key: hex::encode(key),
                };
                report.damage.push(Damage {
                    place,
                    fault: Fault::Unaccounted,
                });
            }
        }
        Ok(report)
    }
}
