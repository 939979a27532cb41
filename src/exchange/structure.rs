//! The way through a mail's parts: its text, and the signature wherever lists, banners and forwarding put it.

use mail_parser::{ContentType, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use super::{
    smime::{SmimeError, Verified, is_enveloped, mime, verify_detached, verify_opaque},
    words::html_words,
};

/// How deep parts may be nested before they are not looked at.
const DEEPEST: u32 = 4;

/// What a mail bears.
pub(super) enum Signature {
    None,
    Broken(SmimeError),
    Valid(Verified),
}

/// The text that a mail program would show, quotations included: of an alternative the plain one, of HTML the
/// words. Attachments and attached mails are not the sender's own words.
pub(super) fn text(entity: &[u8]) -> String {
    let Some(message) = MessageParser::default().parse(entity) else {
        return String::new();
    };
    let mut text = String::new();
    for part in message.text_bodies() {
        let attached = part
            .content_disposition()
            .is_some_and(ContentType::is_attachment);
        match &part.body {
            _ if attached => {}
            PartType::Text(plain) => text.push_str(plain),
            PartType::Html(html) => text.push_str(&html_words(html)),
            _ => {}
        }
        text.push('\n');
    }
    text
}

/// Whether a mail is encrypted as a whole (RFC 8551 §3.3). The `smime-type` parameter is optional and may lie.
pub(super) fn is_encrypted(message: &Message<'_>) -> bool {
    let root = message.root_part();
    is_pkcs7_mime(root) && is_enveloped(root.contents())
}

/// The decoded body of an entity of one part.
pub(super) fn decoded(entity: &[u8]) -> Option<Vec<u8>> {
    let message = MessageParser::default().parse(entity)?;
    Some(message.root_part().contents().to_vec())
}

/// The first signature that is found, from the outside in.
pub(super) fn signature(entity: &[u8]) -> Signature {
    search(entity, 0)
}

fn search(entity: &[u8], depth: u32) -> Signature {
    let parsed = MessageParser::default().parse(entity);
    let (Some(message), true) = (parsed, depth < DEEPEST) else {
        return Signature::None;
    };
    for part in &message.parts {
        let found = match &part.body {
            PartType::Multipart(_) if is_multipart_signed(part) => detached(entity, part),
            PartType::Message(_) => match body_of(entity, part) {
                Some(inner) => search(&inner, depth + 1),
                None => Signature::None,
            },
            _ if is_pkcs7_mime(part) => judged(verify_opaque(part.contents())),
            _ => Signature::None,
        };
        if !matches!(found, Signature::None) {
            return found;
        }
    }
    Signature::None
}

/// An attached mail as bytes, whatever its transfer encoding.
fn body_of(entity: &[u8], part: &MessagePart<'_>) -> Option<Vec<u8>> {
    if let Some(message) = part.message() {
        let inner = message.raw_message();
        // One that was encoded brings its own bytes; another one points into the whole.
        if !inner.is_empty() && inner.len() != entity.len() {
            return Some(mime::canonical(inner));
        }
    }
    entity
        .get(part.offset_body as usize..part.offset_end as usize)
        .map(<[u8]>::to_vec)
}

fn detached(entity: &[u8], part: &MessagePart<'_>) -> Signature {
    let body = entity.get(part.offset_body as usize..part.offset_end as usize);
    let boundary = part.content_type().and_then(|k| k.attribute("boundary"));
    let (Some(body), Some(boundary)) = (body, boundary) else {
        return Signature::None;
    };
    let [signed, signature] = mime::parts(body, boundary)[..] else {
        return Signature::Broken(SmimeError::Missing {
            what: "one of the two parts of the signed message",
        });
    };
    match decoded(signature) {
        Some(signature) => judged(verify_detached(signed, &signature)),
        None => Signature::None,
    }
}

/// A signature that was tampered with is not the same as one that we cannot judge.
fn judged(result: Result<Verified, SmimeError>) -> Signature {
    match result {
        Ok(verified) => Signature::Valid(verified),
        Err(fault) if fault.is_forgery() => Signature::Broken(fault),
        Err(_) => Signature::None,
    }
}

fn is_multipart_signed(part: &MessagePart<'_>) -> bool {
    part.content_type().is_some_and(|k| {
        k.subtype()
            .is_some_and(|s| s.eq_ignore_ascii_case("signed"))
            && k.attribute("protocol").is_some_and(|p| {
                [
                    "application/pkcs7-signature",
                    "application/x-pkcs7-signature",
                ]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(p))
            })
    })
}

fn is_pkcs7_mime(part: &MessagePart<'_>) -> bool {
    part.content_type().is_some_and(|k| {
        k.ctype().eq_ignore_ascii_case("application")
            && k.subtype().is_some_and(|s| {
                s.eq_ignore_ascii_case("pkcs7-mime") || s.eq_ignore_ascii_case("x-pkcs7-mime")
            })
    })
}
