//! Encrypting to several people (RFC 5652 §6): AES-256-CBC under one content key, and that key to each.
//!
//! To an RSA key by PKCS#1 v1.5 (RFC 3370 §4.2.1), because Outlook and most mail gateways read nothing else
//! there; its known weakness needs an oracle that answers, and a mail does not. To an elliptic curve by
//! ephemeral-static ECDH with X9.63 over SHA-256 and AES-256 key wrap (RFC 5753 §3.1).

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, UnparsedPublicKey},
    cipher::{self, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey},
    digest, key_wrap,
    key_wrap::KeyWrap as _,
    rand,
    rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey},
};
use cms::{
    cert::IssuerAndSerialNumber,
    content_info::CmsVersion,
    enveloped_data::{
        EncryptedContentInfo, EnvelopedData, KeyAgreeRecipientIdentifier, KeyAgreeRecipientInfo,
        KeyTransRecipientInfo, OriginatorIdentifierOrKey, OriginatorPublicKey,
        RecipientEncryptedKey, RecipientIdentifier, RecipientInfo, RecipientInfos,
    },
};
use const_oid::db::{rfc5753, rfc5911, rfc5912};
use der::{
    Any, Encode,
    asn1::{BitString, ObjectIdentifier, OctetString},
};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Certificate;
use zeroize::Zeroizing;

use super::{SmimeError, certificate, failed, kdf, named_curve, sign::content_info, unencoded};

/// Encrypts a MIME entity to every one of these certificates (DER) and to nobody else. Returns ContentInfo
/// with EnvelopedData, DER: the body of `smime.p7m`. Fails as a whole when one of them cannot be used.
pub fn encrypt(entity: &[u8], recipients: &[Vec<u8>]) -> Result<Vec<u8>, SmimeError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    rand::fill(key.as_mut()).map_err(failed("random generation"))?;
    let infos = recipients
        .iter()
        .map(|der| recipient(&certificate("recipient's", der)?, key.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    if infos.is_empty() {
        return Err(SmimeError::Missing {
            what: "a recipient",
        });
    }
    let version = match infos.iter().all(|i| matches!(i, RecipientInfo::Ktri(_))) {
        true => CmsVersion::V0,
        false => CmsVersion::V2,
    };
    let data = EnvelopedData {
        version,
        originator_info: None,
        recip_infos: RecipientInfos::try_from(infos).map_err(unencoded("the recipients"))?,
        encrypted_content: encrypted_content(entity, key.as_ref())?,
        unprotected_attrs: None,
    };
    content_info(rfc5911::ID_ENVELOPED_DATA, &data)
}

fn encrypted_content(entity: &[u8], key: &[u8]) -> Result<EncryptedContentInfo, SmimeError> {
    let what = "the encrypted content";
    let cipher = UnboundCipherKey::new(&cipher::AES_256, key)
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .map_err(failed("encryption"))?;
    let mut bytes = entity.to_vec();
    let DecryptionContext::Iv128(iv) = cipher.encrypt(&mut bytes).map_err(failed("encryption"))?
    else {
        return Err(SmimeError::Failed {
            operation: "encryption",
        });
    };
    let iv = OctetString::new(*iv.as_ref()).map_err(unencoded(what))?;
    Ok(EncryptedContentInfo {
        content_type: rfc5911::ID_DATA,
        content_enc_alg: AlgorithmIdentifierOwned {
            oid: rfc5911::ID_AES_256_CBC,
            parameters: Some(Any::encode_from(&iv).map_err(unencoded(what))?),
        },
        encrypted_content: Some(OctetString::new(bytes).map_err(unencoded(what))?),
    })
}

fn recipient(certificate: &Certificate, key: &[u8]) -> Result<RecipientInfo, SmimeError> {
    let tbs = certificate.tbs_certificate();
    let id = IssuerAndSerialNumber {
        issuer: tbs.issuer().clone(),
        serial_number: tbs.serial_number().clone(),
    };
    let oid = tbs.subject_public_key_info().algorithm.oid;
    match (oid, named_curve(certificate)) {
        (rfc5912::RSA_ENCRYPTION, _) => transport(certificate, id, key),
        (rfc5912::ID_EC_PUBLIC_KEY, Some(curve)) => agree(certificate, curve, id, key),
        (oid, _) => Err(SmimeError::UnsupportedAlgorithm {
            role: "recipient's key",
            oid,
        }),
    }
}

fn transport(
    certificate: &Certificate,
    id: IssuerAndSerialNumber,
    key: &[u8],
) -> Result<RecipientInfo, SmimeError> {
    let what = "the recipient's key";
    let info = certificate
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .map_err(unencoded(what))?;
    let public = PublicEncryptingKey::from_der(&info)
        .map_err(|e| SmimeError::KeyRejected {
            reason: e.to_string(),
        })
        .and_then(|k| Pkcs1PublicEncryptingKey::new(k).map_err(failed("key encryption")))?;
    let mut encrypted = vec![0; public.ciphertext_size()];
    let encrypted = public
        .encrypt(key, &mut encrypted)
        .map_err(failed("key encryption"))?;
    Ok(RecipientInfo::Ktri(KeyTransRecipientInfo {
        version: CmsVersion::V0,
        rid: RecipientIdentifier::IssuerAndSerialNumber(id),
        key_enc_alg: AlgorithmIdentifierOwned {
            oid: rfc5912::RSA_ENCRYPTION,
            parameters: Some(Any::null()),
        },
        enc_key: OctetString::new(&*encrypted).map_err(unencoded(what))?,
    }))
}

/// The key agreement of a named curve.
pub(super) fn agreement_on(
    curve: ObjectIdentifier,
) -> Result<&'static agreement::Algorithm, SmimeError> {
    Ok(match curve {
        rfc5912::SECP_256_R_1 => &ECDH_P256,
        rfc5912::SECP_384_R_1 => &ECDH_P384,
        rfc5912::SECP_521_R_1 => &ECDH_P521,
        oid => {
            return Err(SmimeError::UnsupportedAlgorithm { role: "curve", oid });
        }
    })
}

