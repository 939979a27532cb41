//! A mail that came in, reduced to what can be judged. The mail is hostile until something says otherwise:
//! its size is bounded, its structure is followed to a small depth, and nothing of it is shown raw.

use aws_lc_rs::digest::{SHA256, digest};
use mail_parser::{Address, HeaderName, HeaderValue, Message, MessageParser, MimeHeaders as _};

use super::{
    Automation, Statement,
    smime::{self, DecryptionKey, SmimeError, mime::canonical},
    structure::{self, Signature},
    words::own_words,
};
use crate::model::{EmailAddress, Fingerprint, MessageId, one_line};

/// The longest mail that is read.
pub const LONGEST_MAIL: usize = 10 * 1024 * 1024;

/// Why a mail cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// It is encrypted, and none of our keys opens it.
    #[error(
        "the mail is encrypted and cannot be opened; ask the sender to encrypt to our current certificate, or not at all"
    )]
    Encrypted(#[source] SmimeError),
    /// It is no mail.
    #[error("this is no mail: it has no header")]
    NoMail,
    /// It is too long.
    #[error("the mail has {length} bytes; more than {LONGEST_MAIL} are not read")]
    TooLong {
        /// How long it is.
        length: usize,
    },
}

/// A signature that verifies, and what was signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedStatement {
    /// SHA-256 of the signer's certificate. Whether it is believed is for the caller to say.
    pub signer: Fingerprint,
    /// What the signed text states.
    pub statement: Statement,
}

/// What the mail bears by way of S/MIME.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InboundSignature {
    /// Nothing, or something that cannot be judged: it counts as unsigned.
    None,
    /// A signature that does not fit the text.
    Broken {
        /// What is wrong with it, bounded.
        fault: String,
    },
    /// A signature that verifies.
    Valid(SignedStatement),
}

/// A mail, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inbound {
    /// The one sender; `None` when there are several, none, or one that cannot be a contact's.
    pub from: Option<EmailAddress>,
    /// The sender as written, bounded.
    pub from_shown: String,
    /// Its name; made of its digest when it bears none.
    pub message_id: MessageId,
    /// The letters that it answers: In-Reply-To, then References.
    pub answers: Vec<MessageId>,
    /// The kind of machine that wrote it, if one did.
    pub automation: Option<Automation>,
    /// Its signature.
    pub signature: InboundSignature,
    /// What its text states outside quotations, signed or not.
    pub statement: Statement,
}

impl Inbound {
    /// Reads a mail as a mail filter hands it over (RFC 5322, either line end).
    pub fn parse(raw: &[u8]) -> Result<Self, InboxError> {
        Self::parse_with(raw, &[])
    }

    /// The same, opening with these keys what is encrypted.
    pub fn parse_with(raw: &[u8], keys: &[DecryptionKey]) -> Result<Self, InboxError> {
        if raw.len() > LONGEST_MAIL {
            return Err(InboxError::TooLong { length: raw.len() });
        }
        let raw = canonical(raw);
        let message = MessageParser::default()
            .parse(&raw)
            .filter(|m| !m.headers().is_empty())
            .ok_or(InboxError::NoMail)?;
        let opened = opened(&raw, &message, keys)?;
        let entity = opened.as_deref().unwrap_or(&raw);
        let signature = structure::signature(entity);
        let text = match &signature {
            // Signed around the text: outside there is none.
            Signature::Valid(verified) => {
                structure::text(entity) + "\n" + &structure::text(&verified.content)
            }
            _ => structure::text(entity),
        };
        Ok(Self {
            from: sender(&message),
            from_shown: one_line(message.header_raw(HeaderName::From).unwrap_or_default()),
            message_id: message
                .message_id()
                .map_or_else(|| name_by_content(&raw), MessageId::from_header),
            answers: answers(&message),
            automation: automation(&message),
            signature: match signature {
                Signature::None => InboundSignature::None,
                Signature::Broken(fault) => InboundSignature::Broken {
                    fault: one_line(&fault.to_string()),
                },
                Signature::Valid(verified) => InboundSignature::Valid(SignedStatement {
                    signer: fingerprint(&verified.signer),
                    statement: Statement::read(&own_words(&structure::text(&verified.content))),
                }),
            },
            statement: Statement::read(&own_words(&text)),
        })
    }
}

/// What stands for the name of a mail that bears none, or none that can be read.
pub fn name_by_content(raw: &[u8]) -> MessageId {
    let digest = hex::encode(&digest(&SHA256, raw).as_ref()[..16]);
    MessageId::from_header(&format!("{digest}@no-message-id"))
}

/// SHA-256 of a certificate.
pub(super) fn fingerprint(der: &[u8]) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, der).as_ref());
    Fingerprint::from_digest(bytes)
}

