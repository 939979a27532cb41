//! Our side of the handshake: who is believed, what is presented, and what was seen while it happened.
//!
//! Each conversation has a configuration of its own, without resumption: a resumed session would show the
//! identity of an earlier one.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    sign::CertifiedKey,
    time_provider::TimeProvider,
};

use super::{
    observation::{
        CertificateAnswer, CertificateRequest, ChainFault, Ending, ServerCertificate, Stage,
        Unusable,
    },
    request::{ClientIdentity, ProbeRequest, TlsParity},
    server_chain,
    shown::Shown,
};
use crate::model::one_line;

/// The suites published for the Jira connector, without the two of DHE that our stack lacks.
const CONNECTOR_SUITES: &[rustls::CipherSuite] = &[
    rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
];

/// The one version that the Jira connector speaks.
const CONNECTOR_VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

/// What all conversations of one probe have in common.
#[derive(Debug)]
pub(super) struct Stance {
    provider: Arc<CryptoProvider>,
    versions: &'static [&'static rustls::SupportedProtocolVersion],
    verifier: Arc<WebPkiServerVerifier>,
    at: UnixTime,
    instant: Timestamp,
}

impl Stance {
    pub(super) fn new(request: &ProbeRequest<'_>) -> Result<Self, Unusable> {
        let mut provider = aws_lc_rs::default_provider();
        let versions = match request.tls {
            TlsParity::Tls12Only => {
                provider
                    .cipher_suites
                    .retain(|s| CONNECTOR_SUITES.contains(&s.suite()));
                CONNECTOR_VERSIONS
            }
            TlsParity::Tls12And13 => rustls::ALL_VERSIONS,
        };
        let provider = Arc::new(provider);
        let mut anchors = RootCertStore::empty();
        for (position, der) in request.anchors.iter().enumerate() {
            anchors
                .add(CertificateDer::from(der.as_slice()))
                .map_err(|e| Unusable::Anchor {
                    position,
                    fault: one_line(&e.to_string()),
                })?;
        }
        if anchors.is_empty() {
            return Err(Unusable::NoAnchors);
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), provider.clone())
                .build()
                .map_err(|e| Unusable::Stack(e.to_string()))?;
        let seconds = u64::try_from(request.at.as_second()).unwrap_or(0);
        Ok(Self {
            provider,
            versions,
            verifier,
            at: UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
            instant: request.at,
        })
    }

    /// The configuration of one conversation.
    pub(super) fn config(
        &self,
        key: Option<Arc<CertifiedKey>>,
        record: &Arc<Record>,
    ) -> Result<ClientConfig, Unusable> {
        let builder =
            ClientConfig::builder_with_details(self.provider.clone(), Arc::new(Fixed(self.at)))
                .with_protocol_versions(self.versions)
                .map_err(|e| Unusable::Stack(e.to_string()))?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(RecordingVerifier {
                inner: self.verifier.clone(),
                record: record.clone(),
            }))
            .with_client_cert_resolver(Arc::new(RecordingResolver {
                shown: key
                    .as_ref()
                    .and_then(|k| Shown::read(&k.cert, self.instant)),
                key,
                record: record.clone(),
            }));
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Makes an identity ready to be presented; refuses one whose key and leaf are no pair.
pub(super) fn certified_key(identity: &ClientIdentity) -> Result<Arc<CertifiedKey>, Unusable> {
    // Borrowed, so that no copy of the key is left behind.
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key_pkcs8.as_slice()));
    let key =
        aws_lc_rs::sign::any_supported_type(&der).map_err(|e| Unusable::Key(e.to_string()))?;
    let chain = identity
        .chain
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(Unusable::KeyMismatch)
        }
        Err(e) => Err(Unusable::Key(one_line(&e.to_string()))),
    }
}

/// What the handshake's callbacks saw.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Seen>);

/// The contents of a [`Record`].
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By which kinds of key signatures are taken.
    pub(super) takes: Vec<&'static str>,
    /// The chain that was sent, leaf first, as far as it can be read.
    pub(super) chain: Vec<ServerCertificate>,
    /// Whether it was found good; `None` when it was not judged.
    pub(super) verified: Option<bool>,
    /// The CertificateRequest and our answer.
    pub(super) request: Option<CertificateRequest>,
    /// Whether it named an authority above our leaf.
    pub(super) names_ours: Option<bool>,
    /// What went out in answer.
    pub(super) shown: Option<Shown>,
}

