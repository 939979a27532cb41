//! Revocation (RFC 5280 §5): which serial numbers an authority takes back, since when, and why.

use jiff::Timestamp;
use rcgen::RevokedCertParams;
use serde::{Deserialize, Serialize};

use super::profile::{InvalidSerial, instant, number};
use crate::model::SerialNumber;

/// Why a certificate is taken back (RFC 5280 §5.3.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// No reason is given.
    Unspecified,
    /// The private key is known or feared to be in other hands.
    KeyCompromise,
    /// What the certificate says of us is no longer so.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// The identity is no longer used.
    CessationOfOperation,
}

impl RevocationReason {
    /// The word used in records and at the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
        }
    }
}

impl std::fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One certificate that an authority takes back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Revoked {
    /// Its serial number.
    pub serial: SerialNumber,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

impl Revoked {
    pub(super) fn parameters(&self) -> Result<RevokedCertParams, InvalidSerial> {
        Ok(RevokedCertParams {
            serial_number: number(&self.serial)?,
            revocation_time: instant(rcgen::date_time_ymd(1970, 1, 1), self.at),
            // The library leaves "unspecified" out, as the standard wants it.
            reason_code: Some(match self.reason {
                RevocationReason::Unspecified => rcgen::RevocationReason::Unspecified,
                RevocationReason::KeyCompromise => rcgen::RevocationReason::KeyCompromise,
                RevocationReason::AffiliationChanged => rcgen::RevocationReason::AffiliationChanged,
                RevocationReason::Superseded => rcgen::RevocationReason::Superseded,
                RevocationReason::CessationOfOperation => {
                    rcgen::RevocationReason::CessationOfOperation
                }
            }),
            invalidity_date: None,
        })
    }
}
