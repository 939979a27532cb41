//! What one conversation showed, before anybody says what it means.

use std::{collections::BTreeMap, time::Duration};

use super::shown::Shown;
use crate::model::CertificateSummary;

/// A certificate that the server sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ServerCertificate {
    /// What a report keeps of it.
    pub(super) summary: CertificateSummary,
    /// Issuer as RFC 4514 text, bounded.
    pub(super) issuer: String,
}

/// The CertificateRequest (RFC 5246 §7.4.4, RFC 8446 §4.3.2) and what we answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CertificateRequest {
    /// How many authorities it named; advisory, many gateways name none.
    pub(super) hints: usize,
    /// What went back.
    pub(super) answer: CertificateAnswer,
}

/// What we answer to a CertificateRequest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CertificateAnswer {
    /// Our chain.
    Sent,
    /// An empty Certificate message, because there is nothing to present.
    Nothing,
    /// An empty Certificate message, because our key makes none of the signatures that are asked for.
    NoFittingScheme,
}

/// What was presented, as far as the verdict depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Presented {
    /// The generation that is probed.
    Ours,
    /// A throw-away certificate.
    Stranger,
    /// Nothing.
    Nothing,
}

/// How the server's chain failed against the anchors.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ChainFault {
    /// Some element's period is over.
    Expired,
    /// Some element's period has not begun.
    NotYetValid,
    /// No path to an anchor.
    UnknownIssuer,
    /// The leaf names other hosts.
    WrongName {
        /// The names that it bears, bounded.
        presented: Vec<String>,
    },
    /// The leaf is not for servers.
    WrongPurpose,
    /// A signature in the chain does not verify, or is of a kind that is not taken.
    Signature,
    /// Something else, in the verifier's words.
    Other(String),
}

/// When a connection was cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// After our ClientHello and before anything came back.
    Hello,
    /// In the handshake, after the server had answered.
    Handshake,
    /// After the handshake was done on our side, which in TLS 1.3 is before our certificate is judged.
    Answer,
}

/// How a conversation ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// Nothing listens.
    Refused,
    /// No answer to our SYN in time.
    ConnectTimedOut(Duration),
    /// No route there, from us or from a router on the way.
    NoRoute(String),
    /// The connection failed in another way.
    ConnectFailed(String),
    /// A fatal alert (RFC 8446 §6.2), by its number.
    Alert {
        /// The number.
        code: u8,
        /// When.
        stage: Stage,
    },
    /// We ended it because of the server's chain.
    Chain(ChainFault),
    /// There is no version, suite or other parameter that both sides take; in our stack's words.
    Incompatible(String),
    /// What came back is no TLS.
    NotTls(String),
    /// End of stream or reset without an alert.
    Cut {
        /// Reset rather than closed.
        reset: bool,
        /// When.
        stage: Stage,
    },
    /// Silence.
    TimedOut {
        /// When.
        stage: Stage,
        /// How long we waited.
        after: Duration,
    },
    /// TLS broke down after the handshake was done; in our stack's words.
    Broken(String),
    /// What came back after the handshake is no HTTP; in the parser's words.
    NotHttp(String),
    /// An answer.
    Answered(Reply),
    /// Our own side could not begin: the identity or the anchors are unusable.
    Unusable(Unusable),
}

/// Why our own side could not begin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Unusable {
    /// The URL is none that a probe can follow.
    Url(String),
    /// There is not one anchor.
    NoAnchors,
    /// An anchor is no certificate.
    Anchor {
        /// Its position, from 0.
        position: usize,
        /// The parser's words.
        fault: String,
    },
    /// The key that should be presented cannot be read.
    Key(String),
    /// The key does not belong to the leaf.
    KeyMismatch,
    /// Our TLS stack refuses what it is given.
    Stack(String),
}

/// An HTTP answer, bounded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Reply {
    /// The status.
    pub(super) status: u16,
    /// Names in lower case; of a repeated header the values joined by a comma (RFC 9110 §5.3).
    pub(super) headers: BTreeMap<String, String>,
    /// The beginning of the body; bytes that are no UTF-8 are replaced.
    pub(super) body: String,
}

impl Reply {
    /// The value of a header; the name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// One conversation with one address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Conversation {
    /// By which kinds of key the CertificateRequest takes signatures; empty when none was seen.
    pub(super) takes: Vec<&'static str>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub(super) tls_version: Option<String>,
    /// The suite's IANA name.
    pub(super) cipher_suite: Option<String>,
    /// The chain that the server sent, leaf first, good or bad.
    pub(super) server_chain: Vec<ServerCertificate>,
    /// Whether the server's chain was found good.
    pub(super) server_verified: bool,
    /// `None` when no CertificateRequest was seen.
    pub(super) request: Option<CertificateRequest>,
    /// Whether it named an authority above our leaf; `None` when it named none, or we had nothing to present.
    pub(super) names_ours: Option<bool>,
    /// What went out in answer to it; `None` when nothing did, or it cannot be read.
    pub(super) shown: Option<Shown>,
    /// Whether our side of the handshake was completed, so that a CertificateRequest would have been seen.
    pub(super) handshake_done: bool,
    /// How it ended.
    pub(super) ending: Ending,
}

impl Conversation {
    /// One that ended before anything was said.
    pub(super) fn ended(ending: Ending) -> Self {
        Self {
            takes: Vec::new(),
            tls_version: None,
            cipher_suite: None,
            server_chain: Vec::new(),
            server_verified: false,
            request: None,
            names_ours: None,
            shown: None,
            handshake_done: false,
            ending,
        }
    }
}
