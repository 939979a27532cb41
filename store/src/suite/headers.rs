//! Headers that were damaged, altered, or made by another version.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Fixture, open, overwrite, passphrase};
use crate::engine::EngineKind;
use crate::error::HeaderFault;
use crate::header::{Held, Unverified};
use crate::{Error, KeyFile, SlotOptions, Unlock};

fn header(fixture: &Fixture) -> std::path::PathBuf {
    fixture.path().join("store.json")
}

/// Opens a store whose header was passed through `edit`.
fn with_header(edit: impl FnOnce(String) -> String) -> Error {
    let mut fixture = Fixture::new(EngineKind::Redb);
    fixture.store = None;
    let path = header(&fixture);
    let lock = fs::read(fixture.path().join("lock")).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let after = edit(before.clone());
    assert_ne!(before, after, "the edit did nothing");
    overwrite(&path, &after);
    let error = open(&fixture.path()).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), after);
    assert_eq!(fs::read(fixture.path().join("lock")).unwrap(), lock);
    error
}

/// An edit by somebody who knows how digests and checksum are made, and has no secret: of the head, and
/// of the slots.
fn rechecked(edit: impl FnOnce(&mut Value, &mut Vec<Value>)) -> Error {
    with_header(|text| forge(&text, edit))
}

fn forge(text: &str, edit: impl FnOnce(&mut Value, &mut Vec<Value>)) -> String {
    let mut whole: Value = serde_json::from_str(text).unwrap();
    let mut slots = whole["slots"].as_array().unwrap().clone();
    let mut head = whole["header"].take();
    edit(&mut head, &mut slots);
    // In the order in which the program writes the fields.
    let slots: Vec<crate::slot::Slot> = slots
        .into_iter()
        .map(|slot| serde_json::from_value(slot).unwrap())
        .collect();
    let lines: Vec<String> = slots
        .iter()
        .map(|slot| serde_json::to_string(slot).unwrap())
        .collect();
    head["slots"] = slots
        .iter()
        .zip(&lines)
        .map(|(slot, line)| json!({ "id": slot.id, "sha256": hex::encode(Sha256::digest(line)) }))
        .collect();
    let field = |name: &str| head[name].to_string();
    let head = format!(
        "{{\"engine\":{},\"store_id\":{},\"epoch\":{},\"retiring\":{},\"next_slot\":{},\"slots\":[{}]}}",
        field("engine"),
        field("store_id"),
        field("epoch"),
        field("retiring"),
        field("next_slot"),
        head["slots"]
            .as_array()
            .unwrap()
            .iter()
            .map(|digest| format!(
                "{{\"id\":{},\"sha256\":{}}}",
                digest["id"], digest["sha256"]
            ))
            .collect::<Vec<_>>()
            .join(",")
    );
    let sha256 = hex::encode(Sha256::digest(format!("[2,{head}]")));
    format!(
        "{{\"format\":2,\"header\":{head},\"sha256\":\"{sha256}\",\"authentication\":{},\"slots\":[\n{}\n]}}\n",
        whole["authentication"],
        lines.join(",\n")
    )
}

#[test]
fn the_forger_of_these_tests_makes_headers_that_open() {
    let mut fixture = Fixture::new(EngineKind::Redb);
    fixture.store = None;
    let text = fs::read_to_string(header(&fixture)).unwrap();
    assert_eq!(forge(&text, |_, _| {}), text);
}

