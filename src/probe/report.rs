//! From the visits to the addresses to one report. Pure.

use std::net::SocketAddr;

use super::{
    alert,
    classify::{Answer, classify, is_kept},
    conclude::Conclusion,
    controls, findings,
    observation::{Conversation, Ending},
    other_chain::Tried,
    remedy::Matter,
    request::ProbeRequest,
    verbs,
};
use crate::model::{
    AddressEvidence, Control, ControlEvidence, Finding, ProbeReport, Tier, VerbEvidence, Verdict,
    one_line,
};

/// Everything that was tried at one address.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) address: SocketAddr,
    pub(super) seen: Conversation,
    pub(super) conclusion: Conclusion,
    pub(super) controls: Vec<ControlEvidence>,
    pub(super) verbs: Vec<VerbEvidence>,
    /// What became of another chain above the same leaf, when it was tried.
    pub(super) other: Option<Tried>,
    /// What became of a large request, when it was tried.
    pub(super) large: Option<Conversation>,
    /// What became of the account, when it was tried.
    pub(super) account: Option<Finding>,
}

/// A report of a probe that met nobody.
pub(super) fn nobody(request: &ProbeRequest<'_>, conclusion: &Conclusion) -> ProbeReport {
    ProbeReport {
        probe_id: request.probe_id.clone(),
        at: request.at,
        url: shown_url(&request.url),
        presented: request.presented.as_ref().map(|p| p.fingerprint),
        verdict: conclusion.verdict,
        tier: conclusion.tier,
        summary: conclusion.explanation.clone(),
        owner: conclusion.matter.map(Matter::owner),
        remedy: conclusion.matter.map(|m| m.remedy(request.gateway)),
        addresses: Vec::new(),
        controls: Vec::new(),
        verbs: Vec::new(),
        findings: findings::nobody(request, conclusion),
    }
}

/// A report of the visits. `left_out` are addresses beyond the limit.
pub(super) fn report(
    request: &ProbeRequest<'_>,
    visits: Vec<Visit>,
    left_out: usize,
) -> ProbeReport {
    let (visits, unrouted) = without_unrouted(visits);
    // Of equally bad ones the first, in the resolver's order.
    let Some(worst) = visits
        .iter()
        .rev()
        .max_by_key(|v| badness(v.conclusion.verdict))
    else {
        let conclusion = Conclusion {
            verdict: Verdict::Inconclusive,
            tier: Tier::Dns,
            explanation: "no address was visited".to_owned(),
            matter: None,
        };
        return nobody(request, &conclusion);
    };
    let controls: Vec<_> = [Control::NoCertificate, Control::Stranger]
        .into_iter()
        .filter_map(|control| {
            controls::worst(visits.iter().flat_map(|v| {
                let of = v.controls.iter().filter(|c| c.control == control);
                of.map(|c| (v.address, c.clone()))
            }))
        })
        .collect();
    let verbs: Vec<_> = ["GET", "POST", "PUT", "DELETE"]
        .into_iter()
        .filter_map(|method| {
            verbs::worst(visits.iter().flat_map(|v| {
                let of = v.verbs.iter().filter(|e| e.method == method);
                of.map(|e| (v.address, e.clone()))
            }))
        })
        .collect();
    let mut clauses = vec![about(worst, &visits)];
    let mut matter = worst.conclusion.matter;
    if let Some(open) = controls.iter().find(|c| c.verdict == Verdict::Accepted) {
        clauses.push(format!("{} gets in too", open.control));
        matter = matter.or(Some(Matter::Strangers));
    }
    let blocked: Vec<&str> = verbs
        .iter()
        .filter(|v| v.passed == Some(false))
        .map(|v| v.method.as_str())
        .collect();
    if !blocked.is_empty() {
        clauses.push(format!("the gateway blocks {}", blocked.join(", ")));
        matter = matter.or(Some(Matter::Methods));
    }
    if !unrouted.is_empty() {
        clauses.push(format!(
            "not probed, for there is no route from here: {}",
            unrouted.join(", ")
        ));
    }
    if left_out > 0 {
        clauses.push(format!("{left_out} more addresses were left out"));
    }
    let findings = findings::findings(request, worst, &visits, &controls, &verbs);
    ProbeReport {
        findings,
        verdict: worst.conclusion.verdict,
        tier: worst.conclusion.tier,
        summary: clauses.join("; "),
        owner: matter.map(Matter::owner),
        remedy: matter.map(|m| m.remedy(request.gateway)),
        addresses: visits.iter().map(evidence).collect(),
        controls,
        verbs,
        ..nobody(request, &worst.conclusion)
    }
}

