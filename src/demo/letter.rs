//! A letter of ours as the partner reads it: opened with their key, verified, and taken by its text alone.
//!
//! What stands outside the signature, such as the subject, is not believed.

use mail_parser::{MessageParser, MimeHeaders as _};

use crate::{
    exchange::smime::{self, DecryptionKey, SmimeError},
    model::{Fingerprint, MessageId},
    pki,
};

/// Why a mail is not acted upon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LetterError {
    /// The certificate in it is not the one that its text speaks of.
    #[error("the letter names {named}, but the certificate in it is {attached}")]
    AnotherCertificate {
        /// What the text says.
        named: Fingerprint,
        /// What is there.
        attached: Fingerprint,
    },
    /// It cannot be opened.
    #[error("the letter cannot be opened")]
    Closed(#[source] SmimeError),
    /// Something else signed it.
    #[error("the letter is signed by {signer}, whom nobody knows")]
    UnknownSigner {
        /// SHA-256 of the signer's certificate.
        signer: Fingerprint,
    },
    /// The signature is not good.
    #[error("the signature of the letter is not good")]
    Unsigned(#[source] SmimeError),
    /// A part that every letter has is not there.
    #[error("the letter has no {what}")]
    Without {
        /// Which.
        what: &'static str,
    },
}

/// What a letter asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wish {
    /// Trust this certificate, and answer with these lines.
    Install {
        /// SHA-256 of the certificate, which is the one that came with the letter.
        fingerprint: Fingerprint,
        /// What the letter asks to be copied into the answer.
        answer: Vec<String>,
    },
    /// Trust this certificate no more.
    Remove {
        /// SHA-256 of the certificate.
        fingerprint: Fingerprint,
    },
}

/// A letter that was encrypted to us and signed by whom we know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Letter {
    /// What an answer refers to.
    pub(super) message_id: MessageId,
    /// What it asks for.
    pub(super) wish: Wish,
}

impl Letter {
    /// Reads a mail that has to be encrypted to `key` and signed with the certificate `signer`.
    pub(super) fn read(
        mail: &[u8],
        key: &DecryptionKey,
        signer: Fingerprint,
    ) -> Result<Self, LetterError> {
        let without = |what| LetterError::Without { what };
        let outside = MessageParser::default()
            .parse(mail)
            .ok_or(without("header"))?;
        let id = outside.message_id().ok_or(without("Message-ID"))?;
        let entity =
            smime::decrypt(outside.root_part().contents(), key).map_err(LetterError::Closed)?;
        let signed = verified(&entity, signer)?;
        let inside = MessageParser::default()
            .parse(&signed)
            .ok_or(without("text"))?;
        let text = inside.body_text(0).ok_or(without("text"))?;
        Ok(Self {
            message_id: MessageId::from_header(id),
            wish: wish(&text)?,
        })
    }
}

/// The signed part of `multipart/signed`, when the signature is good and of the certificate that is known.
fn verified(entity: &[u8], known: Fingerprint) -> Result<Vec<u8>, LetterError> {
    let without = |what| LetterError::Without { what };
    let message = MessageParser::default()
        .parse(entity)
        .ok_or(without("signature"))?;
    let root = message.root_part();
    let boundary = root
        .content_type()
        .and_then(|kind| kind.attribute("boundary"))
        .ok_or(without("signature"))?;
    let body = entity
        .get(root.offset_body as usize..)
        .ok_or(without("text"))?;
    // The line ends around a delimiter are the delimiter's (RFC 2046 §5.1.1).
    let begin = format!("--{boundary}\r\n");
    let end = format!("\r\n--{boundary}\r\n");
    let signed = after(body, begin.as_bytes())
        .and_then(|rest| before(rest, end.as_bytes()))
        .ok_or(without("text"))?;
    let signature = message
        .attachments()
        .find(|part| {
            part.content_type()
                .is_some_and(|kind| kind.subtype() == Some("pkcs7-signature"))
        })
        .ok_or(without("signature"))?;
    let good =
        smime::verify_detached(signed, signature.contents()).map_err(LetterError::Unsigned)?;
    let signer = pki::inspect(&good.signer)
        .map_err(|_| without("certificate of its signer"))?
        .fingerprint;
    if signer != known {
        return Err(LetterError::UnknownSigner { signer });
    }
    Ok(good.content)
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark)?;
    Some(&bytes[at + mark.len()..])
}

fn before<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark)?;
    Some(&bytes[..at])
}

fn wish(text: &str) -> Result<Wish, LetterError> {
    if let Some(fingerprint) = fingerprint_under(text, "PLEASE REMOVE") {
        return Ok(Wish::Remove { fingerprint });
    }
    let without = |what| LetterError::Without { what };
    let named = fingerprint_under(text, "THE NEW CERTIFICATE").ok_or(without("fingerprint"))?;
    let attached = pki::pem::certificates_from_pem(text.as_bytes())
        .ok()
        .and_then(|chain| pki::inspect(chain.first()?).ok())
        .ok_or(without("certificate"))?
        .fingerprint;
    if named != attached {
        return Err(LetterError::AnotherCertificate { named, attached });
    }
    let lines = text.lines().map(str::trim);
    let answer: Vec<String> = lines
        .skip_while(|line| !line.starts_with("ACCEPT "))
        .take_while(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    if answer.is_empty() {
        return Err(without("line that begins with ACCEPT"));
    }
    Ok(Wish::Install {
        fingerprint: named,
        answer,
    })
}

/// The SHA-256 that stands, on two lines, under a heading.
fn fingerprint_under(text: &str, heading: &str) -> Option<Fingerprint> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != heading)
        .skip_while(|line| *line != "SHA-256")
        .skip(1);
    format!("{} {}", lines.next()?, lines.next()?).parse().ok()
}

#[cfg(test)]
mod tests;
