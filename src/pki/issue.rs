//! What issuing has in common: the errors, serial numbers, and the certificate that certifies itself.

use aws_lc_rs::{error::Unspecified, rand};

use super::{
    PrivateKey, SubjectError,
    profile::{InvalidSerial, Profile, date, number, parameters},
};
use crate::model::{SerialNumber, SubjectRequest, Validity};

/// A certificate or revocation list that was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The library could not encode or sign it.
    #[error("the {what} could not be made")]
    Making {
        /// A certificate or a revocation list.
        what: &'static str,
        /// The library's reason.
        source: rcgen::Error,
    },
    /// Only a root issues authorities.
    #[error(
        "`{subject}` is no root: only a root, whose certificate is its own, issues authorities"
    )]
    NotRoot {
        /// Who was asked.
        subject: String,
    },
    /// Its issuer's certificate would end first, and with it this one.
    #[error(
        "the certificate would end at {wanted}, after its authority's at {authority}; shorten its validity or renew the authority first"
    )]
    OutlivesAuthority {
        /// When the new one would end.
        wanted: jiff::Timestamp,
        /// When the authority's ends.
        authority: jiff::Timestamp,
    },
    /// No random bytes are to be had.
    #[error("no random serial number could be made")]
    Random {
        /// The library's word.
        source: Unspecified,
    },
    /// The serial number is not allowed.
    #[error("the serial number cannot be used")]
    Serial {
        /// Why.
        source: InvalidSerial,
    },
    /// The subject cannot be certified.
    #[error("the subject cannot be certified")]
    Subject {
        /// Why.
        source: SubjectError,
    },
    /// What was made does not verify with its issuer's certificate, and was thrown away.
    #[error("the certificate that was made does not verify with the certificate of `{issuer}`")]
    Unverifiable {
        /// Who issued it.
        issuer: String,
    },
}

/// A serial number that nobody can guess or meet twice: 158 random bits in 20 octets (RFC 5280 §4.1.2.2).
pub fn random_serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0; 20];
    rand::fill(&mut bytes).map_err(|source| IssueError::Random { source })?;
    // Positive, and always of the same length.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_bytes(&bytes))
}

/// A client certificate (DER) that certifies itself.
///
/// It is no authority, so that nothing can be issued under it where it is installed; stacks built on OpenSSL
/// accept it as a trust anchor for itself all the same.
pub fn self_signed(
    key: &PrivateKey,
    subject: &SubjectRequest,
    validity: Validity,
    serial: &SerialNumber,
) -> Result<Vec<u8>, IssueError> {
    let mut params = parameters(key.public_key(), subject, &Profile::Client)
        .map_err(|source| IssueError::Subject { source })?;
    date(&mut params, validity);
    params.serial_number = Some(number(serial).map_err(|source| IssueError::Serial { source })?);
    let certificate = params
        .self_signed(key)
        .map_err(|source| IssueError::Making {
            what: "certificate",
            source,
        })?;
    Ok(certificate.der().to_vec())
}
