//! Layer 2: everything that is said to a partner, and what comes back.
//!
//! A letter is composed from plain facts, signed, sealed, journalled by the caller, and handed to a
//! [`Mailer`]. A mail that comes in is parsed, and a pure function decides whether it is an
//! acknowledgement or why not. Nothing here keeps state or asks what time it is; randomness enters at
//! codes, boundaries and content keys only.
//!
//! No link is ever sent, so nothing that a robot can do to a mail acknowledges anything.

mod body;
mod code;
mod compose;
mod evaluate;
mod facts;
mod fence;
mod inbox;
mod instructions;
mod mailer;
mod page;
mod refusal;
pub mod smime;
mod smtp;
mod statement;
mod structure;
#[cfg(test)]
mod testing;
mod words;

pub use code::{InvalidCode, NoRandomness, OneTimeCode};
pub use compose::{ComposeError, Draft, Signed};
pub use evaluate::{Expectations, OpenOffer, evaluate};
pub use facts::{LetterFacts, Overlap, Sender};
pub use fence::Fence;
pub use inbox::{
    Inbound, InboundSignature, InboxError, LONGEST_MAIL, SignedStatement, name_by_content,
};
pub use mailer::{Mailer, SendError};
pub use refusal::{Automation, Missing, Refusal};
pub use smtp::{Security, SettingsError, SmtpMailer, SmtpSettings};
pub use statement::Statement;
