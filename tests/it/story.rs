//! The whole story: a first generation, a second one, the first destroyed, and nobody has noticed.

use countersign_peers::{LogEntry, openssl};
use jiff::Timestamp;
use serde_json::Value;

use crate::world::{IDENTITY, Letter, MARK, Plan, World, phase, sha1};

/// Loops that call at once.
const LOOPS: u64 = 64;
/// How many requests there must have been between the offer of the second generation and its being in use.
const IN_FLIGHT: u64 = 1_000;

/// How the contact answers.
type Answer = fn(&World, &Letter);

fn by_code(world: &World, letter: &Letter) {
    world.acknowledge(letter);
}

/// With a signature the code is not needed.
fn by_signature(world: &World, letter: &Letter) {
    let words: String = letter.answer().split_inclusive('\n').take(2).collect();
    world.receive(&world.signed_reply(letter, &words)).expect(0);
}

#[test]
fn an_identity_is_rotated_over_tls_1_2_by_code_replies_without_a_failed_request() {
    rotate(Plan::default(), by_code, "TLSv1.2");
}

#[test]
fn an_rsa_identity_is_rotated_over_tls_1_3_by_signed_replies_without_a_failed_request() {
    let plan = Plan {
        tls13: true,
        key: "rsa-2048",
        ..Plan::default()
    };
    rotate(plan, by_signature, "TLSv1.3");
}

fn rotate(plan: Plan, answer: Answer, protocol: &str) {
    let mut world = World::prepared(plan);
    world.start_daemon();
    let load = world.load_at_socket("poller", LOOPS);

    world.add_identity();
    let first = world.await_letter("offer.1.jira.1.");
    assert_eq!(
        load.begun(),
        0,
        "nothing is handed out before it is accepted"
    );
    world.install(&first);
    answer(&world, &first);
    world.wait_until("the first generation is in use", 30, phase("completed"));
    world.poll("the connector calls", 10, || {
        (load.begun() > LOOPS).then_some(())
    });

    world.ok(&["rotation", "start", IDENTITY]);
    let second = world.await_letter("offer.1.jira.2.");
    let begun = load.begun();
    world.install(&second);
    assert_eq!(world.pinned().len(), 2, "both are trusted");
    world.poll("enough requests are made with the old one", 30, || {
        (load.begun() > begun + IN_FLIGHT).then_some(())
    });
    answer(&world, &second);

    let notice = world.await_letter("removal-notice.1.jira.2.");
    world.wait_until("the old one is still accepted", 20, |r| {
        r["destinations"][0]["refusal"][0] == "accepted"
    });
    world.remove(&notice);
    let ended = world.wait_until("the rotation is completed", 30, phase("completed"));

    assert_eq!(world.generation(1)["key_state"], "destroyed");
    assert_eq!(world.generation(2)["key_state"], "active");
    assert_eq!(
        ended["destinations"][0]["refusal"][0], "rejected",
        "{ended:#}"
    );
    assert_eq!(
        world.message_ids(),
        [&first, &second, &notice].map(|letter| letter.message_id.clone()),
        "these letters and no others, in this order"
    );
    judge_revocation(&world);
    let requests = load.end();
    judge_log(&world, &ended, requests, [&first, &second], protocol);
}

/// Gateways that trust the authority are told by its list.
fn judge_revocation(world: &World) {
    let pem = |arguments: &[&str]| world.json(arguments)["pem"].as_str().unwrap().to_owned();
    let list = pem(&["issuer", "crl", "ca"]);
    let text = openssl::crl_verify(&list, &pem(&["issuer", "show", "ca"]))
        .unwrap()
        .to_lowercase();
    let listed = |generation| {
        let facts = world.generation(generation);
        text.contains(facts["certificate"]["serial"].as_str().unwrap())
    };
    assert!(
        listed(1),
        "the certificate whose key is destroyed is revoked: {text}"
    );
    assert!(!listed(2), "the one in use is not: {text}");
}

/// What the gateway saw is the judge: which certificate, when, and with what answer.
fn judge_log(world: &World, ended: &Value, requests: u64, offers: [&Letter; 2], protocol: &str) {
    let calls = |log: &[LogEntry]| {
        log.iter()
            .filter(|entry| entry.request_id.starts_with(MARK))
            .cloned()
            .collect::<Vec<_>>()
    };
    let log = calls(
        &world
            .gateway
            .await_log(|log| calls(log).len() as u64 >= requests),
    );
    assert!(
        log.iter()
            .all(|entry| entry.status == 200 && entry.protocol == protocol)
    );

    let [old, new] = offers.map(|letter| sha1(&letter.chain()[0]));
    assert!(
        log.iter()
            .all(|entry| entry.fingerprint == old || entry.fingerprint == new),
        "nothing else is presented"
    );
    let moment = |fact: &Value| {
        fact.as_str()
            .unwrap()
            .parse::<Timestamp>()
            .unwrap()
            .as_millisecond() as u64
    };
    let leg = &ended["destinations"][0];
    let (offered, activated) = (moment(&leg["offered"]), moment(&leg["activated"]));
    let across = log.iter().filter(|entry| entry.time_ms > offered).count();
    assert!(across as u64 >= IN_FLIGHT, "{across} requests");
    let drained = activated + 2_000;
    let late: Vec<_> = log
        .iter()
        .filter(|entry| entry.fingerprint == old && entry.time_ms > drained)
        .collect();
    assert!(
        late.is_empty(),
        "with the old certificate after the drain: {late:#?}"
    );
    assert!(
        log.iter()
            .any(|entry| entry.fingerprint == new && entry.time_ms < drained),
        "the new one is seen"
    );
    assert!(
        log.iter().any(|entry| entry.fingerprint == old),
        "the old one was seen"
    );
}
