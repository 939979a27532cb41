//! What an HTTP answer means, by who gave it and what had been presented.

use super::{
    super::{
        classify::{Answer, classify},
        observation::{CertificateAnswer, Conversation, Presented, Reply},
        remedy::Matter,
    },
    Conclusion, no_fitting_scheme, of_shown, refusal_matter,
};
use crate::model::{Tier, Verdict};

/// Concludes from an answer.
pub(super) fn answered(seen: &Conversation, presented: Presented, reply: &Reply) -> Conclusion {
    let answer = classify(reply);
    let status = reply.status;
    match seen.request.map(|r| r.answer) {
        None => not_asked(&answer, status),
        Some(CertificateAnswer::NoFittingScheme) => {
            let then = if matches!(answer, Answer::Jira { .. }) {
                format!("Jira answered all the same ({status}): the gateway lets anybody in")
            } else {
                format!("the answer was {status}")
            };
            no_fitting_scheme(seen, &then)
        }
        Some(CertificateAnswer::Nothing) if matches!(answer, Answer::Jira { .. }) => {
            Conclusion::new(
                Verdict::Inconclusive,
                Tier::Jira,
                Matter::Strangers,
                format!(
                    "a certificate was asked for and none presented, and Jira answered all the same ({status}): the gateway lets anybody in"
                ),
            )
        }
        Some(_) => judged(seen, answer, presented, status),
    }
}

fn not_asked(answer: &Answer, status: u16) -> Conclusion {
    let refused = matches!(
        answer,
        Answer::CertificateRefused { .. } | Answer::Forbidden
    );
    let tier = if matches!(answer, Answer::Jira { .. }) {
        Tier::Jira
    } else {
        Tier::Gateway
    };
    if refused {
        Conclusion::new(
            Verdict::Inconclusive,
            tier,
            Matter::AskEarly,
            format!(
                "no certificate was asked for in the handshake, yet the gateway refuses ({status}): it asks late, or only some paths are guarded"
            ),
        )
    } else {
        Conclusion::new(
            Verdict::Inconclusive,
            tier,
            Matter::Ask,
            format!(
                "the gateway asks for no client certificate (the answer was {status}): mutual TLS is not in force"
            ),
        )
    }
}

/// A certificate was asked for, and answered as `presented` says.
fn judged(seen: &Conversation, answer: Answer, presented: Presented, status: u16) -> Conclusion {
    use Verdict::{Inconclusive, Rejected};
    let refusal = refusal_matter(seen, presented, None);
    match answer {
        Answer::Jira {
            stripped,
            request_id,
        } => Conclusion {
            verdict: Verdict::Accepted,
            tier: Tier::Jira,
            explanation: match (stripped, request_id) {
                (_, Some(id)) => format!(
                    "the certificate was asked for and sent, and Jira answered with {status} (request {id} in its access log)"
                ),
                (true, None) => format!(
                    "the certificate was asked for and sent, and Jira answered with {status}; the gateway strips Jira's headers"
                ),
                (false, None) => format!(
                    "the certificate was asked for and sent, and Jira answered with {status}"
                ),
            },
            matter: None,
        },
        Answer::CertificateRefused { said } => Conclusion::new(
            Rejected,
            Tier::ClientCertificate,
            refusal,
            format!("refused with {status}: {said}{}", of_shown(seen)),
        ),
        Answer::Forbidden => Conclusion::new(
            Rejected,
            Tier::Gateway,
            refusal,
            format!(
                "the gateway, not Jira, answered {status} to what was presented: an access rule on the certificate, most likely{}",
                of_shown(seen)
            ),
        ),
        Answer::SecondAuthentication { challenge } => Conclusion::new(
            Inconclusive,
            Tier::Gateway,
            Matter::SecondAuthentication,
            format!(
                "the gateway wants a second authentication beside the certificate: {challenge}"
            ),
        ),
        Answer::LoginPage => Conclusion::new(
            Inconclusive,
            Tier::Gateway,
            Matter::SingleSignOn,
            format!("a page for people came back ({status}), not Jira's REST API"),
        ),
        Answer::Redirected { to } => Conclusion::new(
            Inconclusive,
            Tier::Gateway,
            Matter::SingleSignOn,
            format!("the request was sent elsewhere ({status} to {to}), as single sign-on does"),
        ),
        Answer::NotRouted { said } => Conclusion::new(
            Inconclusive,
            Tier::Gateway,
            Matter::Route,
            format!("the gateway answered {status}: {said}"),
        ),
        Answer::NothingBehind => Conclusion::new(
            Inconclusive,
            Tier::Gateway,
            Matter::Behind,
            format!(
                "the gateway answered {status}: it does not reach Jira, so it cannot be told whom it would let in"
            ),
        ),
        Answer::Unknown => Conclusion::new(
            Inconclusive,
            Tier::Gateway,
            Matter::Log,
            format!("an answer with {status} came back that is not known to be Jira's"),
        ),
    }
}
