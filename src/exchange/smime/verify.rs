//! Verifying a signature (RFC 5652 §5.6): content digest, signed attributes, signature, and nothing about trust.

use aws_lc_rs::{
    digest,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1,
        ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1,
        ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use cms::{
    cert::CertificateChoices,
    content_info::{CmsVersion, ContentInfo},
    revocation::RevocationInfoChoices,
    signed_data::{
        CertificateSet, DigestAlgorithmIdentifiers, SignerIdentifier, SignerInfo, SignerInfos,
    },
};
use const_oid::db::{rfc5911, rfc5912, rfc8410};
use der::{
    Any, Decode, Encode, EncodingRules, Sequence,
    asn1::{ObjectIdentifier, OctetString},
};
use x509_cert::{Certificate, ext::pkix::SubjectKeyIdentifier};

use super::{SmimeError, named_curve, unencoded, unread};

/// What a good signature says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The certificate whose key signed, DER. Nothing is known of it but that.
    pub signer: Vec<u8>,
    /// The bytes that were signed: a MIME entity, headers and body.
    pub content: Vec<u8>,
}

/// SignedData (RFC 5652 §5.1). The type of `cms` keeps the text as ANY, which forgets whether an octet string
/// came in pieces, as programs that stream write it.
#[derive(Sequence)]
struct SignedData {
    version: CmsVersion,
    digest_algorithms: DigestAlgorithmIdentifiers,
    encapsulated: Encapsulated,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<CertificateSet>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    crls: Option<RevocationInfoChoices>,
    signers: SignerInfos,
}

/// EncapsulatedContentInfo (RFC 5652 §5.2).
#[derive(Sequence)]
struct Encapsulated {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    content: Option<OctetString>,
}

/// Verifies `multipart/signed`: the first part exactly as it stands between the delimiters, with CRLF line
/// ends, and the decoded body of the second.
pub fn verify_detached(entity: &[u8], signature: &[u8]) -> Result<Verified, SmimeError> {
    verify(signature, Some(entity))
}

/// Verifies `application/pkcs7-mime; smime-type=signed-data`, where the signature holds the text.
pub fn verify_opaque(message: &[u8]) -> Result<Verified, SmimeError> {
    verify(message, None)
}

fn verify(message: &[u8], detached: Option<&[u8]>) -> Result<Verified, SmimeError> {
    let what = "the signature";
    // Mail programs that stream write indefinite lengths: BER.
    let info = ContentInfo::from_ber(message).map_err(unread(what))?;
    if info.content_type != rfc5911::ID_SIGNED_DATA {
        return Err(SmimeError::UnsupportedAlgorithm {
            role: "content type",
            oid: info.content_type,
        });
    }
    let data: SignedData = info
        .content
        .decode_as_encoding(EncodingRules::Ber)
        .map_err(unread(what))?;
    let signers = data.signers.0.as_slice();
    let [signer] = signers else {
        return Err(match signers.len() {
            0 => SmimeError::Missing { what: "the signer" },
            count => SmimeError::SeveralSigners { count },
        });
    };
    let content = match (detached, &data.encapsulated.content) {
        (Some(entity), _) => entity.to_vec(),
        (None, Some(inside)) => inside.as_bytes().to_vec(),
        (None, None) => {
            return Err(SmimeError::Missing {
                what: "the signed text",
            });
        }
    };
    let certificate = certificate_of(&data, signer)?;
    check(
        signer,
        data.encapsulated.content_type,
        &content,
        certificate,
    )?;
    Ok(Verified {
        signer: certificate
            .to_der()
            .map_err(unencoded("the signer's certificate"))?,
        content,
    })
}

/// The certificate that the signer info points at.
fn certificate_of<'a>(
    data: &'a SignedData,
    signer: &SignerInfo,
) -> Result<&'a Certificate, SmimeError> {
    let points_at = |certificate: &Certificate| {
        let tbs = certificate.tbs_certificate();
        match &signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(id) => {
                &id.issuer == tbs.issuer() && &id.serial_number == tbs.serial_number()
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => {
                matches!(tbs.get_extension::<SubjectKeyIdentifier>(), Ok(Some((_, own))) if &own == id)
            }
        }
    };
    data.certificates
        .iter()
        .flat_map(|set| set.0.iter())
        .find_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) if points_at(certificate) => {
                Some(certificate)
            }
            _ => None,
        })
        .ok_or(SmimeError::Missing {
            what: "the signer's certificate",
        })
}

