//! What a certificate says, as plain facts gathered by `pki` and judged by `policy`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Fingerprint, KeyAlgorithm, KeyId, Sha1Fingerprint, Validity};

/// A positive integer of at most 20 octets (RFC 5280 §4.1.2.2). Shown in hexadecimal.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct SerialNumber(#[serde(with = "hex::serde")] Vec<u8>);

impl SerialNumber {
    /// From the content octets of the DER INTEGER, leading zeros dropped.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
        Self(bytes[first..].to_vec())
    }

    /// Big-endian, without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(&self.0))
    }
}

/// A purpose (RFC 5280 §4.2.1.12).
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtendedKeyUsage {
    /// anyExtendedKeyUsage.
    Any,
    /// id-kp-clientAuth: what a gateway wants of us.
    ClientAuth,
    /// id-kp-emailProtection: what signs our letters.
    EmailProtection,
    /// id-kp-serverAuth.
    ServerAuth,
    /// Another one, by its dotted object identifier.
    Other(String),
}

/// The bits of keyUsage that matter here (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct KeyUsage {
    /// digitalSignature: CertificateVerify needs it.
    pub digital_signature: bool,
    /// keyEncipherment.
    pub key_encipherment: bool,
    /// keyCertSign.
    pub key_cert_sign: bool,
    /// cRLSign.
    pub crl_sign: bool,
}

/// One certificate.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// SHA-256 of the DER.
    pub fingerprint: Fingerprint,
    /// SHA-1 of the DER, for the gateways that pin it.
    pub sha1: Sha1Fingerprint,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// The kind of key; `None` for one that we neither make nor know.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// Subject as RFC 4514 text.
    pub subject: String,
    /// Issuer as RFC 4514 text.
    pub issuer: String,
    /// The serial number.
    pub serial: SerialNumber,
    /// The period.
    pub validity: Validity,
    /// dNSName entries of subjectAltName, as written.
    pub dns_names: Vec<String>,
    /// rfc822Name entries of subjectAltName, as written.
    pub email_addresses: Vec<String>,
    /// `None` when the extension is missing.
    pub extended_key_usage: Option<Vec<ExtendedKeyUsage>>,
    /// `None` when the extension is missing.
    pub key_usage: Option<KeyUsage>,
    /// basicConstraints cA.
    pub is_ca: bool,
    /// Subject and issuer are the same name (RFC 5280: self-issued).
    pub self_issued: bool,
}

impl CertificateFacts {
    /// Whether it may be used by a TLS client: clientAuth or any purpose named, or the extension missing.
    pub fn allows_client_auth(&self) -> bool {
        self.extended_key_usage.as_ref().is_none_or(|usages| {
            usages.contains(&ExtendedKeyUsage::ClientAuth)
                || usages.contains(&ExtendedKeyUsage::Any)
        })
    }
}

/// A chain as it will be sent, leaf first, with what was found when it was put together.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ChainFacts {
    /// Leaf first; never empty.
    pub certificates: Vec<CertificateFacts>,
    /// Whether the leaf certifies the key that it was meant for; `None` when no key was at hand.
    pub key_matches: Option<bool>,
    /// The first link that does not hold, if any.
    pub order_fault: Option<OrderFault>,
    /// Whether the last certificate is issued by one of the anchors that were given, or is one itself,
    /// or is self-signed and alone; `None` when no anchors were given and the end is not self-issued.
    pub complete: Option<bool>,
}

impl ChainFacts {
    /// The end entity.
    pub fn leaf(&self) -> &CertificateFacts {
        &self.certificates[0]
    }
}

/// Two neighbours of a chain of which the second did not issue the first.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct OrderFault {
    /// Position of the certificate whose issuer should follow, the leaf being 0.
    pub position: usize,
    /// Its issuer's name.
    pub issuer: String,
    /// The name that follows instead, or the same name when only the signature does not verify.
    pub next_subject: String,
}
