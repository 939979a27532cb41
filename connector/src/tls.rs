//! How a connector talks TLS, apart from the identity that it presents.
//!
//! Trust is given, never found: there is no way here to reach the system's root certificates or a compiled-in list.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, WantsClientCert};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

use crate::reload::Generation;
use crate::usage::Ledger;

/// The versions of TLS that are offered to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// TLS 1.2 only (RFC 5246): what the Jira connector of Jira Align speaks.
    Only12,
    /// TLS 1.3 only (RFC 8446).
    Only13,
    /// TLS 1.3 where the server has it, else 1.2.
    #[default]
    Both,
}

impl Versions {
    fn supported(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Only12 => vec![&TLS12],
            Self::Only13 => vec![&TLS13],
            Self::Both => vec![&TLS13, &TLS12],
        }
    }
}

/// What a server is verified with, and the versions to speak. Cloning is cheap.
#[derive(Clone)]
pub struct Tls {
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
}

/// Why the settings cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A certificate that cannot be an anchor.
    #[error("trust anchor {position} cannot be read as an X.509 certificate")]
    Anchor {
        /// Its place in the text, from 1.
        position: usize,
        /// What the verifier says.
        source: rustls::Error,
    },
    /// Nothing to trust.
    #[error(
        "no trust anchor is given: name the certificates that the partner's server is verified with, as PEM"
    )]
    NoAnchors,
    /// Not PEM.
    #[error("the trust anchors are not PEM (RFC 7468)")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// The cryptographic library does not support these versions.
    #[error("the versions of TLS cannot be used")]
    Versions(#[source] rustls::Error),
}

impl Tls {
    /// Trusts exactly the certificates of a PEM text, for servers only, and offers the versions given.
    ///
    /// # Errors
    /// The text holds no certificate, or one that cannot be read: then nothing is trusted.
    pub fn new(anchors_pem: &[u8], versions: Versions) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for (index, anchor) in CertificateDer::pem_slice_iter(anchors_pem).enumerate() {
            let anchor = anchor.map_err(TlsError::Pem)?;
            roots.add(anchor).map_err(|source| TlsError::Anchor {
                position: index + 1,
                source,
            })?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoAnchors);
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&versions.supported())
            .map_err(TlsError::Versions)?
            .with_root_certificates(roots);
        Ok(Self { builder })
    }

    /// A configuration that presents this generation and has never seen a session of another one.
    ///
    /// It must be new for every generation. Swapping the key behind a resolver that stays would go on presenting the
    /// *old* identity: a resumed session (RFC 5077, RFC 8446 section 2.2) carries the client certificate of the
    /// handshake that began it, and rustls resumes as long as the resolver is the same object.
    fn config(&self, presenter: Arc<Presenter>) -> ClientConfig {
        self.builder.clone().with_client_cert_resolver(presenter)
    }

    /// For connections that this crate makes itself, and whose handshakes it sees complete.
    pub(crate) fn own(&self, generation: &Generation) -> (Arc<ClientConfig>, Arc<Presenter>) {
        let presenter = Arc::new(Presenter::new(generation, None));
        (Arc::new(self.config(Arc::clone(&presenter))), presenter)
    }

    /// For other libraries: the best that can be seen is that a server asked for the certificate.
    pub(crate) fn foreign(
        &self,
        generation: &Arc<Generation>,
        ledger: &Arc<Ledger>,
    ) -> Arc<ClientConfig> {
        let count = (Arc::clone(generation), Arc::clone(ledger));
        Arc::new(self.config(Arc::new(Presenter::new(generation, Some(count)))))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Presents one identity for ever, and notes that a server asked for it.
#[derive(Debug)]
pub(crate) struct Presenter {
    certified: Arc<CertifiedKey>,
    asked: AtomicBool,
    count: Option<(Arc<Generation>, Arc<Ledger>)>,
}

impl Presenter {
    fn new(generation: &Generation, count: Option<(Arc<Generation>, Arc<Ledger>)>) -> Self {
        Self {
            certified: generation.bundle().certified(),
            asked: AtomicBool::new(false),
            count,
        }
    }

    /// Whether any server asked for it: a handshake without CertificateRequest proves nothing about the identity.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

impl ResolvesClientCert for Presenter {
    /// The server's hints are not followed: there is one identity, and a server that will not have it must say so.
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Release);
        if let Some((generation, ledger)) = &self.count {
            ledger.handshake_completed(generation);
        }
        Some(Arc::clone(&self.certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_anchor_nothing_is_trusted() {
        assert!(matches!(
            Tls::new(b"", Versions::Both),
            Err(TlsError::NoAnchors)
        ));
    }
}
