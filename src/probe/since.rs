//! What a probe adds to its findings when it is known what the server was before. Pure.

use crate::model::{Changed, Check, Outcome, ProbeReport, Role, ServerChange};

const ASK: &str = "say whether this change was meant: it may be a renewal, a move to another authority, or somebody in between";

/// Says in the finding about the server's chain that the server is another than it was.
pub fn note_server_change(report: &mut ProbeReport, change: &ServerChange) {
    let finding = report
        .findings
        .iter_mut()
        .find(|finding| finding.check == Check::ServerChain);
    let Some(finding) = finding else {
        return;
    };
    let last_seen = change.last_seen;
    let what = match &change.what {
        Changed::Issuer { before, now } => format!(
            "the server's issuer changed: `{before}` when it was last seen ({last_seen:.0}), `{now}` now"
        ),
        Changed::Key { issuer } => format!(
            "the server has another key than when it was last seen ({last_seen:.0}), still certified by `{issuer}`"
        ),
    };
    finding.seen = format!("{}; {what}", finding.seen);
    match finding.outcome {
        // What is to be done is said already, and is more pressing.
        Outcome::Bad | Outcome::Unknown => {}
        Outcome::Good | Outcome::Mind => {
            finding.outcome = Outcome::Mind;
            finding.owner = Some(Role::JiraSec);
            finding.remedy = Some(match finding.remedy.take() {
                Some(remedy) => format!("{remedy}; and {ASK}"),
                None => ASK.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Finding, Tier, Verdict};

    fn report(finding: Finding) -> ProbeReport {
        ProbeReport {
            probe_id: "p".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            url: "https://jira.example".to_owned(),
            presented: None,
            verdict: Verdict::Accepted,
            tier: Tier::Jira,
            summary: String::new(),
            owner: None,
            remedy: None,
            addresses: Vec::new(),
            controls: Vec::new(),
            verbs: Vec::new(),
            findings: vec![finding],
        }
    }

    #[test]
    fn a_change_is_to_be_minded_and_hides_nothing_that_is_worse() {
        let change = ServerChange {
            last_seen: Timestamp::UNIX_EPOCH,
            what: Changed::Issuer {
                before: "CN=old".to_owned(),
                now: "CN=new".to_owned(),
            },
        };
        let noted = |finding| {
            let mut report = report(finding);
            note_server_change(&mut report, &change);
            report.findings.remove(0)
        };
        let good = Finding::good(Check::ServerChain, "good");
        let found = noted(good.clone());
        assert_eq!(found.outcome, Outcome::Mind);
        assert_eq!(found.owner, Some(Role::JiraSec));
        assert_eq!(
            found.seen,
            "good; the server's issuer changed: `CN=old` when it was last seen (1970-01-01T00:00:00Z), `CN=new` now"
        );
        let soon = noted(
            good.clone()
                .outcome(Outcome::Mind)
                .mend(Role::JiraSec, "renew"),
        );
        assert!(soon.remedy.unwrap().starts_with("renew; and say whether"));
        let bad = noted(good.outcome(Outcome::Bad).mend(Role::Ops, "compare"));
        assert_eq!(
            (bad.outcome, bad.owner, bad.remedy.as_deref()),
            (Outcome::Bad, Some(Role::Ops), Some("compare"))
        );
        assert!(bad.seen.contains("CN=old"));
    }
}
