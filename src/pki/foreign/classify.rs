//! What a piece of DER is, by which elements stand where. Only as much is looked at as tells the kinds apart.

use der::Tag;

use super::tlv::Element;

/// Kinds of DER that people have in files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Certificate,
    Request,
    RevocationList,
    /// PKCS#8.
    PrivateKeyInfo,
    EncryptedPrivateKeyInfo,
    /// PKCS#1.
    RsaPrivateKey,
    RsaPublicKey,
    /// SEC1.
    EcPrivateKey,
    DsaPrivateKey,
    PublicKeyInfo,
    /// PKCS#7 and CMS.
    ContentInfo,
    /// PKCS#12.
    Pfx,
    OcspResponse,
    Parameters,
}

/// The kind, if it is one that we know.
pub(super) fn kind(der: &[u8]) -> Option<Kind> {
    let (element, _) = Element::first(der).ok()?;
    if element.tag == Tag::ObjectIdentifier {
        return Some(Kind::Parameters);
    }
    if element.tag != Tag::Sequence {
        return None;
    }
    let children = element.first_children(10).ok()?;
    let tags: Vec<Tag> = children.iter().map(|child| child.tag).collect();
    let number = children.first().and_then(|first| first.number());
    match *tags.as_slice() {
        [Tag::Integer, Tag::Sequence, ..] if number == Some(3) => Some(Kind::Pfx),
        [Tag::Integer, Tag::Sequence, Tag::OctetString, ..] => Some(Kind::PrivateKeyInfo),
        [Tag::Integer, Tag::OctetString, ..] => Some(Kind::EcPrivateKey),
        [Tag::Integer, Tag::Integer] => Some(Kind::RsaPublicKey),
        [Tag::Integer, Tag::Integer, Tag::Integer] => Some(Kind::Parameters),
        [Tag::Integer, ref rest @ ..] if rest.iter().all(|tag| *tag == Tag::Integer) => {
            match tags.len() {
                6 => Some(Kind::DsaPrivateKey),
                9.. => Some(Kind::RsaPrivateKey),
                _ => None,
            }
        }
        // A multi-prime key has a list at its end.
        [Tag::Integer, Tag::Integer, .., Tag::Sequence] if tags.len() == 10 => {
            Some(Kind::RsaPrivateKey)
        }
        [Tag::ObjectIdentifier, Tag::ContextSpecific { .. }] => Some(Kind::ContentInfo),
        [Tag::Enumerated, ..] => Some(Kind::OcspResponse),
        [Tag::Sequence, Tag::OctetString] => Some(Kind::EncryptedPrivateKeyInfo),
        [Tag::Sequence, Tag::BitString] => Some(Kind::PublicKeyInfo),
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => signed(*children.first()?),
        _ => None,
    }
}

/// Certificate, request or revocation list, by what was signed.
fn signed(body: Element<'_>) -> Option<Kind> {
    let children = body.first_children(8).ok()?;
    let tags: Vec<Tag> = children.iter().map(|child| child.tag).collect();
    let is_time = |tag: &Tag| matches!(tag, Tag::UtcTime | Tag::GeneralizedTime);
    match tags.as_slice() {
        [Tag::ContextSpecific { .. }, Tag::Integer, Tag::Sequence, ..] => Some(Kind::Certificate),
        // The first version has none, and no extensions.
        [
            Tag::Integer,
            Tag::Sequence,
            Tag::Sequence,
            Tag::Sequence,
            Tag::Sequence,
            Tag::Sequence,
            ..,
        ] => Some(Kind::Certificate),
        [
            Tag::Integer,
            Tag::Sequence,
            Tag::Sequence,
            Tag::ContextSpecific { .. },
            ..,
        ]
        | [Tag::Integer, Tag::Sequence, Tag::Sequence] => Some(Kind::Request),
        [Tag::Integer, Tag::Sequence, Tag::Sequence, time, ..]
        | [Tag::Sequence, Tag::Sequence, time, ..]
            if is_time(time) =>
        {
            Some(Kind::RevocationList)
        }
        _ => None,
    }
}
