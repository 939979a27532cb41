//! The names of a certificate as a request for its successor would have them.

use const_oid::{ObjectIdentifier, db::rfc4519};
use der::{Decode, Tag, Tagged, asn1::Any};
use x509_cert::Certificate;

use super::inspect;
use crate::model::SubjectRequest;

/// What the next certificate has to say to be known as this one is: common name, organisation, host names. What
/// cannot be read as text is left out.
pub fn subject_of(der: &[u8]) -> SubjectRequest {
    let dns_names = inspect(der).map_or_else(|_| Vec::new(), |facts| facts.dns_names);
    let certificate = Certificate::from_der(der).ok();
    let attribute = |wanted: ObjectIdentifier| {
        certificate
            .as_ref()?
            .tbs_certificate()
            .subject()
            .iter()
            .find(|attribute| attribute.oid == wanted)
            .and_then(|attribute| text(&attribute.value))
    };
    SubjectRequest {
        common_name: attribute(rfc4519::COMMON_NAME)
            .or_else(|| dns_names.first().cloned())
            .unwrap_or_default(),
        organization: attribute(rfc4519::ORGANIZATION_NAME),
        dns_names,
    }
}

fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            String::from_utf8(value.value().to_vec()).ok()
        }
        Tag::BmpString => {
            let units: Vec<u16> = value
                .value()
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}
