//! Why a mail is no acknowledgement: a closed list, each with what was seen and what can be done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Destination, EmailAddress, Fingerprint};

/// Why a mail that nobody wrote was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Automation {
    /// An out-of-office notice or another automatic answer (RFC 3834).
    AutoReply,
    /// A mailing list's or mass mailer's own mail, not a person's through a list.
    Bulk,
    /// A delivery status notification (RFC 3464): a bounce, a delay or a success.
    DeliveryStatus,
    /// A read receipt (RFC 8098).
    ReadReceipt,
}

impl std::fmt::Display for Automation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::AutoReply => "an automatic reply",
            Self::Bulk => "bulk mail",
            Self::DeliveryStatus => "a delivery status notification",
            Self::ReadReceipt => "a read receipt",
        })
    }
}

/// Why a mail does not count as an acknowledgement. `Display` says what was seen, [`Refusal::remedy`]
/// what to do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Refusal {
    /// It fits several offers and says not which.
    #[error("the reply fits {} offers and does not say which", candidates.len())]
    Ambiguous {
        /// The offers that it fits.
        candidates: Vec<Destination>,
    },
    /// A machine wrote it.
    #[error("the mail is {reason}, not a person's answer")]
    Automatic {
        /// What kind of machine.
        reason: Automation,
    },
    /// The code was right, but its time is over.
    #[error("the code of the reply for {destination} expired at {expired_at}")]
    CodeExpired {
        /// Whose code.
        destination: Destination,
        /// When its time was over.
        expired_at: Timestamp,
    },
    /// The code was right, but it has been taken before.
    #[error("the code of the reply for {destination} was used at {used_at}")]
    CodeUsed {
        /// Whose code.
        destination: Destination,
        /// When it was taken.
        used_at: Timestamp,
    },
    /// A contact says no.
    #[error("{contact} declines: {reason}")]
    Declined {
        /// Who says so.
        contact: EmailAddress,
        /// In which words, bounded.
        reason: String,
    },
    /// It bears an S/MIME signature that does not verify.
    #[error("the signature of the reply does not verify: {fault}")]
    ForgedSignature {
        /// What is wrong with it, bounded.
        fault: String,
    },
    /// A person on file wrote, but neither fingerprint nor code stands outside the quoted letter.
    #[error(
        "the reply does not state {missing} in its own words, outside the quotation of our letter"
    )]
    NoEvidence {
        /// What is missing.
        missing: Missing,
    },
    /// Nothing is waiting for an answer of this contact's partner.
    #[error("no offer to the partner of {contact} is open")]
    NoOpenOffer {
        /// Who wrote.
        contact: EmailAddress,
    },
    /// The sender is nobody's security contact.
    #[error("{from} is no security contact on file")]
    NotFromContact {
        /// The sender as written, bounded.
        from: String,
    },
    /// The signature verifies, but its certificate is not the one on file, and the rest does not suffice.
    #[error("the reply is signed with a certificate that is not on file ({signer})")]
    UnknownSigner {
        /// The signer's certificate.
        signer: Fingerprint,
    },
    /// The offer that it accepts was withdrawn.
    #[error("the offer to {destination} was withdrawn at {withdrawn_at}")]
    Withdrawn {
        /// Which offer.
        destination: Destination,
        /// Since when.
        withdrawn_at: Timestamp,
    },
    /// The code belongs to no open offer of that certificate.
    #[error("the code of the reply is not that of our letter to {destination}")]
    WrongCode {
        /// The offer that it was meant for.
        destination: Destination,
    },
    /// It speaks for an environment to which this certificate was not offered.
    #[error("the reply speaks for {said}, where this certificate was not offered")]
    WrongDestination {
        /// For which.
        said: Destination,
        /// Where it was offered.
        offered: Vec<Destination>,
    },
    /// It names certificates, but none that was offered.
    #[error("the reply names the fingerprint {said}, which was not offered")]
    WrongFingerprint {
        /// The first one that it names.
        said: Fingerprint,
        /// What was offered to this contact's partner.
        expected: Vec<Fingerprint>,
    },
}

/// What a reply lacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// That the certificate is accepted.
    Acceptance,
    /// The code of our letter.
    Code,
    /// The environment that is answered for, where only a signature speaks.
    Destination,
    /// The SHA-256 fingerprint.
    Fingerprint,
    /// Both.
    FingerprintAndCode,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Acceptance => "its acceptance (a line that begins with ACCEPT)",
            Self::Code => "the code",
            Self::Destination => "which environment it is for (ACCEPT partner/test)",
            Self::Fingerprint => "the fingerprint",
            Self::FingerprintAndCode => "the fingerprint and the code",
        })
    }
}

impl Refusal {
    /// What somebody can do about it; `None` when there is nothing to do.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::Automatic {
                reason: Automation::DeliveryStatus,
            } => "check the contact's address: the letter may not have arrived",
            Self::Automatic { .. } => return None,
            Self::Ambiguous { .. } => {
                "ask the contact to answer each letter on its own, or to begin with `ACCEPT partner/environment`"
            }
            Self::CodeExpired { .. } | Self::CodeUsed { .. } | Self::WrongCode { .. } => {
                "wait for the next reminder, which bears a fresh code, or confirm by phone with `exchange acknowledge`"
            }
            Self::Declined { .. } => {
                "speak with the contact; then `exchange acknowledge`, or abandon the rotation"
            }
            Self::ForgedSignature { .. } => {
                "do not trust this mail; confirm by phone under the number on file with `exchange acknowledge`, or have it sent again without the mail gateway's banner"
            }
            Self::NoEvidence { .. } => {
                "ask the contact to copy the answer lines to the top of the reply, or confirm by phone with `exchange acknowledge`"
            }
            Self::NoOpenOffer { .. } => "nothing waits for this answer; see `exchange status`",
            Self::NotFromContact { .. } => {
                "if the person is rightful, add them as a contact after asking the partner under the number on file"
            }
            Self::UnknownSigner { .. } => {
                "if the contact has a new certificate, verify it by phone and put it on file, then feed the reply again"
            }
            Self::Withdrawn { .. } => {
                "tell the contact that the offer was withdrawn and which certificate stands"
            }
            Self::WrongDestination { .. } => {
                "ask the contact for which environment the answer is meant"
            }
            Self::WrongFingerprint { .. } => {
                "tell the contact which certificate is meant: what they installed is not what was offered"
            }
        })
    }
}
