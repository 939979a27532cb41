//! Whether GET, POST, PUT and DELETE reach Jira, without side effects in it: unauthenticated, on an issue that
//! cannot exist, and POST on a part of that issue so that nothing can be made.

use std::{net::SocketAddr, sync::LazyLock};

use hyper::Method;

use super::{
    classify::{Answer, classify},
    conclude::conclude,
    http::Call,
    observation::{Conversation, Ending, Presented},
};
use crate::model::VerbEvidence;

/// Issues are numbered from 1 (and a project key has no hyphen), so there is none of this name.
const ISSUE: &str = "/rest/api/2/issue/COUNTERSIGN-PROBE-0";

/// The four calls.
pub(super) fn calls(base: &str) -> [Call; 4] {
    let call = |method, rest: &str, json| Call {
        method,
        path: format!("{base}{ISSUE}{rest}"),
        json,
    };
    [
        call(Method::GET, "", None),
        call(Method::POST, "/comment", Some("{}")),
        call(Method::PUT, "", Some("{}")),
        call(Method::DELETE, "", None),
    ]
}

/// More than any gateway holds back while it asks for a certificate late (Apache: 128 KiB, IIS: 48 KiB), and less
/// than any attachment limit.
const LARGE: usize = 200 * 1000;

/// JSON of no meaning, padded.
static PADDED: LazyLock<String> =
    LazyLock::new(|| format!("{{\"padding\":\"{}\"}}", "x".repeat(LARGE)));

/// A POST on a part of the impossible issue that is as large as a connector's may be.
pub(super) fn large(base: &str) -> Call {
    Call {
        method: Method::POST,
        path: format!("{base}{ISSUE}/comment"),
        json: Some(PADDED.as_str()),
    }
}

/// What a method met at one address. `stripped` says that this gateway was seen to strip Jira's headers.
pub(super) fn judge(call: &Call, seen: &Conversation, stripped: bool) -> VerbEvidence {
    let method = call.method.as_str().to_owned();
    let Ending::Answered(reply) = &seen.ending else {
        return VerbEvidence {
            method,
            status: None,
            passed: None,
            explanation: conclude(seen, Presented::Ours).explanation,
        };
    };
    let status = reply.status;
    let (passed, explanation) = match classify(reply) {
        Answer::Jira { .. } => (Some(true), format!("Jira answered {status}")),
        _ if stripped => (
            None,
            format!(
                "{status}; it cannot be told whose answer this is, for the gateway strips Jira's headers"
            ),
        ),
        Answer::NothingBehind => (
            None,
            format!("the gateway answered {status}: it does not reach Jira"),
        ),
        Answer::Forbidden
        | Answer::NotRouted { .. }
        | Answer::CertificateRefused { .. }
        | Answer::SecondAuthentication { .. }
        | Answer::Redirected { .. } => (
            Some(false),
            format!(
                "the gateway, not Jira, answered {status}: it does not let this method through"
            ),
        ),
        Answer::LoginPage | Answer::Unknown => (
            None,
            format!("an answer with {status} that is not known to be Jira's"),
        ),
    };
    VerbEvidence {
        method,
        status: Some(status),
        passed,
        explanation,
    }
}

/// The worst that a method met at any address.
pub(super) fn worst(
    found: impl Iterator<Item = (SocketAddr, VerbEvidence)>,
) -> Option<VerbEvidence> {
    found
        .max_by_key(|(_, evidence)| match evidence.passed {
            Some(false) => 2,
            None => 1,
            Some(true) => 0,
        })
        .map(|(address, evidence)| VerbEvidence {
            explanation: format!("{address}: {}", evidence.explanation),
            ..evidence
        })
}

#[cfg(test)]
mod tests {
    use super::{
        super::observation::{CertificateAnswer, CertificateRequest, Reply},
        *,
    };

    fn seen(status: u16, header: Option<&str>) -> Conversation {
        Conversation {
            request: Some(CertificateRequest {
                hints: 0,
                answer: CertificateAnswer::Sent,
            }),
            handshake_done: true,
            ..Conversation::ended(Ending::Answered(Reply {
                status,
                headers: header
                    .map(|name| (name.to_owned(), "x".to_owned()))
                    .into_iter()
                    .collect(),
                body: String::new(),
            }))
        }
    }

    #[test]
    fn a_method_passes_when_jira_answers_whatever_the_status() {
        let [get, ..] = calls("");
        let passed = |seen, stripped| judge(&get, &seen, stripped).passed;
        for status in [200, 401, 403, 404, 405, 415, 501] {
            assert_eq!(
                passed(seen(status, Some("x-arequestid")), false),
                Some(true)
            );
        }
        for status in [403, 404, 405, 501] {
            assert_eq!(passed(seen(status, None), false), Some(false), "{status}");
            assert_eq!(passed(seen(status, None), true), None, "{status}");
        }
        assert_eq!(passed(seen(502, None), false), None);
        assert_eq!(passed(Conversation::ended(Ending::Refused), false), None);
    }

    #[test]
    fn no_call_could_make_or_change_anything() {
        for call in calls("/jira") {
            assert!(
                call.path
                    .starts_with("/jira/rest/api/2/issue/COUNTERSIGN-PROBE-0"),
                "{call:?}"
            );
            assert!(call.json.is_none_or(|json| json == "{}"));
        }
    }
}
