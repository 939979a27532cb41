//! Evidence: what was seen, by whom, when, of which fingerprint. Never a bool.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ConnectorName, Destination, EmailAddress, Finding, Fingerprint, GenerationNumber, KeyId,
    MessageId, Outcome, Role, SerialNumber, Validity,
};

/// How an acknowledgement reached us, and what authenticates it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Channel {
    /// A reply signed with the certificate that is on file for the contact (RFC 8551).
    SignedReply {
        /// The reply.
        message_id: MessageId,
        /// The signer's certificate.
        signer: Fingerprint,
    },
    /// A reply that bears the one-time code of our letter.
    CodeReply {
        /// The reply.
        message_id: MessageId,
    },
    /// Typed by one of us after speaking with the contact.
    Operator {
        /// Who typed it.
        by: String,
        /// How the contact was known to be the contact.
        verified: String,
    },
}

/// A named contact accepted this fingerprint for this environment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Where it is trusted from now on.
    pub destination: Destination,
    /// Which certificate.
    pub fingerprint: Fingerprint,
    /// Who says so.
    pub contact: EmailAddress,
    /// How we know.
    pub channel: Channel,
    /// When it reached us.
    pub at: Timestamp,
}

/// What a probe concludes. Unreachable is not rejected; only `Rejected` says anything about the certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The certificate was asked for, sent, and the request was answered from behind the gate.
    Accepted,
    /// The other side refused this certificate, or refused for want of one.
    Rejected,
    /// No conversation came about: name, network, or no common TLS.
    Unreachable,
    /// There was a conversation, but it proves neither.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// How far a conversation came: the last tier that gave an answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Name resolution.
    Dns,
    /// The TCP connection.
    Tcp,
    /// Version, suites, the handshake as such.
    Tls,
    /// The server's certificate chain against our anchors.
    ServerChain,
    /// The judgement of our certificate.
    ClientCertificate,
    /// The gateway's own answer to the request.
    Gateway,
    /// Jira behind it.
    Jira,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::ServerChain => "server chain",
            Self::ClientCertificate => "client certificate",
            Self::Gateway => "gateway",
            Self::Jira => "Jira",
        })
    }
}

/// A certificate of the server's chain, in short.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CertificateSummary {
    /// Subject as RFC 4514 text, bounded.
    pub subject: String,
    /// SHA-256 of the DER.
    pub fingerprint: Fingerprint,
    /// Its serial number.
    pub serial: SerialNumber,
    /// Its period.
    pub validity: Validity,
    /// Issuer as RFC 4514 text, bounded; empty in reports of earlier versions.
    #[serde(default)]
    pub issuer: String,
    /// SHA-256 of the SubjectPublicKeyInfo; `None` in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
}

/// What one address behind the name did.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AddressEvidence {
    /// The address that was dialled.
    pub address: SocketAddr,
    /// What it means.
    pub verdict: Verdict,
    /// How far it came.
    pub tier: Tier,
    /// `TLSv1.2` or `TLSv1.3`, once negotiated.
    pub tls_version: Option<String>,
    /// The suite's IANA name.
    pub cipher_suite: Option<String>,
    /// The chain that the server sent, leaf first.
    pub server_chain: Vec<CertificateSummary>,
    /// Whether a CertificateRequest was seen; `None` when it did not come so far.
    pub certificate_requested: Option<bool>,
    /// How many authorities the CertificateRequest named.
    pub authority_hints: usize,
    /// Whether an authority above our certificate is among those that were named; `None` when none was named.
    #[serde(default)]
    pub authority_hints_name_ours: Option<bool>,
    /// The fatal alert received, by its RFC 8446 §6 name.
    pub alert: Option<String>,
    /// The status of the answer.
    pub http_status: Option<u16>,
    /// Headers that tell who answered, and by which the request can be found in their logs; bounded.
    pub headers: BTreeMap<String, String>,
    /// One sentence for people.
    pub explanation: String,
    /// What became of another chain above the same leaf; `None` when there was no reason to try one, or no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_chain: Option<OtherChain>,
}

/// A second conversation with the same certificate and other intermediates, or none.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct OtherChain {
    /// In what it differed, as a clause.
    pub how: String,
    /// Whether the certificate was let in.
    pub let_in: bool,
    /// One sentence for people.
    pub explanation: String,
}

