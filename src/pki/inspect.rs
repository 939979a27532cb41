//! Reads what a certificate says (RFC 5280 §4). Certificates come from strangers: bounded, and made printable.

use const_oid::{ObjectIdentifier, db};
use der::{Decode, asn1::Ia5String, oid::AssociatedOid};
use jiff::Timestamp;
use x509_cert::{
    Certificate,
    ext::pkix::{self, name::GeneralName},
    name::Name,
    time::Time,
};

use super::{
    digest::{sha1, sha256},
    public_key::{key_algorithm, key_id},
    signed::CertificateParts,
};
use crate::model::{
    CertificateFacts, ExtendedKeyUsage, Fingerprint, InvertedValidity, KeyUsage, SerialNumber,
    Sha1Fingerprint, Validity, one_line,
};

/// The largest certificate that is read, in bytes.
pub const LARGEST_CERTIFICATE: usize = 64 * 1024;

/// The longest host name (RFC 1035 §2.3.4) and about the longest mailbox (RFC 5321 §4.5.3.1.3).
const LONGEST_NAME: usize = 254;

/// A certificate that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// An extension does not parse, or stands there twice.
    #[error("the extension {extension} of the certificate is malformed or repeated")]
    Extension {
        /// Which.
        extension: &'static str,
        /// Where reading stopped.
        source: der::Error,
    },
    /// Its validity ends before it begins.
    #[error("the certificate can never be valid")]
    NeverValid {
        /// The two dates.
        source: InvertedValidity,
    },
    /// Larger than any honest certificate.
    #[error("the certificate has {found} bytes; at most {limit} are read")]
    TooLarge {
        /// How large it is.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Not DER, not a certificate, cut off, or followed by something else.
    #[error("this is not one whole DER certificate")]
    Unreadable {
        /// Where reading stopped.
        source: der::Error,
    },
}

/// What the certificate says. Its signature is not looked at.
pub fn inspect(der: &[u8]) -> Result<CertificateFacts, InspectError> {
    if der.len() > LARGEST_CERTIFICATE {
        return Err(InspectError::TooLarge {
            found: der.len(),
            limit: LARGEST_CERTIFICATE,
        });
    }
    let unreadable = |source| InspectError::Unreadable { source };
    let certificate = Certificate::from_der(der).map_err(unreadable)?;
    let parts = CertificateParts::from_der(der).map_err(unreadable)?;
    let body = certificate.tbs_certificate();

    let names: Option<pkix::SubjectAltName> = extension(&certificate, "subjectAltName")?;
    let names = names.map_or_else(Vec::new, |names| names.0);
    let constraints: Option<pkix::BasicConstraints> = extension(&certificate, "basicConstraints")?;
    let key_usage: Option<pkix::KeyUsage> = extension(&certificate, "keyUsage")?;
    let purposes: Option<pkix::ExtendedKeyUsage> = extension(&certificate, "extKeyUsage")?;

    Ok(CertificateFacts {
        fingerprint: Fingerprint::from_digest(sha256(der)),
        sha1: Sha1Fingerprint::from_digest(sha1(der)),
        key_id: key_id(parts.public_key_info),
        key_algorithm: key_algorithm(parts.public_key_info),
        subject: shown_name(body.subject()),
        issuer: shown_name(body.issuer()),
        serial: SerialNumber::from_bytes(body.serial_number().as_bytes()),
        validity: Validity::new(
            timestamp(body.validity().not_before),
            timestamp(body.validity().not_after),
        )
        .map_err(|source| InspectError::NeverValid { source })?,
        dns_names: names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DnsName(text) => Some(shown_text(text)),
                _ => None,
            })
            .collect(),
        email_addresses: names
            .iter()
            .filter_map(|name| match name {
                GeneralName::Rfc822Name(text) => Some(shown_text(text)),
                _ => None,
            })
            .collect(),
        extended_key_usage: purposes.map(|list| list.0.iter().map(purpose).collect()),
        key_usage: key_usage.map(|bits| KeyUsage {
            digital_signature: bits.digital_signature(),
            key_encipherment: bits.key_encipherment(),
            key_cert_sign: bits.key_cert_sign(),
            crl_sign: bits.crl_sign(),
        }),
        is_ca: constraints.is_some_and(|constraints| constraints.ca),
        self_issued: parts.issuer == parts.subject,
    })
}

/// A name as RFC 4514 text, printable and bounded.
pub(super) fn shown_name(name: &Name) -> String {
    one_line(&name.to_string())
}

/// A name of subjectAltName as it stands, unless it could deceive whoever reads it.
pub(super) fn shown_text(text: &Ia5String) -> String {
    let text: &str = text.as_ref();
    if text.len() <= LONGEST_NAME && text.bytes().all(|b| b.is_ascii_graphic()) {
        text.to_owned()
    } else {
        one_line(text)
    }
}

fn extension<'a, T: Decode<'a, Error = der::Error> + AssociatedOid>(
    certificate: &'a Certificate,
    name: &'static str,
) -> Result<Option<T>, InspectError> {
    certificate
        .tbs_certificate()
        .get_extension::<T>()
        .map(|found| found.map(|(_critical, value)| value))
        .map_err(|source| InspectError::Extension {
            extension: name,
            source,
        })
}

fn purpose(oid: &ObjectIdentifier) -> ExtendedKeyUsage {
    match *oid {
        db::rfc5280::ANY_EXTENDED_KEY_USAGE => ExtendedKeyUsage::Any,
        db::rfc5280::ID_KP_CLIENT_AUTH => ExtendedKeyUsage::ClientAuth,
        db::rfc5280::ID_KP_EMAIL_PROTECTION => ExtendedKeyUsage::EmailProtection,
        db::rfc5280::ID_KP_SERVER_AUTH => ExtendedKeyUsage::ServerAuth,
        other => ExtendedKeyUsage::Other(other.to_string()),
    }
}

/// RFC 5280 §4.1.2.5 lets "no end" be the last second of the year 9999, which lies a day beyond the last
/// instant that can be counted here.
fn timestamp(time: Time) -> Timestamp {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_end_lasts_as_long_as_can_be_counted() {
        let mut certificate = crate::pki::tests::certificate_until("9999-12-30T20:00:00Z");
        let (stated, without_end) = (b"99991230200000Z", b"99991231235959Z");
        let at = certificate
            .windows(stated.len())
            .position(|window| window == stated)
            .unwrap();
        certificate[at..at + stated.len()].copy_from_slice(without_end);
        let facts = inspect(&certificate).unwrap();
        assert_eq!(facts.validity.not_after(), Timestamp::MAX);
    }
}
