//! Certification requests (RFC 2986): ours, and those that a local authority is asked to answer.

use const_oid::AssociatedOid;
use der::{Decode, Reader, SliceReader, asn1::Ia5String};
use x509_cert::{
    ext::pkix::{SubjectAltName, name::GeneralName},
    name::Name,
    request::{CertReq, ExtensionReq},
};

use super::{
    PrivateKey, PublicKey, SubjectError,
    inspect::{LARGEST_CERTIFICATE, shown_name, shown_text},
    profile::{Profile, parameters},
    signed::Signed,
};
use crate::model::SubjectRequest;

/// A request that cannot be made or believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request could not be encoded or signed.
    #[error("the certification request could not be made")]
    Making {
        /// The library's reason.
        source: rcgen::Error,
    },
    /// Who made it does not hold the key, or it was altered.
    #[error(
        "the request does not bear the signature of its own key; make it anew from the key that it is for"
    )]
    NotSelfSigned,
    /// The subject cannot be certified.
    #[error("the subject cannot be certified")]
    Subject {
        /// Why.
        source: SubjectError,
    },
    /// Larger than any honest request.
    #[error("the request has {found} bytes; at most {limit} are read")]
    TooLarge {
        /// How large it is.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Not DER, not a request, cut off, or followed by something else.
    #[error("this is not one whole certification request")]
    Unreadable {
        /// Where reading stopped.
        source: der::Error,
    },
    /// A kind of key that is not certified here.
    #[error(
        "the request is for a key that is not supported; use ECDSA on P-256 or P-384, RSA of 2048, 3072 or 4096 bits, or Ed25519"
    )]
    UnsupportedKey,
}

/// A request that was read and bears the signature of its own key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedRequest {
    subject: Name,
    dns_names: Vec<String>,
    public_key: PublicKey,
}

impl VerifiedRequest {
    /// The subject as RFC 4514 text, printable and bounded.
    pub fn subject(&self) -> String {
        // Made when somebody wants to read it: an authority does not, and it takes longer than the rest.
        shown_name(&self.subject)
    }

    /// The dNSName entries that are asked for.
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// The key that is to be certified; its holder signed.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// A request (DER) for a client certificate: the names as subjectAltName, keyUsage digitalSignature,
/// extKeyUsage clientAuth (RFC 2985 §5.4.2).
pub fn certification_request(
    key: &PrivateKey,
    subject: &SubjectRequest,
) -> Result<Vec<u8>, RequestError> {
    let mut wanted = parameters(key.public_key(), subject, &Profile::Client)
        .map_err(|source| RequestError::Subject { source })?;
    // Whether and how these are stated is the issuer's business.
    wanted.is_ca = rcgen::IsCa::NoCa;
    wanted.use_authority_key_identifier_extension = false;
    let request = wanted
        .serialize_request(key)
        .map_err(|source| RequestError::Making { source })?;
    Ok(request.der().to_vec())
}

/// Reads a request (DER) and verifies that the holder of its key made it.
pub fn inspect_request(der: &[u8]) -> Result<VerifiedRequest, RequestError> {
    if der.len() > LARGEST_CERTIFICATE {
        return Err(RequestError::TooLarge {
            found: der.len(),
            limit: LARGEST_CERTIFICATE,
        });
    }
    let unreadable = |source| RequestError::Unreadable { source };
    let request = CertReq::from_der(der).map_err(unreadable)?;
    let signed = Signed::from_der(der).map_err(unreadable)?;
    let public_key_info = public_key_info(signed.body()).map_err(unreadable)?;
    let public_key = PublicKey::from_info(public_key_info).ok_or(RequestError::UnsupportedKey)?;
    if !signed.is_signed_by(public_key_info) {
        return Err(RequestError::NotSelfSigned);
    }
    Ok(VerifiedRequest {
        dns_names: dns_names(&request)
            .map_err(unreadable)?
            .iter()
            .map(shown_text)
            .collect(),
        subject: request.info.subject,
        public_key,
    })
}

/// The very bytes of the third field of the CertificationRequestInfo.
fn public_key_info(body: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(body)?;
    reader.sequence(|info| {
        info.tlv_bytes()?; // version
        info.tlv_bytes()?; // subject
        let key = info.tlv_bytes()?;
        info.tlv_bytes()?; // attributes
        Ok::<_, der::Error>(key)
    })
}

fn dns_names(request: &CertReq) -> der::Result<Vec<Ia5String>> {
    let mut names = Vec::new();
    for attribute in request.info.attributes.iter() {
        if attribute.oid != ExtensionReq::OID {
            continue;
        }
        for value in attribute.values.iter() {
            let extensions: ExtensionReq = value.decode_as()?;
            for extension in extensions.0 {
                if extension.extn_id != SubjectAltName::OID {
                    continue;
                }
                let alternatives = SubjectAltName::from_der(extension.extn_value.as_bytes())?;
                names.extend(alternatives.0.into_iter().filter_map(|name| match name {
                    GeneralName::DnsName(name) => Some(name),
                    _ => None,
                }));
            }
        }
    }
    Ok(names)
}