/// A conversation that ought to be refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// Presenting nothing.
    NoCertificate,
    /// Presenting a throw-away self-signed certificate.
    Stranger,
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoCertificate => "no certificate",
            Self::Stranger => "a stranger's certificate",
        })
    }
}

/// What became of a negative control.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ControlEvidence {
    /// What was presented.
    pub control: Control,
    /// What came back; `Rejected` is what we want to see.
    pub verdict: Verdict,
    /// One sentence for people.
    pub explanation: String,
}

/// Whether a method reaches Jira.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct VerbEvidence {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: String,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// `Some(true)`: Jira answered; `Some(false)`: the gateway did; `None`: not known.
    pub passed: Option<bool>,
    /// One sentence for people.
    pub explanation: String,
}

/// A probe: a full, non-resumed handshake and a request with one generation, at every address, and what it proves.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Stands in User-Agent and X-Request-ID of every request, so that it can be found in their logs.
    pub probe_id: String,
    /// When it began.
    pub at: Timestamp,
    /// The base URL.
    pub url: String,
    /// What was presented; `None` for nothing.
    pub presented: Option<Fingerprint>,
    /// The worst of the addresses' verdicts: one address with an old configuration spoils it.
    pub verdict: Verdict,
    /// How far it came.
    pub tier: Tier,
    /// One sentence for people: what was seen.
    pub summary: String,
    /// Who can mend it; `None` when nothing is to mend.
    pub owner: Option<Role>,
    /// What they should do; `None` when nothing is to mend.
    pub remedy: Option<String>,
    /// Address by address.
    pub addresses: Vec<AddressEvidence>,
    /// The negative controls, when they were asked for and could be made.
    pub controls: Vec<ControlEvidence>,
    /// The four methods, when they were asked for and could be tried.
    pub verbs: Vec<VerbEvidence>,
    /// Check by check, in the order of the tiers; empty in reports of earlier versions.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

impl ProbeReport {
    /// Accepted, every control refused, and no method known to be blocked: what the gate wants to see.
    pub fn proves_acceptance(&self) -> bool {
        self.verdict == Verdict::Accepted
            && self.controls.iter().all(|c| c.verdict == Verdict::Rejected)
            && self.verbs.iter().all(|v| v.passed != Some(false))
    }

    /// Accepted, proven, and nothing that was looked at is bad.
    pub fn is_healthy(&self) -> bool {
        self.proves_acceptance() && self.findings.iter().all(|f| f.outcome != Outcome::Bad)
    }

    /// Refused at every address because of the certificate, and not only because of what was sent above it: what
    /// retiring wants to see.
    pub fn proves_refusal(&self) -> bool {
        self.verdict == Verdict::Rejected
            && !self.addresses.is_empty()
            && self.addresses.iter().all(|a| {
                a.verdict == Verdict::Rejected && !a.other_chain.as_ref().is_some_and(|o| o.let_in)
            })
    }
}

/// What a running connector says of itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ConnectorReport {
    /// Who says so.
    pub connector: ConnectorName,
    /// The certificate that new connections present.
    pub presenting: Option<Fingerprint>,
    /// Full handshakes completed with it.
    pub handshakes: u64,
    /// Open connections that present it.
    pub open: u64,
    /// Open connections that still present an earlier one.
    pub open_previous: u64,
    /// Requests made since the connector started.
    pub requests: u64,
    /// Requests that failed since the connector started.
    pub failed: u64,
    /// What is wrong with the identity that was last handed to it, if anything.
    pub fault: Option<String>,
    /// When we heard it.
    pub at: Timestamp,
}

/// How a connector is known to present a generation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum AppliedBy {
    /// The connector itself reported a handshake with it, and none of its connections presents another.
    Reported {
        /// What it said.
        report: ConnectorReport,
    },
    /// Files were published and the reload succeeded; the program itself cannot be asked.
    Reloaded {
        /// What was run or signalled, and its bounded output.
        outcome: String,
    },
}

/// A connector has taken over a generation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// Which connector.
    pub connector: ConnectorName,
    /// Which generation.
    pub generation: GenerationNumber,
    /// Its certificate.
    pub fingerprint: Fingerprint,
    /// How we know.
    pub applied: AppliedBy,
    /// When we knew.
    pub at: Timestamp,
}
