//! A detached signature (RFC 8551 §3.5.3): SHA-256, or SHA-384 with a P-384 key.

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use cms::{
    cert::{CertificateChoices, IssuerAndSerialNumber},
    content_info::{CmsVersion, ContentInfo},
    signed_data::{
        CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo,
        SignerInfos,
    },
};
use const_oid::db::{rfc5911, rfc5912};
use der::{
    Any, Encode, Tagged,
    asn1::{GeneralizedTime, ObjectIdentifier, OctetString, SetOfVec, UtcTime},
};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use x509_cert::{Certificate, attr::Attribute, time::Time};

use super::{SmimeError, certificate, failed, named_curve, unencoded};

/// A private key that signs letters, with the certificates that say whose it is.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    chain: Vec<Certificate>,
}

#[derive(Debug)]
enum SigningKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

/// A signature, and what `multipart/signed` must say about it.
#[derive(Clone, Debug)]
pub struct SignedEntity {
    /// ContentInfo with SignedData, DER: the body of `smime.p7s`.
    pub signature: Vec<u8>,
    /// The `micalg` parameter.
    pub micalg: &'static str,
}

impl Signer {
    /// Takes a PKCS#8 key (RSA, P-256 or P-384) and its certificates, DER, leaf first; refuses a pair that
    /// does not match.
    pub fn new(pkcs8: &[u8], chain: &[Vec<u8>]) -> Result<Self, SmimeError> {
        let chain = chain
            .iter()
            .map(|der| certificate("signer's", der))
            .collect::<Result<Vec<_>, _>>()?;
        let leaf = chain.first().ok_or(SmimeError::Missing {
            what: "the signer's certificate",
        })?;
        let info = leaf.tbs_certificate().subject_public_key_info();
        let rejected = |e: aws_lc_rs::error::KeyRejected| SmimeError::KeyRejected {
            reason: e.to_string(),
        };
        let key = match (info.algorithm.oid, named_curve(leaf)) {
            (rfc5912::RSA_ENCRYPTION, _) => {
                SigningKey::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?)
            }
            (rfc5912::ID_EC_PUBLIC_KEY, Some(rfc5912::SECP_256_R_1)) => SigningKey::P256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
                    .map_err(rejected)?,
            ),
            (rfc5912::ID_EC_PUBLIC_KEY, Some(rfc5912::SECP_384_R_1)) => SigningKey::P384(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8)
                    .map_err(rejected)?,
            ),
            (oid, curve) => {
                return Err(SmimeError::UnsupportedAlgorithm {
                    role: "signer's key",
                    oid: curve.unwrap_or(oid),
                });
            }
        };
        if info.subject_public_key.as_bytes() != Some(key.public()) {
            return Err(SmimeError::KeyMismatch);
        }
        Ok(Self { key, chain })
    }

    /// Signs a MIME entity, headers and body, CRLF line ends, exactly as it will stand between the
    /// delimiters: without the line end that belongs to the next delimiter.
    pub fn sign(&self, entity: &[u8], at: Timestamp) -> Result<SignedEntity, SmimeError> {
        let profile = self.key.profile();
        let leaf = &self.chain[0]; // `new` refuses an empty chain.
        let algorithm = |oid, parameters| AlgorithmIdentifierOwned { oid, parameters };
        let attributes = signed_attributes(digest::digest(profile.digest, entity).as_ref(), at)?;
        let signature = self
            .key
            .sign(&attributes.to_der().map_err(unencoded("the attributes"))?)?;
        let info = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: leaf.tbs_certificate().issuer().clone(),
                serial_number: leaf.tbs_certificate().serial_number().clone(),
            }),
            digest_alg: algorithm(profile.digest_oid, None),
            signed_attrs: Some(attributes),
            signature_algorithm: algorithm(profile.signature_oid, profile.parameters),
            signature: OctetString::new(signature).map_err(unencoded("the signature"))?,
            unsigned_attrs: None,
        };
        let certificates: Vec<_> = self
            .chain
            .iter()
            .cloned()
            .map(CertificateChoices::Certificate)
            .collect();
        let data = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from([algorithm(profile.digest_oid, None)])
                .map_err(unencoded("the digest algorithms"))?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: rfc5911::ID_DATA,
                econtent: None,
            },
            certificates: Some(
                CertificateSet::try_from(certificates).map_err(unencoded("the certificates"))?,
            ),
            crls: None,
            signer_infos: SignerInfos::try_from(vec![info]).map_err(unencoded("the signer"))?,
        };
        Ok(SignedEntity {
            signature: content_info(rfc5911::ID_SIGNED_DATA, &data)?,
            micalg: profile.micalg,
        })
    }
}

