//! Kinds of key by the names that people know, and why some are of no use here.

use der::{Tag, asn1::ObjectIdentifier};

use super::{Refusal, tlv::Element};

const NO_SIGNATURE: &str = "such a key agrees on secrets and cannot prove an identity; use ECDSA on P-256 or P-384, RSA or Ed25519";
const NOT_IN_TLS: &str =
    "no gateway takes it for a client certificate; use ECDSA on P-256 or P-384, RSA or Ed25519";
const WITHDRAWN: &str = "DSA is withdrawn (FIPS 186-5) and gone from TLS 1.3; use ECDSA on P-256 or P-384, RSA or Ed25519";
const NOT_OFFERED: &str =
    "TLS libraries do not offer this curve for client certificates; use P-256 or P-384";
const EXPLICIT: &str = "a curve that is written out and not named is forbidden (RFC 5480 §2.1.1) and can be a forged one; make a new key on P-256 or P-384";

/// A kind of key by its algorithm: its name, and why it is refused if it is.
pub(super) fn kind(
    oid: &ObjectIdentifier,
    parameters: Option<Element<'_>>,
) -> (String, Option<&'static str>) {
    let (name, reason) = match oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => ("RSA", None),
        "1.2.840.113549.1.1.7" => (
            "RSA for OAEP only",
            Some("it may not sign; use an RSA key without that restriction"),
        ),
        "1.2.840.113549.1.1.10" => (
            "RSA for PSS only",
            Some(
                "TLS 1.2 stacks refuse a key that is restricted to PSS; use an RSA key without that restriction",
            ),
        ),
        "1.2.840.10040.4.1" | "1.3.14.3.2.12" => ("DSA", Some(WITHDRAWN)),
        "1.2.840.10046.2.1" | "1.2.840.113549.1.3.1" => ("Diffie-Hellman", Some(NO_SIGNATURE)),
        "1.2.840.10045.2.1" => return curve(parameters),
        "1.3.101.110" => ("X25519", Some(NO_SIGNATURE)),
        "1.3.101.111" => ("X448", Some(NO_SIGNATURE)),
        "1.3.101.112" => ("Ed25519", None),
        "1.3.101.113" => ("Ed448", Some(NOT_IN_TLS)),
        "2.16.840.1.101.3.4.3.17" => ("ML-DSA-44", Some(NOT_IN_TLS)),
        "2.16.840.1.101.3.4.3.18" => ("ML-DSA-65", Some(NOT_IN_TLS)),
        "2.16.840.1.101.3.4.3.19" => ("ML-DSA-87", Some(NOT_IN_TLS)),
        "2.16.840.1.101.3.4.4.1" => ("ML-KEM-512", Some(NO_SIGNATURE)),
        "2.16.840.1.101.3.4.4.2" => ("ML-KEM-768", Some(NO_SIGNATURE)),
        "2.16.840.1.101.3.4.4.3" => ("ML-KEM-1024", Some(NO_SIGNATURE)),
        "1.2.643.2.2.19" | "1.2.643.7.1.1.1.1" | "1.2.643.7.1.1.1.2" => ("GOST", Some(NOT_IN_TLS)),
        other => return (format!("of the kind {other}"), Some(NOT_IN_TLS)),
    };
    (name.to_owned(), reason)
}