fn agree(
    certificate: &Certificate,
    curve: ObjectIdentifier,
    id: IssuerAndSerialNumber,
    key: &[u8],
) -> Result<RecipientInfo, SmimeError> {
    let what = "the key agreement";
    let algorithm = agreement_on(curve)?;
    let ephemeral = agreement::PrivateKey::generate(algorithm).map_err(failed(what))?;
    let ephemeral_point = ephemeral.compute_public_key().map_err(failed(what))?;
    let wrap = AlgorithmIdentifierOwned {
        oid: rfc5911::ID_AES_256_WRAP,
        parameters: None,
    };
    let point = certificate
        .tbs_certificate()
        .subject_public_key_info()
        .subject_public_key
        .raw_bytes();
    let kek = agreement::agree(
        &ephemeral,
        UnparsedPublicKey::new(algorithm, point),
        SmimeError::Failed { operation: what },
        |secret| kdf::derive(&digest::SHA256, secret, &wrap, None),
    )?;
    let mut wrapped = vec![0; key.len() + 8];
    key_wrap::AesKek::new(&key_wrap::AES_256, &kek)
        .and_then(|kek| kek.wrap(key, &mut wrapped).map(|_| ()))
        .map_err(failed("key wrapping"))?;
    Ok(RecipientInfo::Kari(KeyAgreeRecipientInfo {
        version: CmsVersion::V3,
        originator: OriginatorIdentifierOrKey::OriginatorKey(OriginatorPublicKey {
            // The curve is the recipient's: parameters are left out (RFC 5753 §3.1.1).
            algorithm: AlgorithmIdentifierOwned {
                oid: rfc5912::ID_EC_PUBLIC_KEY,
                parameters: None,
            },
            public_key: BitString::from_bytes(ephemeral_point.as_ref()).map_err(unencoded(what))?,
        }),
        ukm: None,
        key_enc_alg: AlgorithmIdentifierOwned {
            oid: rfc5753::DH_SINGLE_PASS_STD_DH_SHA_256_KDF_SCHEME,
            parameters: Some(Any::encode_from(&wrap).map_err(unencoded(what))?),
        },
        recipient_enc_keys: vec![RecipientEncryptedKey {
            rid: KeyAgreeRecipientIdentifier::IssuerAndSerialNumber(id),
            enc_key: OctetString::new(wrapped).map_err(unencoded(what))?,
        }],
    }))
}
