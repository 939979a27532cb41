//! What a report keeps of the chain that the server sent.

use aws_lc_rs::digest::{SHA256, digest};
use der::{Decode, Encode as _};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;

use super::observation::ServerCertificate;
use crate::{
    model::{CertificateSummary, Fingerprint, SerialNumber, Validity, one_line},
    pki::key_id,
};

/// More than any honest chain has.
const LONGEST: usize = 10;

/// Reads what can be read, leaf first; what is no certificate is left out, for the verifier has said so.
pub(super) fn read<'a>(
    chain: impl Iterator<Item = &'a CertificateDer<'a>>,
) -> Vec<ServerCertificate> {
    chain.take(LONGEST).filter_map(|der| one(der)).collect()
}

fn one(der: &[u8]) -> Option<ServerCertificate> {
    let certificate = Certificate::from_der(der).ok()?;
    let facts = certificate.tbs_certificate();
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, der).as_ref());
    let instant = |time: x509_cert::time::Time| {
        Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
    };
    let validity = Validity::new(
        instant(facts.validity().not_before)?,
        instant(facts.validity().not_after)?,
    )
    .ok()?;
    Some(ServerCertificate {
        summary: CertificateSummary {
            subject: one_line(&facts.subject().to_string()),
            fingerprint: Fingerprint::from_digest(fingerprint),
            serial: SerialNumber::from_bytes(facts.serial_number().as_bytes()),
            validity,
            issuer: one_line(&facts.issuer().to_string()),
            key: facts
                .subject_public_key_info()
                .to_der()
                .ok()
                .map(|info| key_id(&info)),
        },
        issuer: one_line(&facts.issuer().to_string()),
    })
}

/// Whether one of these names (DER) issued a certificate of the chain; `None` when there are no names.
pub(super) fn names_one(names: &[&[u8]], chain: &[CertificateDer<'_>]) -> Option<bool> {
    if names.is_empty() {
        return None;
    }
    let issuers = chain.iter().filter_map(|der| {
        let certificate = Certificate::from_der(der).ok()?;
        certificate.tbs_certificate().issuer().to_der().ok()
    });
    Some(issuers.into_iter().any(|issuer| {
        // rustls hands over the whole name, its outer SEQUENCE included.
        names.contains(&issuer.as_slice())
    }))
}
