//! The port: what a caller asks of a probe.

use std::{fmt, net::SocketAddr};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::model::{Fingerprint, GatewayProduct, ProbeReport};

/// Whatever can probe an endpoint. Dropping the future ends the conversations.
pub trait Prober: Send + Sync {
    /// Never fails: name, network and refusal are verdicts, and so is what cannot be known.
    fn probe(&self, request: &ProbeRequest<'_>) -> impl Future<Output = ProbeReport> + Send;
}

/// One probe of one endpoint with one generation.
#[derive(Clone, Debug)]
pub struct ProbeRequest<'a> {
    /// Stands in `User-Agent` and `X-Request-ID`, so that it can be found in the partner's logs. Letters, digits
    /// and `-._`; other characters are replaced there.
    pub probe_id: String,
    /// When the probe begins; also the instant at which the server's chain is judged.
    pub at: Timestamp,
    /// The base URL of Jira as the connector calls it, `https` only.
    pub url: String,
    /// Trust anchors for the server's chain, DER certificates. Without any nothing can be concluded.
    pub anchors: &'a [Vec<u8>],
    /// Addresses to dial instead of what DNS says; empty to ask DNS.
    pub resolve: &'a [SocketAddr],
    /// Which versions and suites to offer.
    pub tls: TlsParity,
    /// What to present; `None` for nothing.
    pub presented: Option<ClientIdentity>,
    /// Whether to try what ought to be refused: no certificate, and a stranger's.
    pub controls: bool,
    /// Whether to try the four methods on an issue that cannot exist.
    pub verbs: bool,
    /// What stands in front of Jira; decides the wording of remedies.
    pub gateway: GatewayProduct,
}

/// What is offered in the ClientHello, so that the probe succeeds and fails where the connector would.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsParity {
    /// As the Jira connector: TLS 1.2 (RFC 5246) with the suites published for it, as far as our stack has them
    /// (it has no finite-field Diffie-Hellman).
    Tls12Only,
    /// TLS 1.2 and 1.3 (RFC 8446), with every suite of our stack.
    Tls12And13,
}

/// A generation as it is presented in a handshake.
#[derive(Clone)]
pub struct ClientIdentity {
    /// Leaf first, DER.
    pub chain: Vec<Vec<u8>>,
    /// The private key as PKCS#8 (RFC 5208), DER.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// SHA-256 of the leaf.
    pub fingerprint: Fingerprint,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("fingerprint", &self.fingerprint)
            .field("chain_length", &self.chain.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_debugged() {
        let identity = ClientIdentity {
            chain: vec![vec![1]],
            key_pkcs8: Zeroizing::new(b"SECRET".to_vec()),
            fingerprint: Fingerprint::from_digest([0; 32]),
        };
        let shown = format!("{identity:?}");
        assert!(!shown.contains("key_pkcs8") && !shown.contains("83, 69"));
    }
}
