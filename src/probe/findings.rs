//! The report as a person reads it: tier by tier, what was seen, how sure that is, who mends it. Pure.
//!
//! Of several addresses the worst speaks; the others stand in the report's own list.

use jiff::Timestamp;

use super::{
    classify::{Answer, classify},
    conclude::{Conclusion, conclude},
    observation::{CertificateAnswer, Conversation, Ending, Presented},
    remedy::Matter,
    report::{Visit, stripped},
    request::{ProbeRequest, TlsParity},
    sureness::sureness,
};
use crate::model::{
    Check, ControlEvidence, Finding, Outcome, Role, Sureness, VerbEvidence, Verdict, one_line,
};

/// From here on somebody ought to look at the server's own renewal.
const SOON_DAYS: i64 = 30;

/// Who breaks TLS open on the way, as they name themselves in the certificates that they make up.
const INSPECTORS: &[&str] = &[
    "Zscaler",
    "Palo Alto",
    "Blue Coat",
    "Symantec Web",
    "Netskope",
    "Forcepoint",
    "FortiGate",
    "Fortinet",
    "Cisco Umbrella",
    "Check Point",
    "McAfee Web Gateway",
    "Skyhigh",
    "Sophos",
    "WatchGuard",
    "Barracuda",
    "iboss",
    "mitmproxy",
];

/// Where nobody was met.
pub(super) fn nobody(request: &ProbeRequest<'_>, conclusion: &Conclusion) -> Vec<Finding> {
    let check = if conclusion.matter == Some(Matter::Request) {
        Check::Request
    } else {
        Check::Name
    };
    vec![concluded(
        check,
        request,
        conclusion,
        Sureness::Certain,
        None,
    )]
}

/// What was found, in the order of the tiers, as far as it came.
pub(super) fn findings(
    request: &ProbeRequest<'_>,
    worst: &Visit,
    visits: &[Visit],
    controls: &[ControlEvidence],
    verbs: &[VerbEvidence],
) -> Vec<Finding> {
    let seen = &worst.seen;
    let mut found = vec![name(request, visits)];
    let (mut sureness, mut doubt) = sureness(&worst.seen);
    if let Some(other) = &worst.other {
        if other.let_in() {
            (sureness, doubt) = (Sureness::Certain, None);
        } else if other.doubt().is_some() {
            doubt = other.doubt();
        }
    }
    let stopped = |check| concluded(check, request, &worst.conclusion, sureness, doubt);
    if matches!(
        seen.ending,
        Ending::Refused
            | Ending::ConnectTimedOut(_)
            | Ending::NoRoute(_)
            | Ending::ConnectFailed(_)
    ) {
        found.push(stopped(Check::Connection));
        return found;
    }
    found.push(connection(visits));
    if seen.server_chain.is_empty() && seen.tls_version.is_none() {
        found.push(stopped(Check::Tls));
        return found;
    }
    found.push(tls(request, seen));
    if matches!(seen.ending, Ending::Chain(_)) {
        found.push(inspected(seen).unwrap_or_else(|| stopped(Check::ServerChain)));
        return found;
    }
    found.push(server_chain(seen, request.at));
    found.push(asked(seen));
    found.push(stopped(Check::Certificate));
    found.extend(answer(seen));
    found.extend(strangers(request, controls));
    found.extend(methods(request, verbs));
    found.extend(
        worst
            .large
            .as_ref()
            .map(|large| large_body(request, large, stripped(seen))),
    );
    // Only one address was asked, whichever is worst.
    found.extend(visits.iter().find_map(|v| v.account.clone()));
    found
}

fn concluded(
    check: Check,
    request: &ProbeRequest<'_>,
    conclusion: &Conclusion,
    sureness: Sureness,
    doubt: Option<&str>,
) -> Finding {
    Finding {
        check,
        outcome: match conclusion.verdict {
            Verdict::Accepted => Outcome::Good,
            Verdict::Rejected | Verdict::Unreachable => Outcome::Bad,
            Verdict::Inconclusive if conclusion.matter == Some(Matter::Log) => Outcome::Unknown,
            Verdict::Inconclusive => Outcome::Bad,
        },
        seen: conclusion.explanation.clone(),
        sureness,
        doubt: doubt.map(str::to_owned),
        owner: conclusion.matter.map(Matter::owner),
        remedy: conclusion.matter.map(|m| m.remedy(request.gateway)),
    }
}

fn name(request: &ProbeRequest<'_>, visits: &[Visit]) -> Finding {
    let addresses: Vec<String> = visits.iter().map(|v| v.address.ip().to_string()).collect();
    let from = if request.resolve.is_empty() {
        "DNS says"
    } else {
        "DNS was not asked; told"
    };
    Finding::good(Check::Name, format!("{from} {}", addresses.join(", ")))
}

