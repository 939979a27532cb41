//! Opening what was encrypted to us: replies from people whose mail program encrypts.

use aws_lc_rs::{
    agreement::{self, UnparsedPublicKey},
    cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    iv::FixedLength,
    key_wrap,
    key_wrap::KeyWrap as _,
    rsa::{
        OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
        OaepAlgorithm, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey,
    },
};
use cms::{
    cert::IssuerAndSerialNumber,
    content_info::ContentInfo,
    enveloped_data::{
        EncryptedContentInfo, EnvelopedData, KeyAgreeRecipientIdentifier, KeyAgreeRecipientInfo,
        KeyTransRecipientInfo, OriginatorIdentifierOrKey, RecipientIdentifier, RecipientInfo,
    },
};
use const_oid::db::{rfc5911, rfc5912};
use der::{
    Any, Decode, EncodingRules, Sequence,
    asn1::{ObjectIdentifier, OctetString},
};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{Certificate, ext::pkix::SubjectKeyIdentifier};
use zeroize::Zeroizing;

use super::{SmimeError, certificate, encrypt::agreement_on, failed, kdf, named_curve, unread};

/// A private key that opens mail, with its certificate.
pub struct DecryptionKey {
    certificate: Certificate,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecryptionKey").finish_non_exhaustive()
    }
}

impl DecryptionKey {
    /// Takes a PKCS#8 key (RSA or elliptic curve) and the certificate (DER) to which people encrypt.
    pub fn new(pkcs8: Zeroizing<Vec<u8>>, der: &[u8]) -> Result<Self, SmimeError> {
        Ok(Self {
            certificate: certificate("our", der)?,
            pkcs8,
        })
    }
}

/// Whether these bytes are ContentInfo with EnvelopedData.
pub fn is_enveloped(message: &[u8]) -> bool {
    ContentInfo::from_ber(message).is_ok_and(|i| i.content_type == rfc5911::ID_ENVELOPED_DATA)
}

/// Opens ContentInfo with EnvelopedData; returns the MIME entity inside. Anybody could have written it.
pub fn decrypt(message: &[u8], key: &DecryptionKey) -> Result<Zeroizing<Vec<u8>>, SmimeError> {
    let what = "the encrypted message";
    let info = ContentInfo::from_ber(message).map_err(unread(what))?;
    if info.content_type != rfc5911::ID_ENVELOPED_DATA {
        return Err(SmimeError::UnsupportedAlgorithm {
            role: "content type",
            oid: info.content_type,
        });
    }
    let data: EnvelopedData = info
        .content
        .decode_as_encoding(EncodingRules::Ber)
        .map_err(unread(what))?;
    let content_key = data
        .recip_infos
        .0
        .iter()
        .find_map(|recipient| match recipient {
            RecipientInfo::Ktri(info) => key.transported(info),
            RecipientInfo::Kari(info) => key.agreed(info),
            _ => None,
        })
        .ok_or(SmimeError::NotForUs)??;
    open(&data.encrypted_content, &content_key)
}

