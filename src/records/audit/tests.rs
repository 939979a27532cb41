//! The log over a real store, and what is found when somebody lays hands on it.

use countersign_store::{InitOptions, KdfCost, Passphrase, Store, Unlock};
use jiff::Timestamp;

use super::{Chain, ChainFault, LogKey, SignedHead};
use crate::{
    model::audit::{Action, Actor, ActorKind, Author, Claims, Digest},
    records::{Batch, Records},
};

fn author() -> Author {
    Author::new(Actor {
        by: ActorKind::Command,
        uid: 1000,
        gid: 100,
        pid: None,
        login: Some("olga\u{1b}[31m".into()),
        claims: Claims::default(),
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn something(number: u32) -> Action {
    Action::StoreMigrated {
        from: number,
        to: number + 1,
    }
}

struct Place {
    records: Records,
    directory: tempfile::TempDir,
}

fn unlock() -> Unlock {
    Unlock::Passphrase(Passphrase::new("correct horse".to_owned().into()))
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
            records: Records::new(store),
            directory,
        }
    }

    fn reopened(self) -> Self {
        drop(self.records);
        let store = Store::open(&self.directory.path().join("store"), &unlock()).unwrap();
        Self {
            records: Records::new(store),
            directory: self.directory,
        }
    }

    fn with_entries(count: u32) -> Self {
        let place = Self::new();
        for number in 1..count {
            place
                .records
                .record(&author(), at(number.into()), something(number))
                .unwrap();
        }
        place
    }

    fn lines(&self) -> Vec<String> {
        let page = self.records.log_page(0, u64::MAX).unwrap();
        page.into_iter().map(|line| line.text).collect()
    }

    fn head(&self) -> SignedHead {
        self.records.signed_head(at(10_000)).unwrap().unwrap().0
    }
}

fn read(chain: Chain, lines: &[String], head: &SignedHead) -> Result<Chain, ChainFault> {
    let mut chain = chain;
    for line in lines {
        chain.take(line.as_bytes())?;
    }
    chain.close(head)?;
    Ok(chain)
}

fn judged(lines: &[String], head: &SignedHead) -> Option<ChainFault> {
    read(Chain::new(), lines, head).err()
}

#[test]
fn a_log_that_nobody_touched_is_found_good() {
    let place = Place::with_entries(5).reopened();
    place
        .records
        .record(&author(), at(6), something(6))
        .unwrap();
    let lines = place.lines();
    let chain = read(Chain::new(), &lines, &place.head()).unwrap();
    assert_eq!(chain.entries(), 6);
    assert_eq!(place.records.log_entries().unwrap(), 6);
    assert!(
        lines[0].contains("\"action\":\"log-begun\""),
        "{}",
        lines[0]
    );
    assert!(!lines[0].contains('\u{1b}'), "foreign text is escaped");
}

#[test]
fn every_byte_of_every_entry_counts() {
    let place = Place::with_entries(4);
    let (lines, head) = (place.lines(), place.head());
    for entry in 0..lines.len() {
        for at in 0..lines[entry].len() {
            let mut bytes = lines[entry].clone().into_bytes();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            let mut altered = lines.clone();
            altered[entry] = String::from_utf8(bytes).unwrap();
            let fault = judged(&altered, &head)
                .unwrap_or_else(|| panic!("byte {at} of entry {} is not missed", entry + 1));
            let named = match fault {
                ChainFault::Altered { entry }
                | ChainFault::FalseEnd { entry, .. }
                | ChainFault::Unreadable { entry }
                | ChainFault::OutOfOrder {
                    expected: entry, ..
                } => entry,
                ChainFault::NotTheBeginning | ChainFault::FalseHead => 1,
                other => panic!("{other:?}"),
            };
            // The place of the digest of the entry before may be to blame, or that entry.
            let true_place = entry as u64 + 1;
            assert!(
                named == true_place || named + 1 == true_place,
                "byte {at} of entry {true_place}: {named}"
            );
        }
    }
}

#[test]
fn removing_reordering_doubling_and_cutting_are_found() {
    let place = Place::with_entries(6);
    let (lines, head) = (place.lines(), place.head());
    for gone in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(gone);
        let fault = judged(&fewer, &head).expect("a removed entry is missed");
        let named = match fault {
            ChainFault::OutOfOrder { expected, .. } => expected,
            ChainFault::Truncated { entry, .. } => entry,
            other => panic!("{other:?}"),
        };
        assert_eq!(named, gone as u64 + 1);
    }
    for first in 0..lines.len() - 1 {
        let mut swapped = lines.clone();
        swapped.swap(first, first + 1);
        assert_eq!(
            judged(&swapped, &head),
            Some(ChainFault::OutOfOrder {
                expected: first as u64 + 1,
                found: first as u64 + 2,
            })
        );
        let mut doubled = lines.clone();
        doubled.insert(first, lines[first].clone());
        assert!(matches!(
            judged(&doubled, &head),
            Some(ChainFault::OutOfOrder { .. })
        ));
    }
    let longer = place;
    longer
        .records
        .record(&author(), at(7), something(7))
        .unwrap();
    assert_eq!(
        judged(&longer.lines(), &head),
        Some(ChainFault::Unsigned {
            entry: 7,
            entries: 6
        }),
        "an older head under a longer log"
    );
}

