//! The shape that certificates, requests and revocation lists share: `SEQUENCE { body, algorithm, signature }`
//! (RFC 5280 §4.1.1, RFC 2986 §4.2), kept as the very bytes that were signed.
//!
//! Nothing is encoded again before it is verified: a re-encoding that differs in one byte would either refuse
//! a good signature or vouch for bytes that nobody signed.

use der::{
    Decode, Reader, SliceReader, Tag, Tagged,
    asn1::{AnyRef, BitStringRef},
};
use rustls::pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm};

/// The parts of something signed.
pub(super) struct Signed<'a> {
    body: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn from_der(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let parts = reader.sequence(|inner| {
            let body = inner.tlv_bytes()?;
            let algorithm = AnyRef::decode(inner)?;
            algorithm.tag().assert_eq(Tag::Sequence)?;
            let signature = BitStringRef::decode(inner)?;
            Ok::<_, der::Error>(Self {
                body,
                algorithm: algorithm.value(),
                signature: signature
                    .as_bytes()
                    .ok_or_else(|| Tag::BitString.value_error())?,
            })
        })?;
        reader.finish()?;
        Ok(parts)
    }

    /// What was signed.
    pub(super) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether the holder of this key signed it, by an algorithm that is still trusted: RSA of 2048 bits or
    /// more, PKCS#1 or PSS; ECDSA on P-256, P-384 or P-521; Ed25519; never SHA-1.
    pub(super) fn is_signed_by(&self, public_key_info: &[u8]) -> bool {
        let Ok(key) = PublicKeyParts::from_der(public_key_info) else {
            return false;
        };
        webpki::ALL_VERIFICATION_ALGS
            .iter()
            .filter(|scheme| self.fits(&key, **scheme))
            .any(|scheme| {
                scheme
                    .verify_signature(key.bits, self.body, self.signature)
                    .is_ok()
            })
    }

    fn fits(&self, key: &PublicKeyParts<'_>, scheme: &dyn SignatureVerificationAlgorithm) -> bool {
        let same = |wanted: AlgorithmIdentifier, found: &[u8]| wanted.as_ref() == found;
        same(scheme.public_key_alg_id(), key.algorithm)
            && same(scheme.signature_alg_id(), self.algorithm)
    }
}

/// A SubjectPublicKeyInfo taken apart.
struct PublicKeyParts<'a> {
    algorithm: &'a [u8],
    bits: &'a [u8],
}

impl<'a> PublicKeyParts<'a> {
    fn from_der(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let parts = reader.sequence(|inner| {
            let algorithm = AnyRef::decode(inner)?;
            let bits = BitStringRef::decode(inner)?;
            Ok::<_, der::Error>(Self {
                algorithm: algorithm.value(),
                bits: bits
                    .as_bytes()
                    .ok_or_else(|| Tag::BitString.value_error())?,
            })
        })?;
        reader.finish()?;
        Ok(parts)
    }
}

/// The fields of a TBSCertificate (RFC 5280 §4.1.2) whose exact bytes matter.
pub(super) struct CertificateParts<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) public_key_info: &'a [u8],
}

impl<'a> CertificateParts<'a> {
    pub(super) fn from_der(der: &'a [u8]) -> der::Result<Self> {
        let signed = Signed::from_der(der)?;
        let mut reader = SliceReader::new(signed.body())?;
        let (issuer, subject, public_key_info) = reader.sequence(|inner| {
            if Tag::peek(inner)?.is_context_specific() {
                inner.tlv_bytes()?; // version
            }
            inner.tlv_bytes()?; // serialNumber
            inner.tlv_bytes()?; // signature
            let issuer = inner.tlv_bytes()?;
            inner.tlv_bytes()?; // validity
            let subject = inner.tlv_bytes()?;
            let public_key_info = inner.tlv_bytes()?;
            // uniqueIDs and extensions
            while !inner.is_finished() {
                inner.tlv_bytes()?;
            }
            Ok::<_, der::Error>((issuer, subject, public_key_info))
        })?;
        Ok(Self {
            signed,
            issuer,
            subject,
            public_key_info,
        })
    }

    /// Whether `issuer` issued this certificate: its name stands here, byte for byte, and its key signed.
    pub(super) fn is_issued_by(&self, issuer: &CertificateParts<'_>) -> bool {
        self.issuer == issuer.subject && self.signed.is_signed_by(issuer.public_key_info)
    }

    /// Whether it is issued by itself.
    pub(super) fn is_self_signed(&self) -> bool {
        self.is_issued_by(self)
    }
}
