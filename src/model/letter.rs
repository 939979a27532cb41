//! What is said to a partner, and the name under which it can be recognised when it is said twice.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Destination, EmailAddress, Fingerprint, GenerationNumber, IdentityName};

/// Why we write (the vocabulary of EDI's Certificate Exchange Messaging and of ebCore Agreement Update).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LetterKind {
    /// Here is the next certificate: install it beside the old one and acknowledge it.
    Offer,
    /// The offer has not been acknowledged yet.
    Reminder,
    /// The offer no longer stands: do not install it, or remove it.
    Withdrawal,
    /// The old certificate is no longer used and may be removed.
    RemovalNotice,
}

impl LetterKind {
    /// The word used in Message-IDs and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Reminder => "reminder",
            Self::Withdrawal => "withdrawal",
            Self::RemovalNotice => "removal-notice",
        }
    }
}

impl fmt::Display for LetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A Message-ID (RFC 5322 §3.6.4), angle brackets included.
///
/// It follows from what the letter says, so that a letter sent twice, after a crash between sending and
/// noting, carries the same one and is recognised as one letter.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(String);

impl MessageId {
    /// The `n`-th letter of this kind about this certificate to this destination. `n` counts intended
    /// letters, not attempts.
    pub fn for_letter(
        kind: LetterKind,
        identity: &IdentityName,
        generation: GenerationNumber,
        fingerprint: &Fingerprint,
        destination: &Destination,
        n: u32,
        host: &str,
    ) -> Self {
        // A part of the fingerprint keeps two stores apart that count the same generations.
        let digits = hex::encode(&fingerprint.as_bytes()[..8]);
        Self(format!(
            "<{kind}.{n}.{identity}.{generation}.{}.{}.{digits}@{host}>",
            destination.partner, destination.environment
        ))
    }

    /// One that was read from a mail.
    pub fn from_header(text: &str) -> Self {
        Self(format!(
            "<{}>",
            super::one_line(text.trim().trim_start_matches('<').trim_end_matches('>'))
        ))
    }

    /// The text, brackets included.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A letter that a mail server has accepted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SentLetter {
    /// Its name.
    pub message_id: MessageId,
    /// Why it was written.
    pub kind: LetterKind,
    /// To whom.
    pub to: Vec<EmailAddress>,
    /// Whether it was encrypted to every one of them.
    pub encrypted: bool,
    /// The server's words on accepting it, bounded.
    pub server_reply: String,
    /// When it was accepted.
    pub at: Timestamp,
}

/// A letter that is ready to go and will not change any more: what the outbox keeps.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SealedLetter {
    /// Its name, as in its header.
    pub message_id: MessageId,
    /// Why it was written.
    pub kind: LetterKind,
    /// The envelope's sender: where bounces go.
    pub from: EmailAddress,
    /// The envelope's recipients; never empty.
    pub to: Vec<EmailAddress>,
    /// Whether it was encrypted to every one of them.
    pub encrypted: bool,
    /// The message (RFC 5322), 7-bit, CRLF line ends.
    #[serde(with = "base64_text")]
    pub bytes: Vec<u8>,
}

/// Bytes as base64 text, since a letter in JSON is read by people too.
mod base64_text {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_from_the_outbox_is_the_same_byte_for_byte() {
        let letter = SealedLetter {
            message_id: MessageId::from_header("<a@b>"),
            kind: LetterKind::Offer,
            from: "ops@vendor.example".parse().unwrap(),
            to: vec!["sec@acme.example".parse().unwrap()],
            encrypted: false,
            bytes: (0..=255).collect(),
        };
        let stored = serde_json::to_vec(&letter).unwrap();
        assert_eq!(
            serde_json::from_slice::<SealedLetter>(&stored).unwrap(),
            letter
        );
    }
}