/// Wraps a content type's value (RFC 5652 §3).
pub(super) fn content_info(
    oid: ObjectIdentifier,
    value: &(impl Encode + Tagged + der::EncodeValue),
) -> Result<Vec<u8>, SmimeError> {
    let what = "the content info";
    ContentInfo {
        content_type: oid,
        content: Any::encode_from(value).map_err(unencoded(what))?,
    }
    .to_der()
    .map_err(unencoded(what))
}

struct Profile {
    digest: &'static digest::Algorithm,
    digest_oid: ObjectIdentifier,
    signature_oid: ObjectIdentifier,
    parameters: Option<Any>,
    micalg: &'static str,
}

impl SigningKey {
    fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(key) => key.public_key().as_ref(),
            Self::P256(key) | Self::P384(key) => key.public_key().as_ref(),
        }
    }

    fn profile(&self) -> Profile {
        let sha256 = |signature_oid, parameters| Profile {
            digest: &digest::SHA256,
            digest_oid: rfc5912::ID_SHA_256,
            signature_oid,
            parameters,
            micalg: "sha-256",
        };
        match self {
            // RFC 3370 §3.2: rsaEncryption with NULL is what every reader takes.
            Self::Rsa(_) => sha256(rfc5912::RSA_ENCRYPTION, Some(Any::null())),
            Self::P256(_) => sha256(rfc5912::ECDSA_WITH_SHA_256, None),
            Self::P384(_) => Profile {
                digest: &digest::SHA384,
                digest_oid: rfc5912::ID_SHA_384,
                signature_oid: rfc5912::ECDSA_WITH_SHA_384,
                parameters: None,
                micalg: "sha-384",
            },
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SmimeError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(failed("signing"))?;
                Ok(signature)
            }
            Self::P256(key) | Self::P384(key) => key
                .sign(&random, message)
                .map(|s| s.as_ref().to_vec())
                .map_err(failed("signing")),
        }
    }
}

/// contentType, messageDigest, signingTime and the ciphers that we can read (RFC 8551 §2.5).
fn signed_attributes(
    message_digest: &[u8],
    at: Timestamp,
) -> Result<SetOfVec<Attribute>, SmimeError> {
    let what = "the signed attributes";
    let value = |oid, any: Result<Any, der::Error>| -> Result<Attribute, SmimeError> {
        let values = SetOfVec::try_from([any.map_err(unencoded(what))?]);
        Ok(Attribute {
            oid,
            values: values.map_err(unencoded(what))?,
        })
    };
    let digest = OctetString::new(message_digest).map_err(unencoded(what))?;
    let since_epoch = std::time::Duration::from_secs(at.as_second().try_into().unwrap_or(0));
    let time = match UtcTime::from_unix_duration(since_epoch) {
        Ok(time) => Time::UtcTime(time),
        // From 2050 on (RFC 5652 §11.3).
        Err(_) => Time::GeneralTime(
            GeneralizedTime::from_unix_duration(since_epoch).map_err(unencoded(what))?,
        ),
    };
    let capabilities = vec![AlgorithmIdentifierOwned {
        oid: rfc5911::ID_AES_256_CBC,
        parameters: None,
    }];
    SetOfVec::try_from(vec![
        value(
            rfc5911::ID_CONTENT_TYPE,
            Any::encode_from(&rfc5911::ID_DATA),
        )?,
        value(rfc5911::ID_MESSAGE_DIGEST, Any::encode_from(&digest))?,
        value(rfc5911::ID_SIGNING_TIME, Any::encode_from(&time))?,
        value(rfc5911::SMIME_CAPABILITIES, Any::encode_from(&capabilities))?,
    ])
    .map_err(unencoded(what))
}
