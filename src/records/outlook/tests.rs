//! What is due is found among many, wherever it stands, and stays right whatever is done to identities.

use countersign_store::{Expect, InitOptions, KdfCost, Passphrase, Store, Transaction, Unlock};
use jiff::Timestamp;

use super::{CHUNK, EXPIRING, Expiring, OUTLOOK, UNDER_WAY};
use crate::{
    model::{
        CertificateFacts, Fingerprint, Generation, GenerationNumber, Identity, IdentityName,
        KeyAlgorithm, KeyId, KeyOrigin, KeyState, PolicyName, SerialNumber, Sha1Fingerprint, Slots,
        SubjectRequest, Validity,
        audit::{Actor, ActorKind, Author, Claims},
    },
    records::{Batch, Records, Versioned},
};

struct Place {
    records: Records,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = InitOptions {
            kdf: KdfCost::throwaway(),
            ..InitOptions::default()
        };
        let store = Store::init(&directory.path().join("store"), &unlock(), &options).unwrap();
        Self {
            records: Records::over(store).unwrap(),
            directory,
        }
    }

    fn reopened(self) -> Self {
        drop(self.records);
        Self {
            records: Records::open(&self.directory.path().join("store"), &unlock()).unwrap(),
            directory: self.directory,
        }
    }

    fn write(&self, batch: Batch) {
        self.records.commit(&author(), at(0), batch).unwrap();
    }

    /// The outlook as it is, and as it would be if it were made anew.
    fn outlook(&self) -> Vec<String> {
        let stored = |collection| {
            let labels = self.records.store().labels(collection, .., usize::MAX);
            let labels = labels.unwrap().into_iter();
            labels.map(move |label| format!("{collection}: {}", label.id))
        };
        stored(UNDER_WAY).chain(stored(EXPIRING)).collect()
    }

    fn expiring(&self, policy: &str, limit: usize) -> Vec<Expiring> {
        let mut found = Vec::new();
        self.records
            .each_expiring(&policy.parse().unwrap(), |expiring| {
                found.push(expiring);
                found.len() < limit
            })
            .unwrap();
        found
    }
}

fn unlock() -> Unlock {
    Unlock::Passphrase(Passphrase::new("correct horse".to_owned().into()))
}

