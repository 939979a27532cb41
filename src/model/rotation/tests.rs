//! What may follow on what, told in the form in which it is stored: no reader may ever refuse these texts.

use serde_json::{Value, json};

use super::*;

const THERE: &str = "acme/test";
const FINGERPRINT: &str = "0707070707070707070707070707070707070707070707070707070707070707";

#[expect(
    clippy::needless_pass_by_value,
    reason = "the caller writes it on the spot"
)]
fn event(fact: Value) -> Event {
    let mut stored = json!({ "at": "2026-11-23T12:00:00Z" });
    for (name, value) in fact.as_object().unwrap() {
        stored[name] = value.clone();
    }
    // Through text, as in the store.
    serde_json::from_str(&stored.to_string()).unwrap()
}

fn planned(from: Option<u32>) -> Value {
    json!({
        "fact": "planned", "identity": "jira", "from": from, "to": from.unwrap_or(0) + 1,
        "reason": "scheduled",
        "scope": { "destinations": [THERE], "connectors": { "one": THERE } },
    })
}

/// Every step, by its name.
fn step(name: &str) -> Value {
    match name {
        "prepare" | "destroy" | "discard" => json!({ "step": name }),
        "publish" | "roll-back" => json!({ "step": name, "connector": "one" }),
        "remind" => json!({ "step": name, "destination": THERE, "number": 1 }),
        _ => json!({ "step": name, "destination": THERE }),
    }
}

const STEPS: [&str; 13] = [
    "prepare",
    "offer",
    "remind",
    "confirm",
    "probe",
    "publish",
    "activate",
    "notify",
    "prove-refusal",
    "destroy",
    "roll-back",
    "withdraw",
    "discard",
];

fn report(verdict: &str) -> Value {
    json!({ "output": "probed", "report": {
        "probe_id": "p", "at": "2026-11-23T12:00:00Z", "url": "https://jira.acme.example",
        "presented": FINGERPRINT, "verdict": verdict, "tier": "client-certificate", "summary": "",
        "owner": null, "remedy": null, "controls": [], "verbs": [],
        "addresses": [{
            "address": "192.0.2.1:443", "verdict": verdict, "tier": "client-certificate",
            "tls_version": null, "cipher_suite": null, "server_chain": [],
            "certificate_requested": true, "authority_hints": 0, "alert": null,
            "http_status": null, "headers": {}, "explanation": "",
        }],
    }})
}

fn sent() -> Value {
    json!({ "output": "sent", "letter": {
        "message_id": "<a@b>", "kind": "offer", "to": ["sec@acme.example"], "encrypted": false,
        "server_reply": "250 OK", "at": "2026-11-23T12:00:00Z",
    }})
}

fn published(fingerprint: &str) -> Value {
    json!({ "output": "published", "activation": {
        "connector": "one", "generation": 2, "fingerprint": fingerprint,
        "applied": { "type": "reloaded", "outcome": "status 0" }, "at": "2026-11-23T12:00:00Z",
    }})
}

fn best(name: &str) -> Value {
    match name {
        "prepare" => json!({
            "output": "prepared", "fingerprint": FINGERPRINT, "not_after": "2027-11-23T12:00:00Z",
        }),
        "offer" | "remind" | "notify" | "withdraw" => sent(),
        "confirm" => json!({ "output": "confirmed", "basis": { "basis": "evidence" } }),
        "probe" => report("accepted"),
        "prove-refusal" => report("rejected"),
        "publish" | "roll-back" => published(FINGERPRINT),
        _ => json!({ "output": "done" }),
    }
}

fn acknowledged(fingerprint: &str) -> Value {
    json!({ "fact": "acknowledged", "acknowledgement": {
        "destination": THERE, "fingerprint": fingerprint, "contact": "sec@acme.example",
        "channel": { "type": "code-reply", "message_id": "<r@b>" }, "at": "2026-11-23T12:00:00Z",
    }})
}

fn decided(decision: &str) -> Value {
    json!({ "fact": "decided", "decision": { "decision": decision }, "by": "Ann", "reason": "so" })
}

fn started(name: &str) -> Value {
    json!({ "fact": "started", "step": step(name) })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the caller writes it on the spot"
)]
fn succeeded(name: &str, output: Value) -> Value {
    json!({ "fact": "succeeded", "step": step(name), "output": output })
}

fn failed(name: &str) -> Value {
    json!({ "fact": "failed", "step": step(name), "failure": {
        "kind": "transient", "message": "no", "remedy": "wait", "owner": "ops",
    }})
}

fn try_after(rotation: &Rotation, fact: Value) -> Result<Rotation, String> {
    rotation
        .clone()
        .after(&event(fact))
        .map_err(|error| error.to_string())
}

