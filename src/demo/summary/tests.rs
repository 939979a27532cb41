use super::*;
use crate::model::Lapse;

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint::from_digest([byte; 32])
}

fn recorded(byte: u8, key_state: KeyState) -> Recorded {
    Recorded {
        generation: GenerationNumber::FIRST,
        fingerprint: fingerprint(byte),
        key_state,
        destroyed_at: (key_state == KeyState::Destroyed).then_some(Timestamp::UNIX_EPOCH),
    }
}

fn generations() -> [Recorded; 2] {
    [
        recorded(1, KeyState::Destroyed),
        recorded(2, KeyState::Active),
    ]
}

/// A request of the connector or of a probe.
fn logged(second: i64, byte: u8, agent: &str, refused: Option<&'static str>) -> Logged {
    Logged {
        at: Lapse::seconds(second).after(Timestamp::UNIX_EPOCH),
        connection: u64::from(byte),
        resumed: false,
        client: Some(fingerprint(byte)),
        agent: Some(agent.to_owned()),
        method: "GET".to_owned(),
        path: "/rest/api/2/serverInfo".to_owned(),
        status: if refused.is_some() { 403 } else { 200 },
        refused,
    }
}

const NO: Option<&str> = Some("403 Forbidden");

fn log() -> Vec<Logged> {
    vec![
        // Before it was installed, the old one was refused as well: that is not what is meant.
        logged(1, 1, "probe", NO),
        logged(2, 1, AGENT, None),
        // The new one is seen first from the probe.
        logged(3, 2, "probe", None),
        logged(4, 2, AGENT, None),
        logged(5, 1, AGENT, None),
        logged(6, 1, "probe", None),
        logged(7, 1, "probe", NO),
    ]
}

fn gather(log: &[Logged], generations: [Recorded; 2]) -> Result<DemoSummary, DemoError> {
    DemoSummary::gather(log, Tally::default(), generations, 1.0)
}

#[test]
fn the_switch_is_the_connectors_and_the_refusal_the_one_after_it() {
    let summary = gather(&log(), generations()).unwrap();
    let second = |second| Lapse::seconds(second).after(Timestamp::UNIX_EPOCH);
    assert_eq!(summary.switch.at, second(4));
    assert_eq!(summary.switch.last_old, second(5));
    assert_eq!(summary.old_refused.at, second(7));
    assert_eq!((summary.old.requests, summary.new.requests), (2, 1));
}

#[test]
fn what_was_not_seen_is_not_told() {
    let all = log();
    for (missing, log, generations) in [
        ("the refusal", all[..6].to_vec(), generations()),
        ("the switch", all[..3].to_vec(), generations()),
        (
            "the destroyed key",
            all.clone(),
            [
                recorded(1, KeyState::Deactivated),
                recorded(2, KeyState::Active),
            ],
        ),
        (
            "the certificate of the store",
            all.clone(),
            [
                recorded(1, KeyState::Destroyed),
                recorded(3, KeyState::Active),
            ],
        ),
    ] {
        assert!(
            matches!(
                gather(&log, generations),
                Err(DemoError::Contradiction { .. })
            ),
            "{missing}"
        );
    }
}

#[test]
fn a_failed_call_is_told_with_its_reason() {
    let tally = Tally {
        made: 3,
        failed: 1,
        failure: Some("no connection".to_owned()),
        latencies: (1..=3).map(Duration::from_millis).collect(),
    };
    let summary = DemoSummary::gather(&log(), tally, generations(), 1.0).unwrap();
    let text = summary.text();
    assert!(
        text.contains("no connection") && text.contains("median 2.0 ms"),
        "{text}"
    );
}