fn connection(visits: &[Visit]) -> Finding {
    let ports: Vec<String> = visits
        .iter()
        .map(|v| v.address.port().to_string())
        .collect();
    let port = ports.first().map_or("", String::as_str);
    Finding::good(
        Check::Connection,
        match visits.len() {
            1 => format!("port {port} is open"),
            n => format!("port {port} answers; {n} addresses, each probed alone"),
        },
    )
}

fn tls(request: &ProbeRequest<'_>, seen: &Conversation) -> Finding {
    let offered = match request.tls {
        TlsParity::Tls12Only => {
            "offered: TLS 1.2 with four of the Jira connector's six suites (our stack has no DHE)"
        }
        TlsParity::Tls12And13 => "offered: TLS 1.2 and 1.3",
    };
    let agreed = match (&seen.tls_version, &seen.cipher_suite) {
        (Some(version), Some(suite)) => format!("{version}, {suite}"),
        _ => "agreed; the handshake broke off later".to_owned(),
    };
    Finding::good(Check::Tls, format!("{agreed}; {offered}"))
}

/// A chain that leads to none of our anchors because somebody on the way made it up.
fn inspected(seen: &Conversation) -> Option<Finding> {
    let text = seen
        .server_chain
        .iter()
        .map(|c| c.issuer.as_str())
        .collect::<Vec<_>>()
        .join("; ");
    let lower = text.to_ascii_lowercase();
    let who = INSPECTORS
        .iter()
        .find(|name| lower.contains(&name.to_ascii_lowercase()))?;
    Some(
        Finding::good(
            Check::ServerChain,
            format!("a TLS-inspecting proxy ({who}) answers in place of the gateway: issued by {text}"),
        )
        .outcome(Outcome::Bad)
        .doubted(Sureness::Likely, "known by the name of the issuer")
        .mend(
            Role::Ops,
            "have this endpoint exempted from TLS inspection on our way out: mutual TLS cannot pass such a proxy",
        ),
    )
}

fn server_chain(seen: &Conversation, at: Timestamp) -> Finding {
    let days = |until: Timestamp| until.duration_since(at).as_hours().div_euclid(24);
    let each: Vec<String> = seen
        .server_chain
        .iter()
        .map(|c| {
            let name = common_name(&c.summary.subject);
            format!("{name} {} days", days(c.summary.validity.not_after()))
        })
        .collect();
    let issuer = seen.server_chain.last().map_or("", |c| c.issuer.as_str());
    let good = Finding::good(
        Check::ServerChain,
        format!(
            "good for our anchors: {}; issued by {}",
            each.join(", "),
            common_name(issuer)
        ),
    );
    let least = seen
        .server_chain
        .iter()
        .map(|c| days(c.summary.validity.not_after()))
        .min();
    match least {
        Some(least) if least < SOON_DAYS => good.outcome(Outcome::Mind).mend(
            Role::JiraSec,
            format!("renew the server's own certificates: the first ends in {least} days"),
        ),
        _ => good,
    }
}

/// The common name where there is one: the whole of a name does not fit a line.
fn common_name(name: &str) -> &str {
    name.split(',')
        .find_map(|part| part.trim().strip_prefix("CN="))
        .unwrap_or(name)
}

fn asked(seen: &Conversation) -> Finding {
    let Some(request) = seen.request else {
        return Finding::good(
            Check::Request,
            "no certificate was asked for in the handshake",
        )
        .outcome(Outcome::Bad);
    };
    let hints = match (request.hints, seen.names_ours) {
        (0, _) => "it names no authorities".to_owned(),
        (n, Some(true)) => format!("{n} authorities named, ours among them"),
        (n, Some(false)) => format!("{n} authorities named, ours NOT among them"),
        (n, None) => format!("{n} authorities named"),
    };
    let found = Finding::good(
        Check::Request,
        format!("a certificate was asked for; {hints}"),
    );
    if request.answer == CertificateAnswer::NoFittingScheme {
        return found.outcome(Outcome::Bad);
    }
    if request.hints > 0 && seen.names_ours == Some(false) {
        return found.outcome(Outcome::Mind).doubted(
            Sureness::Likely,
            "the list is advisory; some gateways trust more than they name",
        );
    }
    found
}

