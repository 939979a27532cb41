//! Private keys as they are written: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 appendix A.1.2), SEC1 (RFC 5915).
//!
//! Whatever the form, it is judged by name first, so that a person reads "DSA" and not an error of a library, and
//! then given to the one constructor of keys as PKCS#8 of version 1. Attributes, which Windows adds, are left out.

use der::{Tag, asn1::ObjectIdentifier};

use super::{
    Refusal, names,
    tlv::{Element, wrap},
};
use crate::pki::PrivateKey;

const INTEGER_ZERO: &[u8] = &[0x02, 0x01, 0x00];
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
/// rsaEncryption with its NULL.
const RSA: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// ecPublicKey, without the sequence around it and the curve behind it.
const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

fn damaged() -> Refusal {
    Refusal::damaged("private key")
}

/// `OneAsymmetricKey ::= SEQUENCE { version, algorithm, privateKey, [0] attributes, [1] publicKey }`
pub(super) fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, Refusal> {
    let children = Element::only(der)
        .and_then(Element::children)
        .map_err(|_| damaged())?;
    let [version, algorithm, key, rest @ ..] = children.as_slice() else {
        return Err(damaged());
    };
    if !matches!(version.number(), Some(0 | 1)) || key.tag != Tag::OctetString {
        return Err(damaged());
    }
    let (oid, parameters) = algorithm.algorithm().ok_or_else(damaged)?;
    judge(&oid, parameters, key.value)?;
    let plain = wrap(SEQUENCE, &[INTEGER_ZERO, algorithm.whole, key.whole]);
    let key = PrivateKey::from_pkcs8(plain).map_err(|source| Refusal::Key { source })?;
    // A BIT STRING under an implicit tag: one octet that counts unused bits, then the key.
    let stated = rest.iter().find(|element| element.is_context(1));
    if stated.is_some_and(|stated| stated.value.get(1..) != Some(key.public_key().bits())) {
        return Err(Refusal::KeyAndPublicKeyDiffer);
    }
    Ok(key)
}

/// `RSAPrivateKey ::= SEQUENCE { version, n, e, d, p, q, dP, dQ, qInv, otherPrimeInfos OPTIONAL }`
pub(super) fn from_pkcs1(der: &[u8]) -> Result<PrivateKey, Refusal> {
    judge_rsa(der)?;
    let plain = wrap(SEQUENCE, &[INTEGER_ZERO, RSA, &wrap(OCTET_STRING, &[der])]);
    PrivateKey::from_pkcs8(plain).map_err(|source| Refusal::Key { source })
}

/// `ECPrivateKey ::= SEQUENCE { 1, privateKey, [0] parameters OPTIONAL, [1] publicKey OPTIONAL }`; the curve may
/// stand in a block of its own in front of the key.
pub(super) fn from_sec1(der: &[u8], curve_before: Option<&[u8]>) -> Result<PrivateKey, Refusal> {
    let children = Element::only(der)
        .and_then(Element::children)
        .map_err(|_| damaged())?;
    let within = children.iter().find(|element| element.is_context(0));
    let curve = match (within, curve_before) {
        (Some(explicit), _) => explicit.value,
        (None, Some(before)) => before,
        (None, None) => {
            return Err(Refusal::NotWanted {
                found: "an EC private key that does not say on which curve".to_owned(),
                remedy: "give it together with its EC PARAMETERS",
            });
        }
    };
    let parameters = Element::only(curve).map_err(|_| damaged())?;
    let (name, reason) = names::kind(&db_ec(), Some(parameters));
    if let Some(reason) = reason {
        return Err(names::unsupported(name, reason));
    }
    let algorithm = wrap(SEQUENCE, &[EC, curve]);
    let plain = wrap(
        SEQUENCE,
        &[INTEGER_ZERO, &algorithm, &wrap(OCTET_STRING, &[der])],
    );
    PrivateKey::from_pkcs8(plain).map_err(|source| Refusal::Key { source })
}

const fn db_ec() -> ObjectIdentifier {
    const_oid::db::rfc5912::ID_EC_PUBLIC_KEY
}

fn judge(
    oid: &ObjectIdentifier,
    parameters: Option<Element<'_>>,
    key: &[u8],
) -> Result<(), Refusal> {
    let (name, reason) = names::kind(oid, parameters);
    if let Some(reason) = reason {
        return Err(names::unsupported(name, reason));
    }
    if *oid == const_oid::db::rfc5912::RSA_ENCRYPTION {
        judge_rsa(key)?;
    }
    Ok(())
}

fn judge_rsa(der: &[u8]) -> Result<(), Refusal> {
    let children = Element::only(der)
        .and_then(Element::children)
        .map_err(|_| damaged())?;
    let [version, modulus, exponent, ..] = children.as_slice() else {
        return Err(damaged());
    };
    let name = names::rsa_name(modulus.value);
    if version.number() == Some(1) || children.len() > 9 {
        return Err(names::unsupported(
            format!("{name} with more than two primes"),
            "libraries for TLS do not take it; make a new key",
        ));
    }
    let bits = names::bits(modulus.value);
    match names::rsa_fault(bits, super::tlv::without_zeros(exponent.value)) {
        Some(reason) => Err(names::unsupported(name, reason)),
        None => Ok(()),
    }
}
