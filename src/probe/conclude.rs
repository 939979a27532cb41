//! From what was seen to what it means. Pure.
//!
//! - *Accepted* needs all three: a CertificateRequest was seen, our certificate went out, and the answer
//!   came from the Jira tier. A gateway's 502 to 504 shows that it let us through, but a gateway that asks
//!   without verifying shows the same: inconclusive.
//! - *Rejected* needs a CertificateRequest, and then an alert about certificates, a gateway's own words, a
//!   403 that is not Jira's, or (less certain, and said so) a connection that is cut without a word.
//! - Where no CertificateRequest was seen nothing is said about our certificate: inconclusive.

mod answer;
#[cfg(test)]
mod tests;

use super::{
    alert,
    observation::{
        CertificateAnswer, ChainFault, Conversation, Ending, Presented, Stage, Unusable,
    },
    remedy::Matter,
};
use crate::model::{Tier, Verdict};

/// What one conversation means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Conclusion {
    /// What it means.
    pub(super) verdict: Verdict,
    /// How far it came.
    pub(super) tier: Tier,
    /// One sentence, lower case, without a full stop.
    pub(super) explanation: String,
    /// What there is to mend.
    pub(super) matter: Option<Matter>,
}

impl Conclusion {
    fn new(verdict: Verdict, tier: Tier, matter: Matter, explanation: impl Into<String>) -> Self {
        Self {
            verdict,
            tier,
            explanation: explanation.into(),
            matter: Some(matter),
        }
    }
}

/// Says what a conversation means for the certificate that was presented.
pub(super) fn conclude(seen: &Conversation, presented: Presented) -> Conclusion {
    use Verdict::{Inconclusive, Unreachable};
    match &seen.ending {
        Ending::Unusable(why) => {
            Conclusion::new(Inconclusive, Tier::Dns, Matter::Request, unusable(why))
        }
        Ending::Refused => Conclusion::new(
            Unreachable,
            Tier::Tcp,
            Matter::Port,
            "the connection was refused: nothing listens on this port, or a firewall says so",
        ),
        Ending::ConnectTimedOut(after) => Conclusion::new(
            Unreachable,
            Tier::Tcp,
            Matter::Port,
            format!(
                "no answer within {after:?}: a firewall drops our packets, or the address is wrong"
            ),
        ),
        Ending::NoRoute(why) => Conclusion::new(
            Unreachable,
            Tier::Tcp,
            Matter::Port,
            format!("there is no route to this address ({why})"),
        ),
        Ending::ConnectFailed(why) => Conclusion::new(
            Unreachable,
            Tier::Tcp,
            Matter::Port,
            format!("no connection: {why}"),
        ),
        Ending::Alert { code, stage } => alerted(seen, presented, *code, *stage),
        Ending::Cut { reset, stage } => cut(seen, presented, *reset, *stage),
        Ending::TimedOut { stage, after } => match stage {
            Stage::Hello => Conclusion::new(
                Unreachable,
                Tier::Tls,
                Matter::Port,
                format!("connected, but nothing came back to our ClientHello within {after:?}"),
            ),
            Stage::Handshake => Conclusion::new(
                Inconclusive,
                Tier::Tls,
                Matter::Log,
                format!("the handshake stood still for {after:?}"),
            ),
            Stage::Answer => Conclusion::new(
                Inconclusive,
                tier_after_handshake(seen),
                Matter::Log,
                format!("no answer to the request within {after:?}"),
            ),
        },
        Ending::Chain(fault) => chain(seen, fault),
        Ending::Incompatible(why) => Conclusion::new(
            Unreachable,
            Tier::Tls,
            Matter::Parameters,
            format!("no common TLS: {why}"),
        ),
        Ending::NotTls(why) => Conclusion::new(
            Unreachable,
            Tier::Tls,
            Matter::Port,
            format!("what answers on this port does not speak TLS ({why})"),
        ),
        Ending::Broken(why) => Conclusion::new(
            Inconclusive,
            tier_after_handshake(seen),
            // Our stack refuses a renegotiation, by which some gateways ask late (RFC 5246 §7.4.1.1).
            if seen.request.is_none() {
                Matter::AskEarly
            } else {
                Matter::Log
            },
            format!("TLS broke down after the handshake: {why}"),
        ),
        Ending::NotHttp(why) => Conclusion::new(
            Inconclusive,
            tier_after_handshake(seen),
            Matter::Log,
            format!(
                "the handshake was done, but what came back cannot be read as HTTP/1.1 ({why})"
            ),
        ),
        Ending::Answered(reply) => answer::answered(seen, presented, reply),
    }
}