fn answer(seen: &Conversation) -> Option<Finding> {
    let Ending::Answered(reply) = &seen.ending else {
        return None;
    };
    let ids = [
        "x-arequestid",
        "x-anodeid",
        "x-request-id",
        "cf-ray",
        "x-amzn-requestid",
        "x-azure-ref",
        "server",
    ];
    let ids: Vec<String> = ids
        .iter()
        .filter_map(|name| {
            reply
                .header(name)
                .map(|value| format!("{name} {}", one_line(value)))
        })
        .collect();
    let by = if ids.is_empty() {
        String::new()
    } else {
        format!(": {}", ids.join(", "))
    };
    let status = reply.status;
    Some(match classify(reply) {
        Answer::Jira {
            stripped: false, ..
        } => Finding::good(Check::Answer, format!("Jira, {status}{by}")),
        Answer::Jira { stripped: true, .. } => Finding::good(
            Check::Answer,
            format!("Jira by the shape of it, {status}{by}"),
        )
        .outcome(Outcome::Mind)
        .doubted(Sureness::Likely, "the gateway strips Jira's headers")
        .mend(
            Role::JiraSec,
            "let X-AREQUESTID and X-ANODEID through, by which a request is found in Jira's log",
        ),
        _ => Finding::good(Check::Answer, format!("not Jira, {status}{by}")).outcome(Outcome::Bad),
    })
}

fn strangers(request: &ProbeRequest<'_>, controls: &[ControlEvidence]) -> Option<Finding> {
    if controls.is_empty() {
        return None;
    }
    let each: Vec<String> = controls
        .iter()
        .map(|c| format!("{}: {}", c.control, c.verdict))
        .collect();
    let found = Finding::good(Check::Strangers, each.join("; "));
    if controls.iter().any(|c| c.verdict == Verdict::Accepted) {
        let matter = Matter::Strangers;
        return Some(
            found
                .outcome(Outcome::Bad)
                .mend(matter.owner(), matter.remedy(request.gateway)),
        );
    }
    Some(if controls.iter().all(|c| c.verdict == Verdict::Rejected) {
        found
    } else {
        found.outcome(Outcome::Unknown)
    })
}

fn methods(request: &ProbeRequest<'_>, verbs: &[VerbEvidence]) -> Option<Finding> {
    if verbs.is_empty() {
        return None;
    }
    let each: Vec<String> = verbs
        .iter()
        .map(|v| {
            let word = match v.passed {
                Some(true) => "passes",
                Some(false) => "BLOCKED",
                None => "not known",
            };
            format!("{} {word}", v.method)
        })
        .collect();
    let found = Finding::good(Check::Methods, each.join(", "));
    Some(if verbs.iter().any(|v| v.passed == Some(false)) {
        let matter = Matter::Methods;
        found
            .outcome(Outcome::Bad)
            .mend(matter.owner(), matter.remedy(request.gateway))
    } else if verbs.iter().any(|v| v.passed.is_none()) {
        found.outcome(Outcome::Unknown)
    } else {
        found
    })
}

fn large_body(request: &ProbeRequest<'_>, seen: &Conversation, stripped: bool) -> Finding {
    let early = Matter::AskEarly;
    let late = |seen: String, doubt: &str| {
        Finding::good(Check::LargeBody, seen)
            .outcome(Outcome::Bad)
            .doubted(Sureness::Likely, doubt)
            .mend(
                early.owner(),
                format!(
                    "raise the limit on bodies to that of Jira's attachments; {}",
                    early.remedy(request.gateway)
                ),
            )
    };
    match &seen.ending {
        Ending::Answered(reply) if matches!(classify(reply), Answer::Jira { .. }) => Finding::good(
            Check::LargeBody,
            format!("a POST of 200 kB passes ({})", reply.status),
        ),
        Ending::Answered(reply) if reply.status == 413 => late(
            "a POST of 200 kB is refused (413)".to_owned(),
            "a limit on bodies, or a certificate that is asked for late",
        ),
        Ending::Answered(reply) if stripped => Finding::good(
            Check::LargeBody,
            format!("{}; it cannot be told whose answer this is", reply.status),
        )
        .outcome(Outcome::Unknown),
        Ending::Answered(reply) => Finding::good(
            Check::LargeBody,
            format!(
                "the gateway, not Jira, answered {} to a POST of 200 kB",
                reply.status
            ),
        )
        .outcome(Outcome::Bad)
        .mend(
            Role::JiraSec,
            "let large bodies on /rest/** through to Jira",
        ),
        Ending::Cut { .. } | Ending::Broken(_) | Ending::TimedOut { .. } => late(
            format!(
                "a POST of 200 kB does not come through: {}",
                conclude(seen, Presented::Ours).explanation
            ),
            "a small request passes; gateways that ask late fail in this way, and so do limits on bodies",
        ),
        _ => Finding::good(
            Check::LargeBody,
            conclude(seen, Presented::Ours).explanation,
        )
        .outcome(Outcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_known_by_its_common_name() {
        assert_eq!(common_name("CN=jira.example,O=Acme"), "jira.example");
        assert_eq!(common_name("O=Acme"), "O=Acme");
    }
}