impl Record {
    /// A copy of what was seen until now.
    pub(super) fn seen(&self) -> Seen {
        self.with(|seen| seen.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        // Nothing panics while the lock is held; a poisoned record is as good as any.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Judges as webpki does, and keeps what it was shown even when the judgement is bad.
#[derive(Debug)]
struct RecordingVerifier {
    inner: Arc<WebPkiServerVerifier>,
    record: Arc<Record>,
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let chain = server_chain::read(std::iter::once(end_entity).chain(intermediates));
        self.record.with(|seen| {
            seen.chain = chain;
            seen.verified = Some(verdict.is_ok());
        });
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// The kinds of key that make these signatures, each once, in the order of preference.
fn kinds_of_key(schemes: &[SignatureScheme]) -> Vec<&'static str> {
    use SignatureScheme as S;
    let mut kinds = Vec::new();
    for scheme in schemes {
        let kind = match scheme {
            S::RSA_PKCS1_SHA256
            | S::RSA_PKCS1_SHA384
            | S::RSA_PKCS1_SHA512
            | S::RSA_PSS_SHA256
            | S::RSA_PSS_SHA384
            | S::RSA_PSS_SHA512 => "RSA",
            S::ECDSA_NISTP256_SHA256 => "ECDSA P-256",
            S::ECDSA_NISTP384_SHA384 => "ECDSA P-384",
            S::ECDSA_NISTP521_SHA512 => "ECDSA P-521",
            S::ED25519 => "Ed25519",
            // Nobody should be issued a key for the others.
            _ => continue,
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Is asked only when a CertificateRequest came: that is how we know of it.
#[derive(Debug)]
struct RecordingResolver {
    key: Option<Arc<CertifiedKey>>,
    shown: Option<Shown>,
    record: Arc<Record>,
}

impl ResolvesClientCert for RecordingResolver {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let answer = match &self.key {
            None => CertificateAnswer::Nothing,
            Some(key) if key.key.choose_scheme(schemes).is_none() => {
                CertificateAnswer::NoFittingScheme
            }
            Some(_) => CertificateAnswer::Sent,
        };
        self.record.with(|seen| {
            seen.takes = kinds_of_key(schemes);
            seen.request = Some(CertificateRequest {
                hints: root_hint_subjects.len(),
                answer,
            });
            seen.names_ours = self
                .key
                .as_ref()
                .and_then(|key| server_chain::names_one(root_hint_subjects, &key.cert));
            if answer == CertificateAnswer::Sent {
                seen.shown.clone_from(&self.shown);
            }
        });
        self.key
            .clone()
            .filter(|_| answer == CertificateAnswer::Sent)
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

/// The instant of the probe, so that the chain is judged by the caller's clock.
#[derive(Debug)]
struct Fixed(UnixTime);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// Says how a chain failed.
pub(super) fn chain_fault(error: &rustls::CertificateError) -> ChainFault {
    use rustls::CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => ChainFault::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => ChainFault::NotYetValid,
        E::UnknownIssuer => ChainFault::UnknownIssuer,
        E::NotValidForName => ChainFault::WrongName { presented: vec![] },
        E::NotValidForNameContext { presented, .. } => ChainFault::WrongName {
            presented: presented.iter().take(5).map(|n| one_line(n)).collect(),
        },
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => ChainFault::WrongPurpose,
        E::BadSignature
        | E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => ChainFault::Signature,
        other => ChainFault::Other(one_line(&other.to_string())),
    }
}

/// Says what an error of the TLS stream means for the conversation.
pub(super) fn ending(error: &io::Error, stage: Stage) -> Ending {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(description)) => Ending::Alert {
            code: u8::from(*description),
            stage,
        },
        Some(rustls::Error::InvalidCertificate(fault)) => Ending::Chain(chain_fault(fault)),
        Some(rustls::Error::InvalidMessage(fault)) if stage == Stage::Hello => {
            Ending::NotTls(format!("{fault:?}"))
        }
        Some(other) if stage == Stage::Answer => Ending::Broken(one_line(&other.to_string())),
        Some(other) => Ending::Incompatible(one_line(&other.to_string())),
        None => Ending::Cut {
            reset: error.kind() != io::ErrorKind::UnexpectedEof,
            stage,
        },
    }
}