fn check(
    signer: &SignerInfo,
    content_type: ObjectIdentifier,
    content: &[u8],
    certificate: &Certificate,
) -> Result<(), SmimeError> {
    let hash = hash(signer.digest_alg.oid)?;
    let signed = match &signer.signed_attrs {
        Some(attributes) => {
            let stated: OctetString = single(signer, rfc5911::ID_MESSAGE_DIGEST)?
                .decode_as()
                .map_err(unread("the message digest"))?;
            if stated.as_bytes() != digest::digest(hash.algorithm(), content).as_ref() {
                return Err(SmimeError::DigestMismatch);
            }
            let stated: ObjectIdentifier = single(signer, rfc5911::ID_CONTENT_TYPE)?
                .decode_as()
                .map_err(unread("the content type"))?;
            if stated != content_type {
                return Err(SmimeError::DigestMismatch);
            }
            // The signature is over the SET, not over the implicit tag (RFC 5652 §5.4).
            attributes
                .to_der()
                .map_err(unencoded("the signed attributes"))?
        }
        None => content.to_vec(),
    };
    let key = certificate.tbs_certificate().subject_public_key_info();
    let algorithm = verification(signer, hash, certificate)?;
    UnparsedPublicKey::new(algorithm, key.subject_public_key.raw_bytes())
        .verify(&signed, signer.signature.as_bytes())
        .map_err(|_| SmimeError::SignatureMismatch)
}

/// The one value of a signed attribute; a second attribute or value would be a way to say two things.
fn single(signer: &SignerInfo, oid: ObjectIdentifier) -> Result<&Any, SmimeError> {
    let mut found = signer
        .signed_attrs
        .iter()
        .flat_map(|attributes| attributes.iter())
        .filter(|attribute| attribute.oid == oid);
    match (found.next(), found.next()) {
        (Some(attribute), None) if attribute.values.len() == 1 => {
            attribute.values.get(0).ok_or(SmimeError::Missing {
                what: "the value of a signed attribute",
            })
        }
        _ => Err(SmimeError::Missing {
            what: "a single signed attribute",
        }),
    }
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// SHA-1 and MD5 are not here on purpose: collisions would let one signature speak for two texts.
fn hash(oid: ObjectIdentifier) -> Result<Hash, SmimeError> {
    Ok(match oid {
        rfc5912::ID_SHA_256 => Hash::Sha256,
        rfc5912::ID_SHA_384 => Hash::Sha384,
        rfc5912::ID_SHA_512 => Hash::Sha512,
        oid => {
            return Err(SmimeError::UnsupportedAlgorithm {
                role: "digest",
                oid,
            });
        }
    })
}

/// The key says which family it is; the signer info may choose padding and digest within it.
fn verification(
    signer: &SignerInfo,
    hash: Hash,
    certificate: &Certificate,
) -> Result<&'static dyn VerificationAlgorithm, SmimeError> {
    let unsupported = |oid| SmimeError::UnsupportedAlgorithm {
        role: "signature",
        oid,
    };
    let scheme = signer.signature_algorithm.oid;
    // A scheme that names its digest must name the one that the signer info names.
    let named = match scheme {
        rfc5912::SHA_256_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_256 => Some(Hash::Sha256),
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_384 => Some(Hash::Sha384),
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_512 => Some(Hash::Sha512),
        _ => None,
    };
    let hash = named.unwrap_or(hash);
    let key = certificate.tbs_certificate().subject_public_key_info();
    Ok(match (key.algorithm.oid, named_curve(certificate)) {
        (rfc5912::RSA_ENCRYPTION, _) => match (scheme, hash) {
            (rfc5912::ID_RSASSA_PSS, Hash::Sha256) => &RSA_PSS_2048_8192_SHA256,
            (rfc5912::ID_RSASSA_PSS, Hash::Sha384) => &RSA_PSS_2048_8192_SHA384,
            (rfc5912::ID_RSASSA_PSS, Hash::Sha512) => &RSA_PSS_2048_8192_SHA512,
            (_, Hash::Sha256) => &RSA_PKCS1_2048_8192_SHA256,
            (_, Hash::Sha384) => &RSA_PKCS1_2048_8192_SHA384,
            (_, Hash::Sha512) => &RSA_PKCS1_2048_8192_SHA512,
        },
        (rfc5912::ID_EC_PUBLIC_KEY, Some(curve)) => match (curve, hash) {
            (rfc5912::SECP_256_R_1, Hash::Sha256) => &ECDSA_P256_SHA256_ASN1,
            (rfc5912::SECP_256_R_1, Hash::Sha384) => &ECDSA_P256_SHA384_ASN1,
            (rfc5912::SECP_256_R_1, Hash::Sha512) => &ECDSA_P256_SHA512_ASN1,
            (rfc5912::SECP_384_R_1, Hash::Sha256) => &ECDSA_P384_SHA256_ASN1,
            (rfc5912::SECP_384_R_1, Hash::Sha384) => &ECDSA_P384_SHA384_ASN1,
            (rfc5912::SECP_384_R_1, Hash::Sha512) => &ECDSA_P384_SHA512_ASN1,
            (rfc5912::SECP_521_R_1, Hash::Sha256) => &ECDSA_P521_SHA256_ASN1,
            (rfc5912::SECP_521_R_1, Hash::Sha384) => &ECDSA_P521_SHA384_ASN1,
            (rfc5912::SECP_521_R_1, Hash::Sha512) => &ECDSA_P521_SHA512_ASN1,
            (curve, _) => return Err(unsupported(curve)),
        },
        (rfc8410::ID_ED_25519, _) => &ED25519,
        (oid, _) => return Err(unsupported(oid)),
    })
}