#[track_caller]
fn after(rotation: &Rotation, fact: Value) -> Rotation {
    try_after(rotation, fact).unwrap()
}

/// Steps that succeed, and `ack` for an acknowledgement, one after the other.
#[track_caller]
fn story(from: Option<u32>, steps: &str) -> Rotation {
    let mut rotation = Rotation::begin(&event(planned(from))).unwrap();
    for name in steps.split_whitespace() {
        rotation = match name {
            "ack" => after(&rotation, acknowledged(FINGERPRINT)),
            "abandon" | "roll-back!" => after(&rotation, decided(name.trim_end_matches('!'))),
            name => {
                let begun = after(&rotation, started(name));
                after(&begun, succeeded(name, best(name)))
            }
        };
    }
    rotation
}

fn may_start(rotation: &Rotation) -> String {
    let allowed = STEPS
        .iter()
        .filter(|name| try_after(rotation, started(name)).is_ok());
    allowed.copied().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_moment_of_the_story_allows_its_own_steps_and_no_others() {
    let offered = "remind confirm probe";
    let steps = "prepare offer ack confirm probe publish activate notify prove-refusal destroy";
    let moments = [
        (0, Phase::Planned, "prepare".to_owned()),
        (1, Phase::Prepared, "offer probe".to_owned()),
        (2, Phase::Offered, offered.to_owned()),
        (3, Phase::Offered, offered.to_owned()),
        (4, Phase::Confirmed, offered.to_owned()),
        (5, Phase::Proven, format!("{offered} publish")),
        (6, Phase::Proven, format!("{offered} publish activate")),
        (
            7,
            Phase::Activated,
            format!("{offered} publish activate notify prove-refusal"),
        ),
        (
            8,
            Phase::Activated,
            format!("{offered} publish activate notify prove-refusal"),
        ),
        (
            9,
            Phase::Retired,
            format!("{offered} publish activate notify prove-refusal destroy"),
        ),
        (10, Phase::Completed, String::new()),
    ];
    for (count, phase, allowed) in moments {
        let so_far: Vec<_> = steps.split(' ').take(count).collect();
        let rotation = story(Some(1), &so_far.join(" "));
        assert_eq!(
            (rotation.phase(), may_start(&rotation)),
            (phase, allowed),
            "{so_far:?}"
        );
    }
}

#[test]
fn a_rotation_that_is_given_up_goes_back_by_its_own_steps_only() {
    let offered = story(Some(1), "prepare offer abandon");
    assert_eq!(may_start(&offered), "roll-back withdraw");
    let told = story(Some(1), "prepare offer abandon withdraw");
    assert_eq!(may_start(&told), "roll-back withdraw discard");
    let switched = "prepare offer ack confirm probe publish roll-back! withdraw";
    assert_eq!(may_start(&story(Some(1), switched)), "roll-back withdraw");
    let back = story(Some(1), &format!("{switched} roll-back discard"));
    assert_eq!(back.phase(), Phase::RolledBack);
    assert_eq!(back.new_key_state(), crate::model::KeyState::Destroyed);
    assert_eq!(back.slots().current, back.from);
}

#[test]
fn a_first_generation_is_complete_once_it_is_active() {
    let done = story(None, "prepare offer ack confirm probe publish activate");
    assert_eq!(done.phase(), Phase::Completed);
    assert_eq!(done.slots().current, Some(done.to()));
}

#[test]
fn a_gate_opens_on_evidence_only() {
    let offered = story(Some(1), "prepare offer");
    let confirming = after(&offered, started("confirm"));
    let by = |basis: Value| succeeded("confirm", json!({ "output": "confirmed", "basis": basis }));
    let evidence = by(json!({ "basis": "evidence" }));
    let waived = by(json!({ "basis": "waived", "by": "Ann", "reason": "so" }));
    assert!(try_after(&confirming, evidence).is_err());
    assert!(try_after(&confirming, waived.clone()).is_err());
    let waiver = json!({
        "fact": "waived", "destination": THERE, "gate": "acknowledgement", "by": "Ann", "reason": "so",
    });
    after(&after(&confirming, waiver), waived);

    let probing = after(&offered, started("probe"));
    for verdict in ["rejected", "unreachable", "inconclusive"] {
        let probed = after(&probing, succeeded("probe", report(verdict)));
        assert_eq!(
            probed.legs[&THERE.parse().unwrap()].proven,
            None,
            "{verdict}"
        );
    }
    let spared = json!({ "output": "probe-spared", "basis": { "basis": "evidence" } });
    assert!(try_after(&probing, succeeded("probe", spared)).is_err());
}

#[test]
fn another_certificate_is_neither_acknowledged_nor_seen_in_use() {
    let other = &FINGERPRINT.replace('7', "8");
    assert!(try_after(&story(Some(1), "prepare offer"), acknowledged(other)).is_err());
    let proven = story(Some(1), "prepare offer ack confirm probe");
    let publishing = after(&proven, started("publish"));
    assert!(try_after(&publishing, succeeded("publish", published(other))).is_err());
}

#[test]
fn one_step_at_a_time_is_in_doubt_and_it_may_be_begun_again() {
    let rotation = after(&story(Some(1), "prepare"), started("offer"));
    assert!(try_after(&rotation, started("probe")).is_err());
    assert!(try_after(&rotation, succeeded("probe", report("accepted"))).is_err());
    let again = after(&rotation, started("offer"));
    after(&again, succeeded("offer", sent()));
}

#[test]
fn a_step_ends_with_an_output_of_its_own_kind() {
    let rotation = after(&story(Some(1), "prepare"), started("offer"));
    for output in [
        json!({ "output": "done" }),
        best("prepare"),
        report("accepted"),
    ] {
        assert!(try_after(&rotation, succeeded("offer", output)).is_err());
    }
}

#[test]
fn after_the_end_nothing_happens() {
    let ended = story(Some(1), "abandon discard");
    let facts = [
        planned(Some(1)),
        started("discard"),
        acknowledged(FINGERPRINT),
        decided("retry"),
        decided("abandon"),
    ];
    for fact in facts {
        assert!(try_after(&ended, fact.clone()).is_err(), "{fact}");
    }
}

#[test]
fn there_is_no_way_back_once_the_old_generation_is_retired() {
    let proven = "prepare offer ack confirm probe";
    let refused =
        |steps: &str, decision| try_after(&story(Some(1), steps), decided(decision)).is_err();
    assert!(!refused(proven, "abandon"));
    let active = format!("{proven} publish activate");
    assert!(refused(&active, "abandon"), "a connector presents it");
    assert!(!refused(&active, "roll-back"));
    let retired = format!("{active} notify prove-refusal");
    assert!(refused(&retired, "roll-back") && refused(&retired, "abandon"));
}

#[test]
fn a_connector_that_joins_late_makes_its_destination_inactive_again() {
    let active = story(Some(1), "prepare offer ack confirm probe publish activate");
    let joined = after(
        &active,
        json!({ "fact": "scope-changed", "scope": {
            "destinations": [THERE], "connectors": { "one": THERE, "two": THERE },
        }}),
    );
    assert_eq!(joined.phase(), Phase::Proven);
    assert!(try_after(&joined, started("notify")).is_err());
    assert_eq!(joined.generation_for(&"two".parse().unwrap()), joined.from);
}

#[test]
fn a_connector_is_served_the_new_generation_from_the_intent_on_and_the_old_one_on_the_way_back() {
    let one = "one".parse().unwrap();
    let proven = story(Some(1), "prepare offer ack confirm probe");
    assert_eq!(proven.generation_for(&one), proven.from);
    let begun = after(&proven, started("publish"));
    assert_eq!(begun.generation_for(&one), Some(begun.to()));
    // A switch that failed may have been half done: it stays begun.
    let failing = after(&begun, failed("publish"));
    assert_eq!(failing.generation_for(&one), Some(begun.to()));
    let back = after(&after(&failing, decided("roll-back")), started("roll-back"));
    assert_eq!(back.generation_for(&one), back.from);
}

#[test]
fn an_imported_certificate_answers_a_request_and_nothing_else() {
    let imported = json!({
        "fact": "imported", "fingerprint": FINGERPRINT, "not_after": "2027-11-23T12:00:00Z",
    });
    assert!(try_after(&story(Some(1), ""), imported.clone()).is_err());
    let preparing = after(&story(Some(1), ""), started("prepare"));
    let requested = after(
        &preparing,
        succeeded("prepare", json!({ "output": "requested" })),
    );
    assert_eq!(requested.phase(), Phase::Requested);
    assert_eq!(may_start(&requested), "", "above all no second key");
    let prepared = after(&requested, imported.clone());
    assert_eq!(prepared.phase(), Phase::Prepared);
    assert!(try_after(&prepared, imported).is_err());
}

#[test]
fn an_offer_that_was_under_way_when_it_was_given_up_is_withdrawn() {
    let under_way = after(&story(Some(1), "prepare"), started("offer"));
    let ended = after(&under_way, decided("abandon"));
    assert_eq!(ended.in_doubt, None);
    assert_eq!(may_start(&ended), "roll-back withdraw");
}

#[test]
fn a_history_without_a_beginning_is_refused() {
    assert!(Rotation::begin(&event(started("prepare"))).is_err());
    assert!(Rotation::replay(&[]).unwrap().is_none());
}