fn open(content: &EncryptedContentInfo, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, SmimeError> {
    let what = "decryption";
    let algorithm = match content.content_enc_alg.oid {
        rfc5911::ID_AES_128_CBC => &cipher::AES_128,
        rfc5911::ID_AES_256_CBC => &cipher::AES_256,
        oid => {
            return Err(SmimeError::UnsupportedAlgorithm {
                role: "content encryption",
                oid,
            });
        }
    };
    let iv: OctetString = parameters(&content.content_enc_alg)?;
    let iv = FixedLength::<16>::try_from(iv.as_bytes()).map_err(failed(what))?;
    let bytes = content
        .encrypted_content
        .as_ref()
        .ok_or(SmimeError::Missing {
            what: "the encrypted content",
        })?;
    let mut bytes = Zeroizing::new(bytes.as_bytes().to_vec());
    let length = UnboundCipherKey::new(algorithm, key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|k| Ok(k.decrypt(&mut bytes, DecryptionContext::Iv128(iv))?.len()))
        .map_err(failed(what))?;
    bytes.truncate(length);
    Ok(bytes)
}

fn parameters<T>(algorithm: &AlgorithmIdentifierOwned) -> Result<T, SmimeError>
where
    T: for<'a> der::Choice<'a> + for<'a> der::DecodeValue<'a, Error = der::Error>,
{
    let what = "the parameters of an algorithm";
    algorithm
        .parameters
        .as_ref()
        .ok_or(SmimeError::Missing { what })?
        .decode_as()
        .map_err(unread(what))
}

type ContentKey = Result<Zeroizing<Vec<u8>>, SmimeError>;

// === impl DecryptionKey ===

impl DecryptionKey {
    fn is_issued_as(&self, id: &IssuerAndSerialNumber) -> bool {
        let tbs = self.certificate.tbs_certificate();
        &id.issuer == tbs.issuer() && &id.serial_number == tbs.serial_number()
    }

    fn has_key_id(&self, id: &SubjectKeyIdentifier) -> bool {
        let tbs = self.certificate.tbs_certificate();
        matches!(tbs.get_extension::<SubjectKeyIdentifier>(), Ok(Some((_, own))) if &own == id)
    }

    fn transported(&self, info: &KeyTransRecipientInfo) -> Option<ContentKey> {
        let ours = match &info.rid {
            RecipientIdentifier::IssuerAndSerialNumber(id) => self.is_issued_as(id),
            RecipientIdentifier::SubjectKeyIdentifier(id) => self.has_key_id(id),
        };
        ours.then(|| self.transported_to_us(info))
    }

    fn transported_to_us(&self, info: &KeyTransRecipientInfo) -> ContentKey {
        let what = "key decryption";
        let key =
            PrivateDecryptingKey::from_pkcs8(&self.pkcs8).map_err(|e| SmimeError::KeyRejected {
                reason: e.to_string(),
            })?;
        let mut plain = Zeroizing::new(vec![0; key.key_size_bytes()]);
        let encrypted = info.enc_key.as_bytes();
        let length = match info.key_enc_alg.oid {
            rfc5912::RSA_ENCRYPTION => Pkcs1PrivateDecryptingKey::new(key)
                .and_then(|k| Ok(k.decrypt(encrypted, &mut plain)?.len())),
            rfc5912::ID_RSAES_OAEP => {
                let algorithm = oaep(&info.key_enc_alg)?;
                OaepPrivateDecryptingKey::new(key)
                    .and_then(|k| Ok(k.decrypt(algorithm, encrypted, &mut plain, None)?.len()))
            }
            oid => {
                return Err(SmimeError::UnsupportedAlgorithm {
                    role: "key encryption",
                    oid,
                });
            }
        }
        .map_err(failed(what))?;
        plain.truncate(length);
        Ok(plain)
    }

    fn agreed(&self, info: &KeyAgreeRecipientInfo) -> Option<ContentKey> {
        let ours = info.recipient_enc_keys.iter().find(|k| match &k.rid {
            KeyAgreeRecipientIdentifier::IssuerAndSerialNumber(id) => self.is_issued_as(id),
            KeyAgreeRecipientIdentifier::RKeyId(id) => self.has_key_id(&id.subject_key_identifier),
        })?;
        Some(self.agreed_with_us(info, ours.enc_key.as_bytes()))
    }

    fn agreed_with_us(&self, info: &KeyAgreeRecipientInfo, wrapped: &[u8]) -> ContentKey {
        let what = "the key agreement";
        let curve = named_curve(&self.certificate).ok_or(SmimeError::Missing {
            what: "the curve of our certificate",
        })?;
        let algorithm = agreement_on(curve)?;
        let OriginatorIdentifierOrKey::OriginatorKey(originator) = &info.originator else {
            return Err(SmimeError::Missing {
                what: "the originator's ephemeral key",
            });
        };
        let own =
            agreement::PrivateKey::from_private_key_der(algorithm, &self.pkcs8).map_err(|e| {
                SmimeError::KeyRejected {
                    reason: e.to_string(),
                }
            })?;
        let wrap: AlgorithmIdentifierOwned = parameters(&info.key_enc_alg)?;
        let hash = kdf::scheme_digest(info.key_enc_alg.oid)?;
        let kek = agreement::agree(
            &own,
            UnparsedPublicKey::new(algorithm, originator.public_key.raw_bytes()),
            SmimeError::Failed { operation: what },
            |secret| kdf::derive(hash, secret, &wrap, info.ukm.clone()),
        )?;
        unwrap(&kek, wrapped)
    }
}

/// AES key wrap's own check refuses a wrong key (RFC 3394 §2.2.3).
pub(super) fn unwrap(kek: &[u8], wrapped: &[u8]) -> ContentKey {
    let what = "key unwrapping";
    let block = match kek.len() {
        16 => &key_wrap::AES_128,
        _ => &key_wrap::AES_256,
    };
    let mut plain = Zeroizing::new(vec![0; wrapped.len().saturating_sub(8)]);
    key_wrap::AesKek::new(block, kek)
        .and_then(|kek| kek.unwrap(wrapped, &mut plain).map(|_| ()))
        .map_err(failed(what))?;
    Ok(plain)
}

/// RSAES-OAEP-params (RFC 8017 A.2.1); the mask's digest is taken to be the hash, and a label is refused.
#[derive(Sequence)]
struct OaepParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    label: Option<Any>,
}

fn oaep(algorithm: &AlgorithmIdentifierOwned) -> Result<&'static OaepAlgorithm, SmimeError> {
    let unsupported = |oid: ObjectIdentifier| SmimeError::UnsupportedAlgorithm {
        role: "key encryption",
        oid,
    };
    let parameters: OaepParameters = parameters(algorithm)?;
    if parameters.label.is_some() {
        return Err(unsupported(algorithm.oid));
    }
    let hash = parameters.hash.map_or(rfc5912::ID_SHA_1, |h| h.oid);
    let mask = match parameters.mask {
        Some(mask) => self::parameters::<AlgorithmIdentifierOwned>(&mask)?.oid,
        None => rfc5912::ID_SHA_1,
    };
    match (hash, hash == mask) {
        (rfc5912::ID_SHA_1, true) => Ok(&OAEP_SHA1_MGF1SHA1),
        (rfc5912::ID_SHA_256, true) => Ok(&OAEP_SHA256_MGF1SHA256),
        (rfc5912::ID_SHA_384, true) => Ok(&OAEP_SHA384_MGF1SHA384),
        (rfc5912::ID_SHA_512, true) => Ok(&OAEP_SHA512_MGF1SHA512),
        (oid, _) => Err(unsupported(oid)),
    }
}