/// Rejected on one address must not read accepted, and proof from one is no proof of the others.
fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Rejected => 3,
        Verdict::Inconclusive => 2,
        Verdict::Unreachable => 1,
        Verdict::Accepted => 0,
    }
}

/// A host without IPv6 meets names that have it. Addresses to which there is no route say nothing about the
/// gateway as long as there are others; they are named in the summary.
fn without_unrouted(visits: Vec<Visit>) -> (Vec<Visit>, Vec<String>) {
    let unrouted = |v: &Visit| matches!(v.seen.ending, Ending::NoRoute(_));
    if visits.iter().all(unrouted) {
        return (visits, Vec::new());
    }
    let (without, with): (Vec<_>, Vec<_>) = visits.into_iter().partition(unrouted);
    let names = without.iter().map(|v| v.address.to_string()).collect();
    (with, names)
}

fn about(worst: &Visit, visits: &[Visit]) -> String {
    let explanation = &worst.conclusion.explanation;
    if visits.len() == 1 {
        return explanation.clone();
    }
    let alike = visits
        .iter()
        .filter(|v| v.conclusion.verdict == worst.conclusion.verdict)
        .count();
    if alike == visits.len() {
        format!("at all {alike} addresses: {explanation}")
    } else {
        format!(
            "at {} ({alike} of {} addresses are {}): {explanation}",
            worst.address,
            visits.len(),
            worst.conclusion.verdict
        )
    }
}

fn evidence(visit: &Visit) -> AddressEvidence {
    let seen = &visit.seen;
    let reply = match &seen.ending {
        Ending::Answered(reply) => Some(reply),
        _ => None,
    };
    let asked = seen.request.is_some();
    AddressEvidence {
        address: visit.address,
        verdict: visit.conclusion.verdict,
        tier: visit.conclusion.tier,
        tls_version: seen.tls_version.clone(),
        cipher_suite: seen.cipher_suite.clone(),
        server_chain: seen
            .server_chain
            .iter()
            .map(|c| c.summary.clone())
            .collect(),
        certificate_requested: (asked || seen.handshake_done).then_some(asked),
        authority_hints: seen.request.map_or(0, |r| r.hints),
        authority_hints_name_ours: seen.names_ours,
        alert: match seen.ending {
            Ending::Alert { code, .. } => Some(alert::name(code)),
            _ => None,
        },
        http_status: reply.map(|r| r.status),
        headers: reply
            .into_iter()
            .flat_map(|r| &r.headers)
            .filter(|(name, _)| is_kept(name))
            .map(|(name, value)| (name.clone(), bounded(name, value)))
            .collect(),
        explanation: visit.conclusion.explanation.clone(),
        other_chain: visit.other.as_ref().map(Tried::evidence),
    }
}

fn bounded(name: &str, value: &str) -> String {
    match name {
        // A redirect's query may bear tokens.
        "location" => one_line(value.split(['?', '#']).next().unwrap_or_default()),
        _ => one_line(value),
    }
}

/// Whether Jira answered, but only its body said so.
pub(super) fn stripped(seen: &Conversation) -> bool {
    match &seen.ending {
        Ending::Answered(reply) => {
            matches!(classify(reply), Answer::Jira { stripped: true, .. })
        }
        _ => false,
    }
}