fn curve(parameters: Option<Element<'_>>) -> (String, Option<&'static str>) {
    let Some(parameters) = parameters else {
        return ("elliptic, without a curve".to_owned(), Some(EXPLICIT));
    };
    let Some(oid) = parameters.oid() else {
        return (
            "elliptic, on a curve written out".to_owned(),
            Some(EXPLICIT),
        );
    };
    let (name, reason) = match oid.to_string().as_str() {
        "1.2.840.10045.3.1.7" => ("P-256", None),
        "1.3.132.0.34" => ("P-384", None),
        "1.3.132.0.35" => ("P-521", Some(NOT_OFFERED)),
        "1.3.132.0.33" => ("P-224", Some(NOT_OFFERED)),
        "1.2.840.10045.3.1.1" => ("P-192", Some(NOT_OFFERED)),
        "1.3.132.0.10" => ("secp256k1", Some(NOT_OFFERED)),
        "1.3.36.3.3.2.8.1.1.7" => ("brainpoolP256r1", Some(NOT_OFFERED)),
        "1.3.36.3.3.2.8.1.1.11" => ("brainpoolP384r1", Some(NOT_OFFERED)),
        "1.3.36.3.3.2.8.1.1.13" => ("brainpoolP512r1", Some(NOT_OFFERED)),
        "1.2.156.10197.1.301" => ("SM2", Some(NOT_OFFERED)),
        "1.3.132.0.1" => ("K-163", Some(NOT_OFFERED)),
        "1.3.132.0.15" => ("B-163", Some(NOT_OFFERED)),
        "1.3.132.0.26" => ("K-233", Some(NOT_OFFERED)),
        "1.3.132.0.27" => ("B-233", Some(NOT_OFFERED)),
        "1.3.132.0.16" => ("K-283", Some(NOT_OFFERED)),
        "1.3.132.0.17" => ("B-283", Some(NOT_OFFERED)),
        "1.3.132.0.36" => ("K-409", Some(NOT_OFFERED)),
        "1.3.132.0.37" => ("B-409", Some(NOT_OFFERED)),
        "1.3.132.0.38" => ("K-571", Some(NOT_OFFERED)),
        "1.3.132.0.39" => ("B-571", Some(NOT_OFFERED)),
        other => return (format!("ECDSA on the curve {other}"), Some(NOT_OFFERED)),
    };
    (format!("ECDSA on {name}"), reason)
}

/// What is said against an RSA key of this size and exponent (SP 800-131A, FIPS 186-5 §5.1).
pub(super) fn rsa_fault(bits: usize, exponent: &[u8]) -> Option<&'static str> {
    let small_exponent = exponent.len() < 3 || (exponent.len() == 3 && exponent < &[1, 0, 1][..]);
    if bits < 2048 {
        Some("it is shorter than 2048 bits and can be broken; make a new key")
    } else if !matches!(bits, 2048 | 3072 | 4096) {
        Some("gateways and authorities take RSA keys of 2048, 3072 or 4096 bits; make a new key")
    } else if small_exponent {
        Some("its public exponent is smaller than 65537 (FIPS 186-5 forbids it); make a new key")
    } else if exponent.last().is_none_or(|last| last & 1 == 0) {
        Some("its public exponent is even: that is no RSA key")
    } else if exponent.len() > 4 {
        Some("its public exponent is larger than TLS libraries take; make a new key")
    } else {
        None
    }
}

/// The bits of a number, big-endian.
pub(super) fn bits(number: &[u8]) -> usize {
    let digits = super::tlv::without_zeros(number);
    digits.len() * 8 - digits.first().map_or(0, |b| b.leading_zeros() as usize)
}

/// The name of the key in a SubjectPublicKeyInfo, with its size where it has one.
pub(super) fn public_key_name(info: &[u8]) -> Option<String> {
    let children = Element::only(info).ok()?.children().ok()?;
    let (oid, parameters) = children.first()?.algorithm()?;
    let (name, _) = kind(&oid, parameters);
    if name != "RSA" {
        return Some(name);
    }
    let bit_string = children.get(1).filter(|key| key.tag == Tag::BitString)?;
    let key = Element::only(bit_string.value.get(1..)?).ok()?;
    let modulus = *key.children().ok()?.first()?;
    Some(rsa_name(modulus.value))
}

/// An RSA key by its modulus.
pub(super) fn rsa_name(modulus: &[u8]) -> String {
    format!("RSA of {} bits", bits(modulus))
}

/// The refusal of a kind of key.
pub(super) fn unsupported(name: impl Into<String>, reason: &'static str) -> Refusal {
    Refusal::UnsupportedKey {
        name: name.into(),
        reason,
    }
}

/// The refusal of DSA, which comes in containers of its own as well.
pub(super) fn dsa() -> Refusal {
    unsupported("DSA", WITHDRAWN)
}
