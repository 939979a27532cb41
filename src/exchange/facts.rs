//! What a letter is made of: plain facts, gathered by whoever decides to write.

use jiff::Timestamp;

use super::OneTimeCode;
use crate::model::{
    CertificateFacts, Contact, Destination, EmailAddress, GatewayProduct, GenerationNumber,
    IdentityName, LetterKind, MessageId, PinType,
};

/// Who writes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sender {
    /// The team or person, as the letter signs itself.
    pub name: String,
    /// The mailbox; also the envelope's sender, where bounces go.
    pub email: EmailAddress,
    /// Where answers are read, if elsewhere.
    pub reply_to: Option<EmailAddress>,
    /// The organisation, as partners know it.
    pub organization: Option<String>,
}

/// The time in which the partner must trust both generations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overlap {
    /// From when on.
    pub since: Timestamp,
    /// Until when; `None` while it is not known, the letter then says "until we write".
    pub until: Option<Timestamp>,
}

/// Everything that a letter says.
#[derive(Clone, Debug)]
pub struct LetterFacts {
    /// Why it is written.
    pub kind: LetterKind,
    /// The how manieth of its kind, counted from 1: reminders say it.
    pub ordinal: u32,
    /// Its name.
    pub message_id: MessageId,
    /// The offer that it follows up.
    pub in_reply_to: Option<MessageId>,
    /// When it is written.
    pub date: Timestamp,
    /// By whom.
    pub from: Sender,
    /// To whom; never empty. It is encrypted when every one of them has a certificate on file.
    pub to: Vec<Contact>,
    /// How the partner is called.
    pub partner_title: String,
    /// For which of its environments.
    pub destination: Destination,
    /// Base URL of the Jira that is called.
    pub endpoint: String,
    /// What stands in front of it.
    pub gateway: GatewayProduct,
    /// What that compares.
    pub pin: PinType,
    /// Whether OAuth 1.0a is used there.
    pub oauth: bool,
    /// Which identity.
    pub identity: IdentityName,
    /// Which generation.
    pub generation: GenerationNumber,
    /// The certificates to hand over, DER: the leaf, then the authorities up to and including the root
    /// where there is one, because most gateways take nothing less for an anchor.
    pub chain: Vec<Vec<u8>>,
    /// What the leaf says.
    pub leaf: CertificateFacts,
    /// The generation that is presented today; `None` for the first one.
    pub previous: Option<CertificateFacts>,
    /// When both must be trusted.
    pub overlap: Overlap,
    /// By when we ask for an answer.
    pub respond_by: Option<Timestamp>,
    /// What an unsigned answer must bear.
    pub code: Option<OneTimeCode>,
}

impl LetterFacts {
    /// The name of the attachment that holds everything. `.txt`, because mail gateways drop `.pem` and `.crt`.
    pub(super) fn pem_name(&self) -> String {
        format!("{}-g{}.pem.txt", self.identity, self.generation)
    }

    /// The name of the attachment that holds the authorities alone.
    pub(super) fn authorities_name(&self) -> String {
        format!("{}-g{}-ca.pem.txt", self.identity, self.generation)
    }
}