fn unusable(why: &Unusable) -> String {
    match why {
        Unusable::Url(why) => format!("the URL cannot be probed: {why}"),
        Unusable::NoAnchors => {
            "there are no trust anchors for this environment, so no server can be believed"
                .to_owned()
        }
        Unusable::Anchor { position, fault } => {
            format!("trust anchor {} is no certificate: {fault}", position + 1)
        }
        Unusable::Key(why) => format!("the key to be presented cannot be read: {why}"),
        Unusable::KeyMismatch => {
            "the key to be presented does not belong to its certificate".to_owned()
        }
        Unusable::Stack(why) => format!("the TLS stack refuses the configuration: {why}"),
    }
}

fn tier_after_handshake(seen: &Conversation) -> Tier {
    if seen.request.is_some() {
        Tier::ClientCertificate
    } else {
        Tier::Tls
    }
}

fn alerted(seen: &Conversation, presented: Presented, code: u8, stage: Stage) -> Conclusion {
    let said = alert::explained(code);
    let Some(request) = seen.request else {
        return match stage {
            Stage::Answer => Conclusion::new(
                Verdict::Inconclusive,
                Tier::ClientCertificate,
                Matter::AskEarly,
                format!(
                    "no certificate was asked for in the handshake, and then came {said}: the gateway asks late"
                ),
            ),
            Stage::Hello | Stage::Handshake => Conclusion::new(
                Verdict::Unreachable,
                Tier::Tls,
                match code {
                    // handshake_failure, protocol_version, insufficient_security.
                    40 | 70 | 71 => Matter::Parameters,
                    // unrecognized_name.
                    112 => Matter::Name,
                    // Of the others none says what the gateway wants.
                    _ => Matter::Log,
                },
                no_common_tls(code, &said),
            ),
        };
    };
    if request.answer == CertificateAnswer::NoFittingScheme {
        return no_fitting_scheme(seen, &format!("then came {said}"));
    }
    if !alert::judges_certificate(code) {
        return Conclusion::new(
            Verdict::Inconclusive,
            Tier::Tls,
            Matter::Log,
            format!("a certificate was asked for, but then came {said}"),
        );
    }
    Conclusion::new(
        Verdict::Rejected,
        Tier::ClientCertificate,
        refusal_matter(seen, presented, Some(code)),
        match presented {
            Presented::Nothing => format!("refused for want of a certificate: {said}"),
            Presented::Ours | Presented::Stranger => {
                format!("the certificate was refused: {said}{}", of_shown(seen))
            }
        },
    )
}

fn no_common_tls(code: u8, said: &str) -> String {
    match code {
        // Before any certificate, these two mean the parameters of the handshake.
        40 | 71 => format!(
            "no common TLS parameters: {} before any certificate was asked for. The Jira connector also offers \
             DHE-RSA suites, which this program's TLS stack lacks: if the gateway takes only those, the connector \
             gets through where the probe does not",
            alert::name(code)
        ),
        _ => format!("the handshake failed before any certificate was asked for: {said}"),
    }
}

/// What there is to mend when what was presented was refused, with this alert or without one.
///
/// What we see of our own certificate goes before what an alert usually means: some gateways say
/// bad_certificate to whatever they refuse, and most pages do not say why.
fn refusal_matter(seen: &Conversation, presented: Presented, alert: Option<u8>) -> Matter {
    let unfit = seen
        .shown
        .as_ref()
        .is_some_and(|shown| shown.unfit.is_some());
    match (presented, alert) {
        (Presented::Nothing, _) => Matter::Present,
        // Not trusted and not let in: a certificate without fault would be refused as well.
        (_, Some(48 | 49 | 114)) => Matter::Trust,
        (_, Some(43 | 44 | 51)) => Matter::Certificate,
        _ if unfit => Matter::Certificate,
        (_, Some(45)) => Matter::Clock,
        _ => Matter::Trust,
    }
}

