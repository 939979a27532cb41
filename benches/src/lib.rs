//! Stores of many identities, each with a certificate, a key and a journal, as after they were adopted. The records are
//! the real ones, written by the real code. The key pair and its request are the same in all of them.

// Whoever measures wants to know at once when something is not as it should be.
#![allow(clippy::unwrap_used)]

pub mod issuing;
pub mod probing;
pub mod program;

use std::path::Path;

use countersign::{
    model::{
        CertificateFacts, Destination, Generation, GenerationNumber, HexBytes, Identity,
        IdentityName, KeyAlgorithm, KeyOrigin, KeyState, Lapse, Slots, SubjectRequest, Validity,
        audit::{Actor, ActorKind, Author, Claims},
        rotation::{Event, Fact, Output, RotationId, RotationReason, Scope, Step},
    },
    pki::{self, CertificateAuthority, PrivateKey, Profile},
    records::{Batch, EngineKind, KeyFile, Records, Unlock, Versioned},
    service::system_clock,
};
use jiff::Timestamp;

/// The policy that every identity is under.
pub const POLICY: &str = "partner-pins";

/// How many identities are written in one transaction.
const BATCH: usize = 1_000;

/// Certificates end between so many days from now, so that none is due.
const ENDS: std::ops::Range<i64> = 200..600;

/// Who writes all this.
pub fn author() -> Author {
    Author::new(Actor {
        by: ActorKind::Command,
        uid: 0,
        gid: 0,
        pid: None,
        login: None,
        claims: Claims::default(),
    })
}

/// What time it is.
pub fn now() -> Timestamp {
    system_clock().now()
}