/// What stands before an `@` may be a password.
fn shown_url(url: &str) -> String {
    one_line(url.rsplit_once('@').map_or(url, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            conclude::conclude,
            observation::{CertificateAnswer, CertificateRequest, Presented, Reply},
            request::TlsParity,
        },
        *,
    };
    use crate::model::GatewayProduct;

    fn request() -> ProbeRequest<'static> {
        ProbeRequest {
            probe_id: "p".to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            url: "https://jira.example".to_owned(),
            anchors: &[],
            resolve: &[],
            tls: TlsParity::Tls12Only,
            presented: None,
            controls: true,
            verbs: true,
            gateway: GatewayProduct::Haproxy,
        }
    }

    fn visit(address: &str, ending: Ending) -> Visit {
        let seen = Conversation {
            request: Some(CertificateRequest {
                hints: 0,
                answer: CertificateAnswer::Sent,
            }),
            handshake_done: true,
            ..Conversation::ended(ending)
        };
        Visit {
            address: address.parse().unwrap(),
            conclusion: conclude(&seen, Presented::Ours),
            seen,
            controls: Vec::new(),
            verbs: Vec::new(),
            other: None,
            large: None,
            account: None,
        }
    }

    fn jira() -> Ending {
        Ending::Answered(Reply {
            status: 200,
            headers: [("x-anodeid".to_owned(), "node1".to_owned())].into(),
            body: String::new(),
        })
    }

    fn refused() -> Ending {
        Ending::Alert {
            code: 48,
            stage: super::super::observation::Stage::Answer,
        }
    }

    #[test]
    fn the_worst_address_decides_and_is_named() {
        for (other, verdict) in [
            (refused(), Verdict::Rejected),
            (Ending::Refused, Verdict::Unreachable),
            (Ending::NotHttp(String::new()), Verdict::Inconclusive),
        ] {
            let visits = vec![visit("10.0.0.1:443", jira()), visit("10.0.0.2:443", other)];
            let report = report(&request(), visits, 0);
            assert_eq!(report.verdict, verdict);
            assert!(
                report.summary.contains("10.0.0.2:443"),
                "{}",
                report.summary
            );
            assert!(report.remedy.is_some() && report.owner.is_some());
        }
    }

    #[test]
    fn an_address_without_a_route_counts_only_when_there_is_no_other() {
        let v6 = || visit("[2001:db8::1]:443", Ending::NoRoute("no route".to_owned()));
        let both = report(&request(), vec![v6(), visit("10.0.0.1:443", jira())], 0);
        assert_eq!(both.verdict, Verdict::Accepted);
        assert_eq!(both.addresses.len(), 1);
        assert!(both.summary.contains("2001:db8::1"), "{}", both.summary);
        let alone = report(&request(), vec![v6()], 0);
        assert_eq!(alone.verdict, Verdict::Unreachable);
        assert_eq!(alone.addresses.len(), 1);
    }

    #[test]
    fn a_stranger_that_gets_in_at_one_address_is_not_hidden_by_the_others() {
        let with = |address: &str, verdict| {
            let mut visit = visit(address, jira());
            visit.controls.push(ControlEvidence {
                control: Control::Stranger,
                verdict,
                explanation: "seen".to_owned(),
            });
            visit
        };
        let visits = vec![
            with("10.0.0.1:443", Verdict::Accepted),
            with("10.0.0.2:443", Verdict::Rejected),
        ];
        let report = report(&request(), visits, 0);
        assert_eq!(report.controls.len(), 1);
        assert_eq!(report.controls[0].verdict, Verdict::Accepted);
        assert!(report.controls[0].explanation.starts_with("10.0.0.1:443"));
        assert!(!report.proves_acceptance());
        assert!(report.remedy.unwrap().contains("verify required"));
    }
}