/// What an encrypted mail holds; `None` for one that is not encrypted.
fn opened(
    raw: &[u8],
    message: &Message<'_>,
    keys: &[DecryptionKey],
) -> Result<Option<Vec<u8>>, InboxError> {
    if !structure::is_encrypted(message) {
        return Ok(None);
    }
    let sealed = structure::decoded(raw).unwrap_or_default();
    let mut fault = SmimeError::NotForUs;
    for key in keys {
        match smime::decrypt(&sealed, key) {
            Ok(entity) => return Ok(Some(canonical(&entity))),
            Err(e) => fault = e,
        }
    }
    Err(InboxError::Encrypted(fault))
}

fn sender(message: &Message<'_>) -> Option<EmailAddress> {
    // Two From headers are a way to show one and mean the other.
    let mut headers = message.header_values(HeaderName::From);
    let (Some(HeaderValue::Address(address)), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let Address::List(list) = address else {
        return None;
    };
    let [one] = list.as_slice() else {
        return None;
    };
    let address: EmailAddress = one.address.as_deref()?.trim().parse().ok()?;
    let plain = as_everybody_reads_it(message.header_raw(HeaderName::From)?)?;
    plain
        .eq_ignore_ascii_case(address.as_str())
        .then_some(address)
}

/// The address of `name <address>` or `address`, and of nothing cleverer. Parsers that are lenient in different ways
/// make different addresses of what else the grammar allows or forbids, and then the mail server that refuses forged
/// mail has asked about another address than the one that is believed here.
fn as_everybody_reads_it(raw: &str) -> Option<&str> {
    let raw = raw.trim();
    let Some(bracketed) = raw.strip_suffix('>') else {
        return Some(raw);
    };
    let (name, address) = bracketed.rsplit_once('<')?;
    let mut quoted = false;
    let mut escaped = false;
    for c in name.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' | '>' | '@' | ',' | ':' | ';' | '\\' if !quoted => return None,
            _ => {}
        }
    }
    (!quoted).then(|| address.trim())
}

fn answers(message: &Message<'_>) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for value in [message.in_reply_to(), message.references()] {
        match value {
            HeaderValue::Text(id) => ids.push(MessageId::from_header(id)),
            HeaderValue::TextList(list) => {
                ids.extend(list.iter().take(64).map(|id| MessageId::from_header(id)));
            }
            _ => {}
        }
    }
    ids
}

/// RFC 3834, 3464, 8098 and what mail programs did before and beside them.
fn automation(message: &Message<'_>) -> Option<Automation> {
    let header = |name: &str| {
        message
            .headers_raw()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_ascii_lowercase())
    };
    let kind = message.content_type();
    if kind.is_some_and(|k| {
        k.ctype().eq_ignore_ascii_case("multipart")
            && k.subtype()
                .is_some_and(|s| s.eq_ignore_ascii_case("report"))
    }) {
        let report = kind.and_then(|k| k.attribute("report-type")).unwrap_or("");
        return Some(match report.to_ascii_lowercase().as_str() {
            "delivery-status" => Automation::DeliveryStatus,
            "disposition-notification" => Automation::ReadReceipt,
            _ => Automation::AutoReply,
        });
    }
    let local = sender(message);
    let local = local
        .as_ref()
        .map(|a| a.as_str().split('@').next().unwrap_or_default());
    if matches!(local, Some("mailer-daemon" | "postmaster")) {
        return Some(Automation::DeliveryStatus);
    }
    let automatic = header("Auto-Submitted").is_some_and(|v| !v.starts_with("no"))
        || header("X-Autoreply").is_some_and(|v| v != "no")
        || header("X-Autorespond").is_some()
        || header("X-Auto-Reply").is_some()
        || header("Return-Path").is_some_and(|v| v == "<>")
        || message.subject().is_some_and(is_automatic_subject);
    if automatic {
        return Some(Automation::AutoReply);
    }
    // A person may write through a list, so `list` is no sign of a machine.
    match header("Precedence")?.as_str() {
        "auto_reply" => Some(Automation::AutoReply),
        "bulk" | "junk" => Some(Automation::Bulk),
        _ => None,
    }
}

/// What Exchange and others write in front of the subject, in the mailbox's language.
fn is_automatic_subject(subject: &str) -> bool {
    const BEGINNINGS: [&str; 11] = [
        "automatic reply:",
        "auto reply:",
        "autoreply:",
        "auto:",
        "out of office",
        "automatische antwort",
        "abwesenheit",
        "réponse automatique",
        "respuesta automática",
        "risposta automatica",
        "automatisch antwoord",
    ];
    let subject = subject.trim().to_lowercase();
    BEGINNINGS.iter().any(|b| subject.starts_with(b))
}
