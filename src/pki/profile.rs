//! What each kind of certificate says (RFC 5280 §4.2), in one place. Every field of the library's parameters
//! that matters is set here: its own defaults would make certificates that are valid until the year 4096.

use std::{ops::Add, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};

use super::{
    PublicKey, SubjectError,
    subject::{distinguished_name, host_names, mailbox},
};
use crate::model::{EmailAddress, KeyAlgorithm, SerialNumber, SubjectRequest, Validity};

/// What an end-entity certificate is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Profile {
    /// A TLS client: clientAuth, digitalSignature, the host names as dNSName.
    Client,
    /// Who signs, and reads, mail from this address: emailProtection, digitalSignature and whatever decryption
    /// needs of the kind of key, the address as the only alternative name.
    Email(EmailAddress),
}

/// An end-entity certificate. Dates and serial number are still to be set, by [`date`] and [`number`].
pub(super) fn parameters(
    key: &PublicKey,
    subject: &SubjectRequest,
    profile: &Profile,
) -> Result<CertificateParams, SubjectError> {
    let mut params = CertificateParams::default();
    params.distinguished_name =
        distinguished_name(&subject.common_name, subject.organization.as_deref())?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_identifier_method = key.identifier();
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    match profile {
        Profile::Client => {
            params.subject_alt_names = host_names(subject)?;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
        Profile::Email(address) => {
            params.subject_alt_names = vec![mailbox(address)?];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
            params.key_usages.extend(decryption(key.algorithm()));
        }
    }
    Ok(params)
}

/// RFC 8551 §4.4.2: an RSA key unwraps content keys, an elliptic curve key agrees on them.
fn decryption(algorithm: KeyAlgorithm) -> Option<KeyUsagePurpose> {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            Some(KeyUsagePurpose::KeyEncipherment)
        }
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => Some(KeyUsagePurpose::KeyAgreement),
        KeyAlgorithm::Ed25519 => None,
    }
}

/// The certificate of an authority with at most `below` authorities between it and a leaf. Dates and serial
/// number are still to be set.
pub(super) fn authority(
    key: &PublicKey,
    name: &str,
    below: u8,
) -> Result<CertificateParams, SubjectError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(name, None)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_identifier_method = key.identifier();
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Sets both dates, in whole seconds.
pub(super) fn date(params: &mut CertificateParams, validity: Validity) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = instant(epoch, validity.not_before());
    params.not_after = instant(epoch, validity.not_after());
}

/// `t` in the library's own type of time. Nothing is dated before 1970 here.
pub(super) fn instant<T: Add<Duration, Output = T>>(epoch: T, t: Timestamp) -> T {
    epoch + Duration::from_secs(t.as_second().try_into().unwrap_or(0))
}

/// A serial number that the standard does not allow.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "a serial number of {octets} octets is not allowed: RFC 5280 wants a positive one of 1 to 20"
)]
pub struct InvalidSerial {
    /// How many it would have as DER.
    pub octets: usize,
}

/// The serial number in the library's own type.
pub(super) fn number(serial: &SerialNumber) -> Result<rcgen::SerialNumber, InvalidSerial> {
    let bytes = serial.as_bytes();
    let sign = bytes.first().is_some_and(|first| *first >= 0x80);
    let octets = bytes.len() + usize::from(sign);
    if (1..=20).contains(&octets) {
        Ok(rcgen::SerialNumber::from_slice(bytes))
    } else {
        Err(InvalidSerial { octets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_positive_and_fits_into_twenty_octets() {
        let octets = |bytes: &[u8]| number(&SerialNumber::from_bytes(bytes)).map_err(|e| e.octets);
        assert!(octets(&[1]).is_ok());
        assert!(octets(&[0x7f; 20]).is_ok());
        assert_eq!(octets(&[0]).unwrap_err(), 0);
        assert_eq!(octets(&[0x80; 20]).unwrap_err(), 21);
        assert_eq!(octets(&[1; 21]).unwrap_err(), 21);
    }
}
