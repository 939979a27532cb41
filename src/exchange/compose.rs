//! A letter on its way: written, signed, sealed. Each state is a type, so nothing unsigned can be sent and
//! nothing that was sealed can change.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Message,
    message::{
        Mailbox, MessageBuilder, MultiPart, SinglePart,
        header::{ContentDisposition, ContentTransferEncoding, ContentType},
    },
};

use super::{
    LetterFacts, body,
    smime::{self, Signer, SmimeError, mime::base64_lines},
};
use crate::model::{Destination, EmailAddress, LetterKind, SealedLetter, one_line};

/// Why a letter could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// An address that the mail library does not take.
    #[error("`{address}` cannot stand in a header")]
    Address {
        /// Which one.
        address: EmailAddress,
        /// Why not.
        #[source]
        source: lettre::address::AddressError,
    },
    /// Encrypting failed. The letter is not sent in the clear instead.
    #[error(
        "the letter cannot be encrypted to its recipients: replace or remove the contact's certificate on file"
    )]
    Encryption(#[source] SmimeError),
    /// A header or part that the mail library does not take.
    #[error("the {what} of the letter cannot be built")]
    Mime {
        /// Which.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An offer without a certificate.
    #[error("there is no certificate to hand over")]
    NoCertificate,
    /// Nobody to write to.
    #[error(
        "there is nobody to write to: the partner of {destination} needs a contact with the role jira-sec"
    )]
    NoRecipient {
        /// For which environment.
        destination: Destination,
    },
    /// A removal notice that does not say what to remove.
    #[error("there is no previous certificate to remove")]
    NothingToRemove,
    /// A certificate that cannot be written as PEM.
    #[error("a certificate cannot be written as PEM")]
    Pem(#[source] der::pem::Error),
    /// Signing failed.
    #[error("the letter cannot be signed")]
    Signature(#[source] SmimeError),
}

/// A letter that nobody has signed yet.
#[derive(Clone, Debug)]
pub struct Draft {
    facts: LetterFacts,
    content: MultiPart,
}

/// A letter with our signature, readable by anybody.
#[derive(Clone, Debug)]
pub struct Signed {
    facts: LetterFacts,
    content: MultiPart,
}

impl Draft {
    /// Writes the letter.
    pub fn write(facts: &LetterFacts) -> Result<Self, ComposeError> {
        if facts.to.is_empty() {
            return Err(ComposeError::NoRecipient {
                destination: facts.destination.clone(),
            });
        }
        let hands_over = matches!(facts.kind, LetterKind::Offer | LetterKind::Reminder);
        if hands_over && facts.chain.is_empty() {
            return Err(ComposeError::NoCertificate);
        }
        if facts.kind == LetterKind::RemovalNotice && facts.previous.is_none() {
            return Err(ComposeError::NothingToRemove);
        }
        let text = body::text(facts).map_err(ComposeError::Pem)?;
        let mut content = MultiPart::mixed().singlepart(plain(text));
        if hands_over {
            content = content.singlepart(attachment(&facts.pem_name(), &facts.chain)?);
            if facts.chain.len() > 1 {
                content =
                    content.singlepart(attachment(&facts.authorities_name(), &facts.chain[1..])?);
            }
        }
        Ok(Self {
            facts: facts.clone(),
            content,
        })
    }

    /// Signs it, as of the letter's date.
    pub fn sign(self, signer: &Signer) -> Result<Signed, ComposeError> {
        let entity = self.content.formatted();
        // The last line end will belong to the delimiter that follows (RFC 2046 §5.1.1).
        let signed = entity.strip_suffix(b"\r\n").unwrap_or(&entity);
        let signature = signer
            .sign(signed, self.facts.date)
            .map_err(ComposeError::Signature)?;
        let content = MultiPart::signed(
            "application/pkcs7-signature".into(),
            signature.micalg.into(),
        )
        .multipart(self.content)
        .singlepart(binary(
            "application/pkcs7-signature; name=\"smime.p7s\"",
            "smime.p7s",
            &signature.signature,
        )?);
        Ok(Signed {
            facts: self.facts,
            content,
        })
    }
}

impl Signed {
    /// Encrypts the signed letter when every recipient has a certificate on file, and closes it. The result
    /// says whether it was encrypted. A certificate on file that cannot be used is an error, never a reason
    /// to send in the clear.
    pub fn seal(self) -> Result<SealedLetter, ComposeError> {
        let facts = &self.facts;
        let certificates: Option<Vec<Vec<u8>>> =
            facts.to.iter().map(|c| c.certificate.clone()).collect();
        let builder = header(facts)?;
        let message = match &certificates {
            Some(certificates) => {
                let sealed = smime::encrypt(&self.content.formatted(), certificates)
                    .map_err(ComposeError::Encryption)?;
                builder.singlepart(binary(
                    "application/pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"",
                    "smime.p7m",
                    &sealed,
                )?)
            }
            None => builder.multipart(self.content),
        }
        .map_err(|e| fault("message", e))?;
        Ok(SealedLetter {
            message_id: facts.message_id.clone(),
            kind: facts.kind,
            from: facts.from.email.clone(),
            to: facts.to.iter().map(|c| c.email.clone()).collect(),
            encrypted: certificates.is_some(),
            bytes: message.formatted(),
        })
    }
}

/// What stands outside the signature and is read by mail servers.
fn header(facts: &LetterFacts) -> Result<MessageBuilder, ComposeError> {
    // A letter of before 1970 was not written by us.
    let since_epoch = Duration::from_secs(facts.date.as_second().try_into().unwrap_or(0));
    let mut builder = Message::builder()
        .from(mailbox(Some(&facts.from.name), &facts.from.email)?)
        .date(UNIX_EPOCH + since_epoch)
        .message_id(Some(facts.message_id.to_string()))
        .subject(body::subject(facts));
    for contact in &facts.to {
        builder = builder.to(mailbox(Some(&contact.name), &contact.email)?);
    }
    if let Some(address) = &facts.from.reply_to {
        builder = builder.reply_to(mailbox(None, address)?);
    }
    if let Some(offer) = &facts.in_reply_to {
        builder = builder
            .in_reply_to(offer.to_string())
            .references(offer.to_string());
    }
    Ok(builder)
}

fn mailbox(name: Option<&str>, address: &EmailAddress) -> Result<Mailbox, ComposeError> {
    let parsed = address
        .as_str()
        .parse()
        .map_err(|source| ComposeError::Address {
            address: address.clone(),
            source,
        })?;
    Ok(Mailbox::new(name.map(one_line), parsed))
}

/// Lines that may go out as they are, without their ends. The mail library panics when it is told that longer ones are
/// 7-bit.
const LONGEST_LINE: usize = 73;

/// 7-bit as it is; anything else quoted-printable, which survives servers and can still be read raw.
fn plain(text: String) -> SinglePart {
    let short = text.lines().all(|line| line.len() <= LONGEST_LINE);
    let encoding = if text.is_ascii() && short {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::QuotedPrintable
    };
    SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .header(encoding)
        .body(text)
}

fn attachment(name: &str, chain: &[Vec<u8>]) -> Result<SinglePart, ComposeError> {
    let text = chain
        .iter()
        .map(|der| body::pem(der))
        .collect::<Result<Vec<_>, _>>()
        .map_err(ComposeError::Pem)?
        .concat();
    Ok(SinglePart::builder()
        .header(content_type(&format!(
            "text/plain; charset=us-ascii; name=\"{name}\""
        ))?)
        .header(ContentDisposition::attachment(name))
        .header(ContentTransferEncoding::SevenBit)
        .body(text))
}

fn binary(kind: &str, name: &str, bytes: &[u8]) -> Result<SinglePart, ComposeError> {
    let encoded = lettre::message::Body::dangerous_pre_encoded(
        base64_lines(bytes).into_bytes(),
        ContentTransferEncoding::Base64,
    );
    Ok(SinglePart::builder()
        .header(content_type(kind)?)
        .header(ContentDisposition::attachment(name))
        .body(encoded))
}

fn content_type(text: &str) -> Result<ContentType, ComposeError> {
    ContentType::parse(text).map_err(|e| fault("content type", e))
}

fn fault(
    what: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> ComposeError {
    ComposeError::Mime {
        what,
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests;
