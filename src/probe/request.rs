//! The port through which the wire is asked.

use std::{fmt, future::Future, net::SocketAddr};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::model::{Fingerprint, GatewayProduct, Lapse, ProbeReport};

/// Asks the wire. A probe never fails: whatever happens is a verdict.
pub trait Prober: Send + Sync {
    /// Holds the conversations that `request` asks for, and says what they prove.
    fn probe(&self, request: &ProbeRequest<'_>) -> impl Future<Output = ProbeReport> + Send;
}

/// Which versions of TLS a probe may negotiate: those of the connector that it speaks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsParity {
    /// TLS 1.2, as the Jira connector.
    Tls12Only,
    /// TLS 1.2 and 1.3.
    Tls12And13,
}

/// What to ask.
#[derive(Debug)]
pub struct ProbeRequest<'a> {
    /// Stands in User-Agent and X-Request-ID, so that the requests can be found in logs.
    pub probe_id: String,
    /// When it is.
    pub at: Timestamp,
    /// Base URL of Jira, `https`.
    pub url: String,
    /// Trust anchors for the server's chain, DER.
    pub anchors: &'a [Vec<u8>],
    /// Addresses to dial instead of what DNS says.
    pub resolve: &'a [SocketAddr],
    /// Which versions of TLS.
    pub tls: TlsParity,
    /// What to present; `None` for nothing.
    pub presented: Option<ClientIdentity>,
    /// Whether no certificate and a stranger's are to be tried too.
    pub controls: bool,
    /// Whether the four methods are to be tried.
    pub verbs: bool,
    /// What stands in front, for the remedies.
    pub gateway: GatewayProduct,
}

/// A certificate with its key, as it is presented.
#[derive(Clone)]
pub struct ClientIdentity {
    /// Certificates as sent, DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The private key, PKCS#8 DER.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// SHA-256 of the leaf.
    pub fingerprint: Fingerprint,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// How much time and space a conversation may take.
#[derive(Clone, Copy, Debug)]
pub struct ProbeLimits {
    /// For resolving the name.
    pub resolve: Lapse,
    /// For the TCP connection.
    pub connect: Lapse,
    /// For the TLS handshake.
    pub handshake: Lapse,
    /// For the answer to one request.
    pub answer: Lapse,
    /// How many bytes of an answer are read.
    pub body: usize,
    /// How many addresses behind a name are asked.
    pub addresses: usize,
}

impl Default for ProbeLimits {
    fn default() -> Self {
        Self {
            resolve: Lapse::seconds(10),
            connect: Lapse::seconds(10),
            handshake: Lapse::seconds(15),
            answer: Lapse::seconds(30),
            body: 64 * 1024,
            addresses: 8,
        }
    }
}
