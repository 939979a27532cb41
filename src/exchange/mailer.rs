//! The port through which letters leave: a sealed letter goes in, the server's acceptance comes out.
//!
//! A mailer keeps nothing and repeats nothing. The letter is journalled before it is handed over and is
//! sent again byte for byte when the outcome is unknown, so the partner's mail system can recognise the
//! second copy by its Message-ID.

use std::{future::Future, io};

use crate::model::{MessageId, SealedLetter};

/// Hands letters to a mail server.
///
/// Implementations must never let a letter or a credential out in the clear, must report `Ok` only when
/// the server has taken responsibility for *every* recipient (RFC 5321 §4.2.5), and must not retry.
pub trait Mailer: Send + Sync {
    /// Returns the server's words on accepting the letter, bounded.
    fn send(&self, letter: &SealedLetter)
    -> impl Future<Output = Result<String, SendError>> + Send;
}

/// Why a letter was not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The server does not take our user name and password, or offers no mechanism that we speak.
    #[error(
        "{server} refused our credentials: {reply}; check the user name and the credential file of [mail]"
    )]
    Authentication {
        /// `host:port`.
        server: String,
        /// What it said, bounded.
        reply: String,
    },
    /// The server's certificate does not lead to an anchor of `[mail]`, or names another host.
    #[error(
        "the certificate of {server} is not trusted: set the anchor of [mail] to the authority that issued it, and the host to a name in it"
    )]
    CertificateRefused {
        /// `host:port`.
        server: String,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The conversation ended without an answer. The letter may have arrived: send the same one again.
    #[error("the conversation with {server} was cut off; the letter may or may not have arrived")]
    Interrupted {
        /// `host:port`.
        server: String,
        /// What the connection said.
        #[source]
        source: io::Error,
    },
    /// The letter cannot be put into SMTP commands.
    #[error("the letter {message_id} cannot be sent: {reason}; this is a fault in countersign")]
    Malformed {
        /// Which letter.
        message_id: MessageId,
        /// What is wrong with it.
        reason: String,
    },
    /// A 5xx reply: sending the same letter again will not help.
    #[error(
        "{server} refused the letter for good ({code}): {reply}; check the recipients' addresses and our right to send as this address"
    )]
    Permanent {
        /// `host:port`.
        server: String,
        /// The reply code.
        code: u16,
        /// What it said, bounded.
        reply: String,
    },
    /// The server does not speak SMTP as RFC 5321 has it, or spoke in the clear after STARTTLS.
    #[error("{server} does not keep to SMTP: {reason}")]
    Protocol {
        /// `host:port`.
        server: String,
        /// What it did, bounded.
        reason: String,
    },
    /// TLS did not come about, though the certificate was not the reason.
    #[error("no TLS with {server}: it must speak TLS 1.2 or 1.3")]
    Tls {
        /// `host:port`.
        server: String,
        /// What the handshake said.
        #[source]
        source: io::Error,
    },
    /// STARTTLS is required and not offered. Nothing was said in the clear beyond the greeting.
    #[error(
        "{server} offers no STARTTLS, and letters are never sent in the clear: use its submission port (465 with implicit TLS, 587 with STARTTLS)"
    )]
    TlsUnavailable {
        /// `host:port`.
        server: String,
        /// What it said, bounded.
        reply: String,
    },
    /// No answer within the time limit. The letter may have arrived: send the same one again.
    #[error("{server} did not answer in time; the letter may or may not have arrived")]
    TimedOut {
        /// `host:port`.
        server: String,
    },
    /// A 4xx reply: the same letter may be sent again later.
    #[error("{server} put the letter off ({code}): {reply}")]
    Transient {
        /// `host:port`.
        server: String,
        /// The reply code.
        code: u16,
        /// What it said, bounded.
        reply: String,
    },
    /// No connection: name resolution or TCP.
    #[error(
        "{server} cannot be reached: check host and port of [mail] and the way out of this network"
    )]
    Unreachable {
        /// `host:port`.
        server: String,
        /// What the network said.
        #[source]
        source: io::Error,
    },
}

impl SendError {
    /// Whether sending the same letter again later may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Interrupted { .. }
                | Self::TimedOut { .. }
                | Self::Transient { .. }
                | Self::Unreachable { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_transient() {
        let server = || "mx:25".to_owned();
        let put_off = SendError::Transient {
            server: server(),
            code: 450,
            reply: "later".into(),
        };
        let refused = SendError::Permanent {
            server: server(),
            code: 550,
            reply: "no".into(),
        };
        assert!(put_off.is_transient() && !refused.is_transient());
    }
}