#[test]
fn a_header_of_a_newer_format_is_refused_and_nothing_is_written() {
    let error = with_header(|text| text.replace("\"format\":2", "\"format\":3"));
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                found: 3,
                supported: 2,
                ..
            }
        ),
        "{error}"
    );
    // Whatever else the newer format may hold.
    for newer in [
        "{\"format\": 9, \"surprise\": []}",
        "{\n  \"format\": 9,\n  \"surprise\": []\n}\n",
    ] {
        let error = with_header(|_| newer.to_owned());
        assert!(
            matches!(error, Error::NewerFormat { found: 9, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_header_cut_short_or_blown_up_is_refused() {
    for keep in [0, 1, 20, 200] {
        let error = with_header(|text| text[..keep].to_owned());
        assert!(matches!(
            error,
            Error::HeaderDamaged {
                fault: HeaderFault::Malformed,
                ..
            }
        ));
    }
    let error = with_header(|text| text + &" ".repeat(300 * 1024));
    assert!(matches!(
        error,
        Error::HeaderDamaged {
            fault: HeaderFault::TooLarge,
            ..
        }
    ));
}

#[test]
fn a_slot_damaged_by_accident_is_not_taken_for_a_wrong_passphrase() {
    let error = with_header(|text| {
        let at = text.find("\"salt\":\"").unwrap() + 8;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        [&text[..at], other, &text[at + 1..]].concat()
    });
    assert!(
        matches!(&error, Error::SlotsDamaged { slots, .. } if *slots == [1]),
        "{error}"
    );
    assert!(error.to_string().contains("damaged: 1"), "{error}");
}

/// What comes of a header each of whose bytes is flipped in turn, with whether it is in the first line.
fn flipped(
    fixture: &Fixture,
    secret: impl Fn(usize) -> &'static Unlock,
) -> Vec<(bool, Result<Vec<crate::SlotInfo>, Error>)> {
    let sound = fs::read(header(fixture)).unwrap();
    let head = sound.iter().position(|byte| *byte == b'\n').unwrap();
    let outcome = |position| {
        let mut altered = sound.clone();
        altered[position] ^= 0x01;
        let read = Unverified::decode(&fixture.path(), &altered)?;
        let (header, _) = read.open(&fixture.path(), secret(position))?;
        Ok(header.slots.iter().map(Held::info).collect())
    };
    (0..sound.len())
        .map(|position| (position <= head, outcome(position)))
        .collect()
}

#[test]
fn any_altered_byte_of_a_header_is_found() {
    let fixture = Fixture::new(EngineKind::Redb);
    let secret: &Unlock = Box::leak(Box::new(passphrase()));
    let outcomes = flipped(&fixture, |_| secret);
    let length = outcomes.len();
    for (position, (in_head, outcome)) in outcomes.into_iter().enumerate() {
        match outcome {
            Err(Error::HeaderDamaged { .. } | Error::NewerFormat { .. }) if in_head => {}
            Err(Error::SlotsDamaged { .. }) => {}
            // What closes the file says nothing; the slot stands before it.
            Ok(_) if position + 4 >= length => {}
            outcome => panic!("byte {position}: {outcome:?}"),
        }
    }
}

#[test]
fn any_damage_to_one_slot_leaves_the_others_open() {
    let fixture = Fixture::new(EngineKind::Redb);
    let key = KeyFile::generate(&fixture.dir.path().join("key")).unwrap();
    let key: &Unlock = Box::leak(Box::new(Unlock::KeyFile(key)));
    let passphrase: &Unlock = Box::leak(Box::new(passphrase()));
    fixture
        .store()
        .add_slot(key, &SlotOptions::default())
        .unwrap();
    let text = fs::read(header(&fixture)).unwrap();
    let newlines: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').collect();
    let (first, second) = (newlines[1], newlines[2]);
    let outcomes = flipped(
        &fixture,
        |position| {
            if position < first { key } else { passphrase }
        },
    );
    let mut judged = 0;
    for (position, (in_head, outcome)) in outcomes.into_iter().enumerate() {
        // A line end belongs to both lines, and what follows the last slot to none.
        if in_head || position == first || position > second {
            continue;
        }
        let slots = outcome.unwrap_or_else(|error| panic!("byte {position}: {error}"));
        let broken = if position < first { 1 } else { 2 };
        let damaged = slots.iter().filter(|slot| slot.kind.is_none());
        let damaged: Vec<u32> = damaged.map(|slot| slot.id).collect();
        assert_eq!(damaged, [broken], "byte {position}");
        judged += 1;
    }
    assert!(judged > 1000);
}

#[test]
fn a_store_with_a_damaged_slot_works_and_is_rid_of_it_by_removing_it() {
    let mut fixture = Fixture::new(EngineKind::Redb);
    let key = KeyFile::generate(&fixture.dir.path().join("key")).unwrap();
    let key = Unlock::KeyFile(key);
    fixture.put("c", "a", b"1");
    fixture
        .store()
        .add_slot(&key, &SlotOptions::default())
        .unwrap();
    fixture.store = None;
    let text = fs::read_to_string(header(&fixture)).unwrap();
    overwrite(header(&fixture), text.replacen("argon2id", "argon2ie", 1));
    let store = crate::Store::open(&fixture.path(), &key).unwrap();
    assert_eq!(&**store.read("c", "a").unwrap().unwrap().bytes, b"1");
    assert_eq!(store.slots()[0].kind, None);
    let last = store.remove_slot(2).unwrap_err();
    assert!(matches!(last, Error::LastSlot { id: 2 }), "{last}");
    store.remove_slot(1).unwrap();
    assert_eq!(
        store
            .add_slot(&passphrase(), &SlotOptions::default())
            .unwrap(),
        3
    );
    drop(store);
    open(&fixture.path()).unwrap();
}

#[test]
fn altered_key_derivation_costs_open_nothing() {
    let error = rechecked(|_, slots| {
        slots[0]["method"]["argon2id"]["iterations"] = 2.into();
    });
    assert!(matches!(error, Error::WrongSecret { .. }), "{error}");
}

#[test]
fn a_hostile_cost_is_refused_before_it_is_paid() {
    let error = with_header(|text| {
        let mut whole: Value = serde_json::from_str(&text).unwrap();
        whole["slots"][0]["method"]["argon2id"]["memory_kib"] = u32::MAX.into();
        let line = whole["slots"][0].to_string();
        // The digest is right, so that nothing but the cost speaks against it.
        let mut head = whole["header"].clone();
        head["slots"][0]["sha256"] = hex::encode(Sha256::digest(&line)).into();
        let first = text.lines().next().unwrap();
        let old = whole["header"]["slots"][0]["sha256"].as_str().unwrap();
        let new = head["slots"][0]["sha256"].as_str().unwrap();
        let first = first.replace(old, new);
        let start = first.find("\"header\":").unwrap() + 9;
        let end = first.rfind(",\"sha256\":").unwrap();
        let checksum = hex::encode(Sha256::digest(format!("[2,{}]", &first[start..end])));
        let stated = end + 11;
        let first = [&first[..stated], &checksum, &first[stated + 64..]].concat();
        format!("{first}\n{line}\n]}}\n")
    });
    assert!(
        matches!(&error, Error::SlotsDamaged { slots, .. } if *slots == [1]),
        "{error}"
    );
}

#[test]
fn an_altered_engine_or_a_planted_slot_is_noticed() {
    let altered = |error| {
        matches!(
            error,
            Error::HeaderDamaged {
                fault: HeaderFault::Altered,
                ..
            }
        )
    };
    assert!(altered(rechecked(|head, _| head["engine"] = "sled".into())));
    assert!(altered(rechecked(|head, _| head["next_slot"] = 1.into())));
    assert!(altered(rechecked(|head, _| head["epoch"] = 7.into())));
    assert!(altered(rechecked(|head, _| head["retiring"] = 0.into())));
    assert!(altered(rechecked(|_, slots| {
        let mut slot = slots[0].clone();
        slot["id"] = 2.into();
        slots.push(slot);
    })));
    assert!(altered(rechecked(|_, slots| {
        slots[0]["label"] = "somebody else".into();
    })));
}
