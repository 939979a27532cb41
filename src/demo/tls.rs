//! The authority by which the embedded servers are known. It dies with the run.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use zeroize::Zeroizing;

use crate::model::Lapse;

/// How long the certificates of the embedded servers are valid, before and after they are made.
const LIFE: Lapse = Lapse::days(1);

/// What every embedded server computes with; none is ever taken from the process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// An authority for server certificates.
pub(super) struct ServerAuthority {
    issuer: Issuer<'static, KeyPair>,
    anchor: String,
    now: Timestamp,
}

/// A certificate of `localhost` with its key.
pub(super) struct ServerCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<Vec<u8>>,
}

impl ServerAuthority {
    /// A new one, for this day.
    pub(super) fn new(now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = named("countersign demo server authority", now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let anchor = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            anchor,
            now,
        })
    }

    /// What a client trusts to know the servers: PEM.
    pub(super) fn anchor_pem(&self) -> &str {
        &self.anchor
    }

    /// A certificate for a server on this machine.
    pub(super) fn server(&self) -> Result<ServerCertificate, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = named("localhost", self.now);
        params.subject_alt_names =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?
                .subject_alt_names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCertificate {
            chain: vec![certificate.der().clone()],
            key: Zeroizing::new(key.serialize_der()),
        })
    }
}

impl ServerCertificate {
    /// As rustls wants it.
    pub(super) fn into_parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.to_vec());
        (self.chain, key.into())
    }
}

fn named(common_name: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let instant = |t: Timestamp| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(t.as_second().try_into().unwrap_or(0))
    };
    params.not_before = instant(LIFE.before(now));
    params.not_after = instant(LIFE.after(now));
    params
}