/// What can be added about the certificate that was refused.
fn of_shown(seen: &Conversation) -> String {
    seen.shown
        .as_ref()
        .map_or_else(String::new, |shown| format!("; {}", shown.clause()))
}

fn no_fitting_scheme(seen: &Conversation, then: &str) -> Conclusion {
    let takes = match seen.takes.as_slice() {
        [] => String::new(),
        kinds => format!(" ({} keys make them)", kinds.join(", ")),
    };
    Conclusion::new(
        Verdict::Inconclusive,
        Tier::ClientCertificate,
        Matter::KeyType,
        format!(
            "a certificate was asked for, but our key makes none of the signatures that the gateway takes{takes}, so none was sent; {then}"
        ),
    )
}

fn cut(seen: &Conversation, presented: Presented, reset: bool, stage: Stage) -> Conclusion {
    let how = if reset { "reset" } else { "closed" };
    match (stage, seen.request.map(|r| r.answer)) {
        (Stage::Hello, _) => Conclusion::new(
            Verdict::Unreachable,
            Tier::Tls,
            Matter::Port,
            format!(
                "the connection was {how} right after our ClientHello: a firewall or a filter on the name, or no TLS there"
            ),
        ),
        (_, Some(CertificateAnswer::NoFittingScheme)) => {
            no_fitting_scheme(seen, &format!("then the connection was {how}"))
        }
        (_, Some(CertificateAnswer::Nothing)) => Conclusion::new(
            Verdict::Rejected,
            Tier::ClientCertificate,
            Matter::Present,
            format!(
                "the connection was {how} without a word after no certificate was presented: refused, most likely for want of one"
            ),
        ),
        (_, Some(CertificateAnswer::Sent)) => Conclusion::new(
            Verdict::Rejected,
            Tier::ClientCertificate,
            refusal_matter(seen, presented, None),
            format!(
                "the connection was {how} without a word after the certificate was sent: refused, most likely because of it; some gateways say no more than this{}",
                of_shown(seen)
            ),
        ),
        (Stage::Answer, None) => Conclusion::new(
            Verdict::Inconclusive,
            Tier::Tls,
            Matter::AskEarly,
            format!(
                "no certificate was asked for, and the connection was {how} after the request: the gateway may ask late"
            ),
        ),
        (Stage::Handshake, None) => Conclusion::new(
            Verdict::Inconclusive,
            Tier::Tls,
            Matter::Log,
            format!(
                "the connection was {how} in the middle of the handshake, before any certificate was asked for"
            ),
        ),
    }
}

fn chain(seen: &Conversation, fault: &ChainFault) -> Conclusion {
    let (matter, why) = match fault {
        ChainFault::Expired => (Matter::ServerChain, "has expired".to_owned()),
        ChainFault::NotYetValid => (
            Matter::ServerChain,
            "is not yet valid by our clock".to_owned(),
        ),
        ChainFault::UnknownIssuer => {
            let issuer = seen.server_chain.last().map_or("", |c| &c.issuer);
            (
                Matter::Anchors,
                format!(
                    "leads to none of our anchors: {} sent, the last of them issued by `{issuer}`",
                    match seen.server_chain.len() {
                        1 => "one certificate was".to_owned(),
                        n => format!("{n} certificates were"),
                    }
                ),
            )
        }
        ChainFault::WrongName { presented } => (
            Matter::ServerChain,
            match presented.as_slice() {
                [] => "names no host".to_owned(),
                names => format!("is for {}, not for the name in the URL", names.join(", ")),
            },
        ),
        ChainFault::WrongPurpose => (Matter::ServerChain, "is not for servers".to_owned()),
        ChainFault::Signature => (
            Matter::ServerChain,
            "bears a signature that does not verify or is of a kind that is not taken".to_owned(),
        ),
        ChainFault::Other(why) => (Matter::ServerChain, format!("is not acceptable: {why}")),
    };
    Conclusion::new(
        Verdict::Inconclusive,
        Tier::ServerChain,
        matter,
        format!("the server's certificate {why}; nothing was presented to it"),
    )
}
