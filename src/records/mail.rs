//! Letters that went out and mails that came in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{EmailAddress, MessageId, SealedLetter};

/// A letter, from before it is sent on: what is sent again after a crash is this, byte for byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboxRecord {
    /// The letter.
    pub letter: SealedLetter,
    /// When it was written.
    pub written_at: Timestamp,
    /// When a mail server accepted it, and its words.
    pub accepted: Option<(Timestamp, String)>,
}

/// A mail that came in: kept so that the same one is not weighed twice, and so that Ops can see what was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxRecord {
    /// Its name.
    #[serde(default)]
    pub message_id: Option<MessageId>,
    /// Who it says it is from.
    pub from: Option<EmailAddress>,
    /// When it was handed to us.
    pub received_at: Timestamp,
    /// Whether it was taken as an acknowledgement.
    pub accepted: bool,
    /// What it was taken for, or why it was refused, in a sentence.
    pub judgement: String,
}