#[test]
fn an_older_log_with_its_own_true_head_is_found_by_a_later_head() {
    let place = Place::with_entries(4);
    let (lines, head) = (place.lines(), place.head());
    place
        .records
        .record(&author(), at(5), something(5))
        .unwrap();
    let later = place.head();
    assert_eq!(judged(&lines, &head), None, "in itself it is sound");
    assert!(matches!(
        read(Chain::new().since(later), &lines, &head),
        Err(ChainFault::Older {
            entry: 5,
            entries: 5,
            ..
        })
    ));
    let longer = read(
        Chain::new().since(head.clone()),
        &place.lines(),
        &place.head(),
    );
    assert!(longer.is_ok(), "a log that went on is no older one");
    let other = Place::with_entries(4);
    assert_eq!(
        read(Chain::new().since(head), &other.lines(), &other.head()).unwrap_err(),
        ChainFault::ForeignHead
    );
}

#[test]
fn a_log_that_was_made_up_whole_is_found_by_the_key() {
    let (place, forged) = (Place::with_entries(3), Place::with_entries(3));
    let key = LogKey::from_pem(&place.head().public_key).unwrap().id();
    assert!(read(Chain::new().trusting(key), &place.lines(), &place.head()).is_ok());
    assert!(matches!(
        read(Chain::new().trusting(key), &forged.lines(), &forged.head()),
        Err(ChainFault::OtherKey { .. })
    ));
    assert_eq!(
        judged(&place.lines(), &forged.head()),
        Some(ChainFault::FalseHead)
    );
}

#[test]
fn a_chain_that_was_made_anew_after_an_alteration_is_found_by_the_next_checkpoint() {
    let place = Place::with_entries(200);
    let (lines, head) = (place.lines(), place.head());
    let chain = read(Chain::new(), &lines, &head).unwrap();
    assert!(chain.checkpoints() >= 3, "{}", chain.checkpoints());
    let mut rewritten = lines;
    rewritten[99] = rewritten[99].replace("1000", "1001");
    for entry in 100..rewritten.len() {
        let digest = crate::pki::digest_of(rewritten[entry - 1].as_bytes());
        let mut value: serde_json::Value = serde_json::from_str(&rewritten[entry]).unwrap();
        value["previous"] = digest.to_string().into();
        rewritten[entry] = value.to_string();
    }
    let Some(ChainFault::FalseCheckpoint { entry, vouched }) = judged(&rewritten, &head) else {
        panic!("{:?}", judged(&rewritten, &head));
    };
    assert!(vouched < 100 && 100 < entry, "{vouched} {entry}");
}

#[test]
fn what_is_not_signed_yet_is_signed_after_an_hour_and_once() {
    let place = Place::with_entries(3);
    let sign = |second| {
        place
            .records
            .sign_log_when_due(&author(), at(second))
            .unwrap();
        place.records.log_entries().unwrap()
    };
    assert_eq!(sign(3_000), 3);
    assert_eq!(sign(4_000), 4);
    assert_eq!(sign(100_000), 4);
    assert!(place.lines()[3].contains("\"action\":\"checkpoint\""));
}

#[test]
fn a_batch_and_what_it_tells_are_written_together_or_not_at_all() {
    let place = Place::with_entries(2);
    let (identity, number) = ("jira".parse().unwrap(), "1".parse().unwrap());
    let batch = || {
        Batch::new()
            .new_key(&identity, number, b"a key")
            .tell(something(7))
    };
    place.records.commit(&author(), at(3), batch()).unwrap();
    assert_eq!(place.records.log_entries().unwrap(), 3);
    place.records.commit(&author(), at(4), batch()).unwrap_err();
    assert_eq!(place.records.log_entries().unwrap(), 3);
    assert_eq!(place.lines().len(), 3);
    place
        .records
        .record(&author(), at(5), something(8))
        .unwrap();
    assert_eq!(judged(&place.lines(), &place.head()), None);
}

#[test]
fn what_waits_is_told_first_and_once_and_is_not_lost_by_a_failure() {
    let place = Place::with_entries(2);
    let (identity, number) = ("jira".parse().unwrap(), "1".parse().unwrap());
    let batch = || {
        Batch::new()
            .new_key(&identity, number, b"a key")
            .tell(something(7))
    };
    place.records.commit(&author(), at(3), batch()).unwrap();
    let opened = Action::ConfigurationInForce {
        digest: Digest::new([1; 32]),
        files: Vec::new(),
    };
    place.records.record_with_next(&author(), at(4), opened);
    place.records.commit(&author(), at(5), batch()).unwrap_err();
    assert_eq!(place.lines().len(), 3);
    for number in [8, 9] {
        place
            .records
            .record(&author(), at(6), something(number))
            .unwrap();
    }
    let lines = place.lines();
    assert_eq!(lines.len(), 6);
    assert!(lines[3].contains("configuration-in-force"), "{}", lines[3]);
    assert_eq!(
        place.records.told_configuration().unwrap(),
        Some(Digest::new([1; 32]))
    );
    assert_eq!(judged(&lines, &place.head()), None);
}

#[test]
fn those_who_tell_at_the_same_time_follow_one_another() {
    let place = Place::with_entries(2);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..10 {
                    place
                        .records
                        .record(&author(), at(3), something(number))
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(place.lines().len(), 42);
    assert_eq!(judged(&place.lines(), &place.head()), None);
}