/// A line of `/proc/PROCESS/status`, in KiB.
pub fn memory_of(process: &str, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The secret beside a store: a key file, so that no key derivation is measured.
pub fn secret(home: &Path) -> Unlock {
    let path = home.join("store.key");
    Unlock::KeyFile(if path.exists() {
        KeyFile::read(&path).unwrap()
    } else {
        KeyFile::generate(&path).unwrap()
    })
}

/// Opens the store of a populated home.
pub fn open(home: &Path) -> Records {
    Records::open(&home.join("store"), &secret(home)).unwrap()
}

/// The name of an identity.
pub fn name(number: usize) -> IdentityName {
    format!("identity-{number:07}").parse().unwrap()
}

/// Makes a store of so many identities below `home`.
pub fn populate(home: &Path, count: usize, now: Timestamp) {
    let records = Records::init(&home.join("store"), &secret(home), EngineKind::Redb, now).unwrap();
    let models = Models::new(now);
    let author = author();
    for first in (0..count).step_by(BATCH) {
        let mut batch = Batch::new();
        for number in first..count.min(first + BATCH) {
            batch = models.put(batch, number);
        }
        records.commit(&author, now, batch).unwrap();
    }
}

/// What an identity has behind it.
#[derive(Clone, Copy)]
enum Story {
    /// It was in use already, and was taken in.
    Adopted,
    /// Its first certificate is issued, and nobody has been told of it.
    Issued,
}

impl Story {
    fn slots(self) -> Slots {
        let first = Some(GenerationNumber::FIRST);
        match self {
            Self::Adopted => Slots {
                current: first,
                ..Slots::default()
            },
            Self::Issued => Slots {
                next: first,
                ..Slots::default()
            },
        }
    }

    fn key_state(self) -> KeyState {
        match self {
            Self::Adopted => KeyState::Active,
            Self::Issued => KeyState::PreActivation,
        }
    }
}

/// What all identities are made from.
pub struct Models {
    now: Timestamp,
    authority: CertificateAuthority,
    key: PrivateKey,
    request: Vec<u8>,
}

impl Models {
    /// An authority, and a key with its request.
    pub fn new(now: Timestamp) -> Self {
        let validity =
            |days| Validity::new(Lapse::days(1).before(now), Lapse::days(days).after(now)).unwrap();
        let serial = || pki::random_serial().unwrap();
        let algorithm = KeyAlgorithm::EcdsaP256;
        let root = CertificateAuthority::create_root("Root", algorithm, validity(3650), &serial())
            .unwrap();
        let authority = CertificateAuthority::create_issuing(
            &root,
            "Issuing",
            algorithm,
            validity(3650),
            &serial(),
        )
        .unwrap();
        let key = PrivateKey::generate(algorithm).unwrap();
        let request = pki::request::certification_request(&key, &subject(&name(0))).unwrap();
        Self {
            now,
            authority,
            key,
            request,
        }
    }

    /// Adds an identity with everything that belongs to it.
    pub fn put(&self, batch: Batch, number: usize) -> Batch {
        let identity = name(number);
        let days = ENDS.start + number as i64 % (ENDS.end - ENDS.start);
        let validity = Validity::new(
            Lapse::days(1).before(self.now),
            Lapse::days(days).after(self.now),
        );
        let leaf = self
            .authority
            .issue(
                self.key.public_key(),
                &subject(&identity),
                validity.unwrap(),
                &pki::random_serial().unwrap(),
                &Profile::Client,
            )
            .unwrap();
        self.with(
            batch,
            number,
            &self.key,
            &self.request,
            leaf,
            Story::Adopted,
        )
        .new_key(&identity, GenerationNumber::FIRST, self.key.pkcs8())
    }

    /// Everything but the key.
    fn with(
        &self,
        batch: Batch,
        number: usize,
        key: &PrivateKey,
        request: &[u8],
        leaf: Vec<u8>,
        story: Story,
    ) -> Batch {
        let identity = name(number);
        let facts = pki::inspect(&leaf).unwrap();
        let mut chain = vec![leaf];
        chain.extend(self.authority.chain().iter().map(|c| c.to_vec()));
        let first = GenerationNumber::FIRST;
        let events = journal(&identity, &facts, story, self.now);
        let id = RotationId {
            identity: identity.clone(),
            generation: first,
        };
        let batch = batch
            .identity(&new(Identity {
                name: identity.clone(),
                issuer: "ca".parse().unwrap(),
                policy: POLICY.parse().unwrap(),
                subject: subject(&identity),
                key_algorithm: KeyAlgorithm::EcdsaP256,
                created_at: self.now,
                slots: story.slots(),
                newest: Some(first),
                rotation: matches!(story, Story::Issued).then_some(first),
            }))
            .generation(&new(Generation {
                identity: identity.clone(),
                number: first,
                key_algorithm: KeyAlgorithm::EcdsaP256,
                key_id: key.key_id(),
                key_state: story.key_state(),
                origin: KeyOrigin::Made,
                request: request.to_vec(),
                chain: chain.into_iter().map(HexBytes).collect(),
                leaf: Some(facts),
                created_at: self.now,
                destroyed_at: None,
            }));
        events
            .iter()
            .zip(1_u64..)
            .fold(batch, |batch, (event, number)| {
                batch.event(&id, number, event)
            })
    }
}

fn new<T>(value: T) -> Versioned<T> {
    Versioned { version: 0, value }
}

/// What a certificate of this identity says.
pub fn subject(identity: &IdentityName) -> SubjectRequest {
    let host = format!("{identity}.align.example");
    SubjectRequest {
        common_name: host.clone(),
        organization: None,
        dns_names: vec![host],
    }
}

/// What its journal holds: events of its first rotation.
fn journal(
    identity: &IdentityName,
    leaf: &CertificateFacts,
    story: Story,
    now: Timestamp,
) -> Vec<Event> {
    let there: Destination = "acme/production".parse().unwrap();
    let planned = |reason| Fact::Planned {
        identity: identity.clone(),
        from: None,
        to: GenerationNumber::FIRST,
        reason,
        scope: Scope {
            destinations: vec![there.clone()],
            connectors: [("poller".parse().unwrap(), there.clone())].into(),
        },
    };
    let (fingerprint, not_after) = (leaf.fingerprint, leaf.validity.not_after());
    let facts = match story {
        Story::Adopted => vec![
            planned(RotationReason::Adopted),
            Fact::Adopted {
                fingerprint,
                not_after,
                by: "Olga Ops".to_owned(),
                leniencies: Vec::new(),
            },
        ],
        Story::Issued => vec![
            planned(RotationReason::Initial),
            Fact::Started {
                step: Step::Prepare,
            },
            Fact::Succeeded {
                step: Step::Prepare,
                output: Output::Prepared {
                    fingerprint,
                    not_after,
                },
            },
        ],
    };
    facts
        .into_iter()
        .map(|fact| Event { at: now, fact })
        .collect()
}

/// What was written is what the program itself would have written.
#[cfg(test)]
#[test]
fn the_journals_are_possible_ones() {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let models = Models::new(now);
    let leaf = pki::inspect(&models.authority.chain()[0]).unwrap();
    let replayed = |story| {
        let events = journal(&name(7), &leaf, story, now);
        countersign::model::rotation::Rotation::replay(&events)
            .unwrap()
            .unwrap()
    };
    let adopted = replayed(Story::Adopted);
    assert!(adopted.outcome.is_some() && adopted.slots() == Story::Adopted.slots());
    let issued = replayed(Story::Issued);
    assert!(issued.outcome.is_none() && issued.slots() == Story::Issued.slots());
    assert_eq!(issued.new_key_state(), Story::Issued.key_state());
    assert_eq!(adopted.new_key_state(), Story::Adopted.key_state());
}