fn author() -> Author {
    Author::new(Actor {
        by: ActorKind::Command,
        uid: 1000,
        gid: 100,
        pid: None,
        login: None,
        claims: Claims::default(),
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn identity(name: &str, policy: &str) -> Identity {
    Identity {
        name: name.parse().unwrap(),
        issuer: "ca".parse().unwrap(),
        policy: policy.parse().unwrap(),
        subject: SubjectRequest {
            common_name: name.to_owned(),
            organization: None,
            dns_names: Vec::new(),
        },
        key_algorithm: KeyAlgorithm::EcdsaP256,
        created_at: at(0),
        slots: Slots {
            current: Some(GenerationNumber::FIRST),
            ..Slots::default()
        },
        newest: Some(GenerationNumber::FIRST),
        rotation: None,
    }
}

fn generation(name: &str, number: GenerationNumber, ends: Timestamp) -> Generation {
    Generation {
        identity: name.parse().unwrap(),
        number,
        key_algorithm: KeyAlgorithm::EcdsaP256,
        key_id: KeyId::from_digest([1; 32]),
        key_state: KeyState::Active,
        origin: KeyOrigin::Made,
        request: Vec::new(),
        chain: Vec::new(),
        leaf: Some(CertificateFacts {
            fingerprint: Fingerprint::from_digest([2; 32]),
            sha1: Sha1Fingerprint::from_digest([3; 20]),
            key_id: KeyId::from_digest([1; 32]),
            key_algorithm: None,
            subject: String::new(),
            issuer: String::new(),
            serial: SerialNumber::from_bytes(&[1]),
            validity: Validity::new(at(-1000), ends).unwrap(),
            dns_names: Vec::new(),
            email_addresses: Vec::new(),
            extended_key_usage: None,
            key_usage: None,
            is_ca: false,
            self_issued: false,
        }),
        created_at: at(0),
        destroyed_at: None,
    }
}

fn new<T>(value: T) -> Versioned<T> {
    Versioned { version: 0, value }
}

fn added(name: &str, policy: &str, ends: Timestamp) -> Batch {
    Batch::new()
        .identity(&new(identity(name, policy)))
        .generation(&new(generation(name, GenerationNumber::FIRST, ends)))
}

fn names(expiring: &[Expiring]) -> Vec<&str> {
    expiring.iter().map(|e| e.identity.as_str()).collect()
}

#[test]
fn identities_stand_in_the_order_in_which_they_end() {
    let place = Place::new();
    for (name, policy, ends) in [
        ("late", "p", 300),
        ("early", "p", 100),
        ("between", "p", 200),
        ("other", "p-2", 50),
        ("first", "p", -1_900_000_000),
    ] {
        let ends = at(ends).max(at(-999));
        place.write(added(name, policy, ends));
    }
    let all = place.expiring("p", 9);
    assert_eq!(names(&all), ["first", "early", "between", "late"]);
    assert_eq!(all[1].not_after, at(100));
    assert_eq!(names(&place.expiring("p", 2)), ["first", "early"]);
    assert_eq!(names(&place.expiring("p-2", 9)), ["other"]);
    assert_eq!(names(&place.expiring("nobody", 9)), [""; 0]);
    let count = |second| {
        let policy: PolicyName = "p".parse().unwrap();
        place.records.count_expiring(&policy, at(second)).unwrap()
    };
    assert_eq!(
        [count(99), count(100), count(250), count(999)],
        [1, 2, 3, 4]
    );
}

#[test]
fn an_identity_stands_in_one_place_at_a_time() {
    let place = Place::new();
    let name: IdentityName = "acme".parse().unwrap();
    place.write(added("acme", "p", at(100)));
    assert_eq!(names(&place.expiring("p", 9)), ["acme"]);

    // Its rotation begins.
    let mut stored = place.records.identity(&name).unwrap().unwrap();
    let second = GenerationNumber::FIRST.next();
    stored.value.rotation = Some(second);
    place.write(Batch::new().identity(&stored));
    assert_eq!(names(&place.expiring("p", 9)), [""; 0]);
    assert_eq!(
        place.records.under_way().unwrap(),
        std::slice::from_ref(&name)
    );
    assert_eq!(place.records.count_under_way().unwrap(), 1);

    // It ends: another certificate is in force, and ends later.
    let mut stored = place.records.identity(&name).unwrap().unwrap();
    stored.value.rotation = None;
    stored.value.slots.current = Some(second);
    let batch =
        Batch::new()
            .identity(&stored)
            .generation(&new(generation("acme", second, at(500))));
    place.write(batch);
    assert_eq!(place.expiring("p", 9)[0].not_after, at(500));
    assert_eq!(place.outlook().len(), 1);

    // It comes under another policy, and then has no certificate any more.
    let mut stored = place.records.identity(&name).unwrap().unwrap();
    stored.value.policy = "q".parse().unwrap();
    place.write(Batch::new().identity(&stored));
    assert_eq!(place.expiring("p", 9), []);
    assert_eq!(names(&place.expiring("q", 9)), ["acme"]);
    let mut stored = place.records.identity(&name).unwrap().unwrap();
    stored.value.slots.current = None;
    place.write(Batch::new().identity(&stored));
    assert_eq!(place.outlook(), [""; 0]);
}

#[test]
fn a_change_that_does_not_take_place_moves_nothing() {
    let place = Place::new();
    place.write(added("acme", "p", at(100)));
    let before = place.outlook();
    let mut stale = new(identity("acme", "p"));
    stale.value.rotation = Some(GenerationNumber::FIRST);
    let batch = Batch::new().identity(&stale);
    let refused = place.records.commit(&author(), at(0), batch).unwrap_err();
    assert!(refused.is_conflict());
    assert_eq!(place.outlook(), before);
}

/// A store of an older version has none, a restored one has that of another store.
#[test]
fn it_is_made_where_it_is_missing_or_that_of_another_store() {
    let mut place = Place::new();
    let several = CHUNK + 20;
    for number in 0..several {
        let name = format!("i{number:04}");
        place.write(added(&name, "p", at(number as i64)));
    }
    let mut stored = place.records.identity(&"i0007".parse().unwrap());
    let stored = stored.as_mut().unwrap().as_mut().unwrap();
    stored.value.rotation = Some(GenerationNumber::FIRST.next());
    place.write(Batch::new().identity(stored));
    let right = place.outlook();
    assert_eq!(right.len(), several);

    // Opened again, it is left as it is.
    let transactions = place.records.store().transactions().unwrap();
    place = place.reopened();
    assert_eq!(place.records.store().transactions().unwrap(), transactions);

    let mut transaction = Transaction::new();
    transaction
        .put(OUTLOOK, OUTLOOK, b"another store".to_vec(), Expect::Any)
        .put(UNDER_WAY, "nobody", b"".to_vec(), Expect::Any)
        .put(EXPIRING, "p/nonsense/nobody", b"".to_vec(), Expect::Any);
    for label in place.records.store().labels(EXPIRING, .., 100).unwrap() {
        transaction.delete(EXPIRING, &label.id, Expect::Any);
    }
    place.records.store().transact(transaction).unwrap();
    place = place.reopened();
    assert_eq!(place.outlook(), right);
}

#[test]
fn finding_what_is_due_takes_as_many_reads_among_many_as_among_few() {
    let mut reads = Vec::new();
    for count in [100_i64, 10_000] {
        let place = Place::new();
        for thousand in 0..(count + 999) / 1000 {
            let mut transaction = Transaction::new();
            for number in (thousand * 1000..count).take(1000) {
                let id = format!(
                    "p/{:013}/i{number:05}",
                    at(number).as_second() + super::OFFSET
                );
                transaction.put(EXPIRING, &id, Vec::new(), Expect::Absent);
            }
            place.records.store().transact(transaction).unwrap();
        }
        let place = place.reopened();
        let before = place.records.store().reads();
        let due = place.expiring("p", 3);
        assert_eq!(names(&due), ["i00000", "i00001", "i00002"]);
        let nobody = place.records.under_way().unwrap();
        assert_eq!(nobody, []);
        assert_eq!(place.records.count_under_way().unwrap(), 0);
        reads.push(place.records.store().reads() - before);
    }
    // The tree is a little higher.
    assert!(reads[1] <= reads[0] + 4, "{reads:?}");
    assert!(reads[0] > 0);
}
