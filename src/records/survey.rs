//! What is in a backup, one identity after the other, however many there are.
//!
//! The file is read to its end first: only then is it known to be whole. Then identities, generations and keys are read
//! once more, side by side, and given out together. Memory holds a piece of each of these, and what belongs to one identity.

use std::io::{Read, Seek};

use countersign_store::{Again, Backup, BackupIdentity, Head, Item, Manifest, Record, Whole};
use jiff::Timestamp;

use super::{
    GENERATIONS, IDENTITIES, Inspected, KEYS, OUTBOX,
    backup::proven,
    holdings::{SlimGeneration, SlimIdentity, noted_at},
    restore::RestoreError,
};
use crate::model::{GenerationNumber, HeldIdentity, HeldKey, IdentityName};

/// What is said of a backup as a whole.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What it says of itself.
    pub head: Head,
    /// What it was found to hold.
    pub manifest: Manifest,
    /// The last thing that was noted about any rotation.
    pub last_event: Option<Timestamp>,
    /// How many letters are in it.
    pub letters: u64,
}

/// An identity in a backup, with its generations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityHeld {
    /// Which.
    pub name: IdentityName,
    /// It.
    pub held: HeldIdentity,
    /// Its generations, by number.
    pub generations: Vec<(GenerationNumber, HeldKey)>,
}

/// A backup that was read to its end, and is whole.
pub struct Surveyed<R> {
    /// What there is to say of it.
    pub overview: Overview,
    whole: Whole<R>,
}

/// Reads a backup to its end, without any store and without keeping what is in it.
pub fn survey<R: Read + Seek>(
    input: R,
    identity: &BackupIdentity,
) -> Result<Surveyed<R>, RestoreError> {
    let mut backup = Backup::open(input, identity)?.noting(&[IDENTITIES, GENERATIONS, KEYS]);
    let (mut last_event, mut letters, mut lineage) = (None, 0, None);
    while let Some(item) = backup.next()? {
        match item {
            Item::Entry { stream, entry } => {
                last_event = last_event.max(noted_at(&stream, &entry)?);
            }
            Item::Record { collection, record } => match collection.as_str() {
                // Before anything is said, everything that will be said has been understood.
                IDENTITIES => drop(SlimIdentity::read(&record)?),
                GENERATIONS => drop(SlimGeneration::read(&record)?),
                OUTBOX => letters += 1,
                other => {
                    lineage = countersign_store::Lineage::from_record(other, &record).or(lineage);
                }
            },
        }
    }
    let (head, manifest, _) = proven(&backup, lineage.as_ref())?;
    Ok(Surveyed {
        overview: Overview {
            head,
            manifest,
            last_event,
            letters,
        },
        whole: backup.into_whole().ok_or(RestoreError::NoOrigin)?,
    })
}

impl<R: Read + Seek> Surveyed<R> {
    /// The identities in it, in the order of their names as keys have them: `a-b` before `a`.
    pub fn identities(&self) -> impl Iterator<Item = Result<IdentityHeld, RestoreError>> {
        let mut join = Join {
            identities: Ahead::of(self.whole.records(IDENTITIES)),
            generations: Ahead::of(self.whole.records(GENERATIONS)),
            keys: Ahead::of(self.whole.records(KEYS)),
            waiting: Vec::new(),
        };
        std::iter::from_fn(move || join.next().transpose())
    }
}

impl Inspected {
    /// What there is to say of it.
    pub fn overview(&self) -> Overview {
        Overview {
            head: self.head.clone(),
            manifest: self.manifest.clone(),
            last_event: self.holdings.last_event,
            letters: self.holdings.letters.len() as u64,
        }
    }

    /// The identities in it, in the same order as of a backup that was [surveyed](survey).
    pub fn identities(&self) -> impl Iterator<Item = IdentityHeld> {
        let holdings = &self.holdings;
        let mut names: Vec<_> = holdings.identities.keys().collect();
        names.sort_by_key(|name| prefix(name));
        names.into_iter().filter_map(|name| {
            let first = (name.clone(), GenerationNumber::FIRST);
            let generations = holdings.generations.range(first..);
            Some(IdentityHeld {
                name: name.clone(),
                held: *holdings.identities.get(name)?,
                generations: generations
                    .take_while(|((of, _), _)| of == name)
                    .map(|((_, number), held)| (*number, *held))
                    .collect(),
            })
        })
    }
}

/// How the ids of an identity's generations and keys begin.
fn prefix(name: &IdentityName) -> String {
    format!("{name}/")
}

/// Three collections, read side by side.
struct Join<'w, R> {
    identities: Ahead<'w, R>,
    generations: Ahead<'w, R>,
    keys: Ahead<'w, R>,
    /// Identities of which each begins with the name of the one before, and a hyphen. A hyphen comes before the slash of
    /// an id: so the generations of `a-b` come before those of `a`, and names have no room for many hyphens.
    waiting: Vec<SlimIdentity>,
}

impl<R: Read + Seek> Join<'_, R> {
    fn next(&mut self) -> Result<Option<IdentityHeld>, RestoreError> {
        while let Some(record) = self.identities.peek()? {
            let next = SlimIdentity::read(record)?;
            let below = |last: &SlimIdentity| {
                let rest = next.name.as_str().strip_prefix(last.name.as_str());
                rest.is_some_and(|rest| rest.starts_with('-'))
            };
            if !self.waiting.last().is_none_or(below) {
                break;
            }
            self.waiting.push(next);
            self.identities.skip();
        }
        let Some(identity) = self.waiting.pop() else {
            return Ok(None);
        };
        let prefix = prefix(&identity.name);
        let mut generations = Vec::new();
        while let Some(record) = self.generations.peek()? {
            if record.id.starts_with(&prefix) {
                let generation = SlimGeneration::read(record)?;
                let present = self.keys.seek(&record.id)?;
                generations.push((
                    generation.number,
                    HeldKey {
                        present,
                        ..generation.held()
                    },
                ));
            } else if record.id > prefix {
                break;
            }
            // Else it belongs to nobody, and nobody asks for it.
            self.generations.skip();
        }
        Ok(Some(IdentityHeld {
            held: identity.held(),
            name: identity.name,
            generations,
        }))
    }
}

/// The records of a collection, of which the next can be looked at.
struct Ahead<'w, R> {
    records: Again<'w, R>,
    next: Option<Record>,
}

impl<'w, R: Read + Seek> Ahead<'w, R> {
    fn of(records: Again<'w, R>) -> Self {
        Self {
            records,
            next: None,
        }
    }

    fn peek(&mut self) -> Result<Option<&Record>, RestoreError> {
        if self.next.is_none() {
            self.next = self.records.next()?;
        }
        Ok(self.next.as_ref())
    }

    fn skip(&mut self) {
        self.next = None;
    }

    /// Goes on to this id; says whether it is there.
    fn seek(&mut self, id: &str) -> Result<bool, RestoreError> {
        while let Some(record) = self.peek()? {
            if record.id.as_str() >= id {
                return Ok(record.id == id);
            }
            self.skip();
        }
        Ok(false)
    }
}
