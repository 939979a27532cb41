//! From a shared secret to a key-encryption key: X9.63 over ECC-CMS-SharedInfo (RFC 5753 §7.2).

use aws_lc_rs::digest;
use const_oid::db::{rfc5753, rfc5911};
use der::{
    Encode, Sequence,
    asn1::{ObjectIdentifier, OctetString},
};
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::{SmimeError, unencoded};

#[derive(Sequence)]
struct SharedInfo {
    key_info: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    entity_u_info: Option<OctetString>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    supp_pub_info: OctetString,
}

/// The digest of a `dhSinglePass-stdDH-…kdf-scheme`. SHA-1 as a KDF is what OpenSSL writes by default and
/// is not weakened by SHA-1's collisions.
pub(super) fn scheme_digest(
    scheme: ObjectIdentifier,
) -> Result<&'static digest::Algorithm, SmimeError> {
    Ok(match scheme {
        rfc5753::DH_SINGLE_PASS_STD_DH_SHA_1_KDF_SCHEME => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        rfc5753::DH_SINGLE_PASS_STD_DH_SHA_256_KDF_SCHEME => &digest::SHA256,
        rfc5753::DH_SINGLE_PASS_STD_DH_SHA_384_KDF_SCHEME => &digest::SHA384,
        rfc5753::DH_SINGLE_PASS_STD_DH_SHA_512_KDF_SCHEME => &digest::SHA512,
        oid => {
            return Err(SmimeError::UnsupportedAlgorithm {
                role: "key agreement",
                oid,
            });
        }
    })
}

/// The length in bytes of a wrapping key.
pub(super) fn wrap_key_length(wrap: ObjectIdentifier) -> Result<usize, SmimeError> {
    match wrap {
        rfc5911::ID_AES_128_WRAP => Ok(16),
        rfc5911::ID_AES_256_WRAP => Ok(32),
        oid => Err(SmimeError::UnsupportedAlgorithm {
            role: "key wrap",
            oid,
        }),
    }
}

/// The key-encryption key for this shared secret.
pub(super) fn derive(
    hash: &'static digest::Algorithm,
    shared_secret: &[u8],
    wrap: &AlgorithmIdentifierOwned,
    user_keying_material: Option<OctetString>,
) -> Result<Zeroizing<Vec<u8>>, SmimeError> {
    let length = wrap_key_length(wrap.oid)?;
    let bits = 8 * u32::try_from(length).unwrap_or_default();
    let info = SharedInfo {
        key_info: wrap.clone(),
        entity_u_info: user_keying_material,
        supp_pub_info: OctetString::new(bits.to_be_bytes())
            .map_err(unencoded("the shared info"))?,
    }
    .to_der()
    .map_err(unencoded("the shared info"))?;
    let mut key = Zeroizing::new(Vec::with_capacity(length + hash.output_len()));
    for counter in 1_u32.. {
        let mut context = digest::Context::new(hash);
        context.update(shared_secret);
        context.update(&counter.to_be_bytes());
        context.update(&info);
        key.extend_from_slice(context.finish().as_ref());
        if key.len() >= length {
            break;
        }
    }
    key.truncate(length);
    Ok(key)
}
