//! The mailer over SMTP submission: implicit TLS (RFC 8314) or required STARTTLS (RFC 3207), nothing else.
//!
//! TLS and the way to it are done here, the conversation inside is lettre's. There is no setting that sends
//! in the clear, none that skips the server's certificate, and none that falls back.

mod tls;

#[cfg(test)]
mod tests;

use std::{error::Error as _, io, sync::Arc, time::Duration};

use lettre::{
    Address, address,
    transport::smtp::{
        self,
        authentication::{Credentials, Mechanism},
        client::AsyncSmtpConnection,
        extension::ClientId,
    },
};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Fence, Mailer, SendError};
use crate::model::{EmailAddress, SealedLetter, one_line};

pub use tls::SettingsError;

/// How TLS begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Security {
    /// From the first byte: submissions, port 465.
    ImplicitTls,
    /// After STARTTLS, which must be offered: submission, port 587.
    StartTls,
}

/// A mail server and how to speak to it.
#[derive(Clone)]
pub struct SmtpSettings {
    /// Name or address to dial.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How TLS begins.
    pub security: Security,
    /// What the server's chain must lead to, DER. Empty only together with `public_roots`.
    pub anchors: Vec<Vec<u8>>,
    /// Whether Mozilla's roots count too: for a mail provider on the public Internet.
    pub public_roots: bool,
    /// The name that the server's certificate must bear, when it is not `host`.
    pub server_name: Option<String>,
    /// User name and password; `None` where the server knows us by our address.
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// What we call ourselves in EHLO.
    pub hello_name: String,
    /// The limit for the whole conversation.
    pub timeout: Duration,
}

impl std::fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .finish_non_exhaustive()
    }
}

/// Sends each letter over a connection of its own.
#[derive(Debug)]
pub struct SmtpMailer {
    settings: SmtpSettings,
    hello: ClientId,
    tls: tls::Connector,
    fence: Option<Arc<dyn Fence>>,
}

impl SmtpMailer {
    /// Checks the settings; connects to nobody.
    pub fn new(settings: SmtpSettings) -> Result<Self, SettingsError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
        if settings.hello_name.is_empty() || !settings.hello_name.chars().all(is_name) {
            return Err(SettingsError::HelloName {
                name: one_line(&settings.hello_name),
            });
        }
        Ok(Self {
            hello: ClientId::Domain(settings.hello_name.clone()),
            tls: tls::Connector::new(&settings)?,
            settings,
            fence: None,
        })
    }

    /// Says nothing more when this says so.
    pub fn within(mut self, fence: Option<Arc<dyn Fence>>) -> Self {
        self.fence = fence;
        self
    }

    fn server(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }

    async fn converse(&self, letter: &SealedLetter) -> Result<String, SendError> {
        let envelope = envelope(letter)?;
        let stream = self.tls.connect(&self.settings, &self.server()).await?;
        let stream = stream.within(self.fence.clone());
        let mut connection =
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello)
                .await
                .map_err(|e| self.fault(letter, &e))?;
        if let Some((user, password)) = &self.settings.credentials {
            let credentials = Credentials::new(user.clone(), password.to_string());
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await
                .map_err(|e| self.authentication_fault(letter, &e))?;
        }
        // Every recipient must be taken: lettre gives up at the first that is not.
        let reply = connection
            .send(&envelope, &letter.bytes)
            .await
            .map_err(|e| self.fault(letter, &e))?;
        // The letter is theirs; whether they like our parting changes nothing.
        connection.abort().await;
        let words: Vec<&str> = reply.message().collect();
        Ok(one_line(&format!("{} {}", reply.code(), words.join(" "))))
    }

    fn authentication_fault(&self, letter: &SealedLetter, error: &smtp::Error) -> SendError {
        if error.is_permanent() || error.is_client() {
            SendError::Authentication {
                server: self.server(),
                reply: cause(error),
            }
        } else {
            self.fault(letter, error)
        }
    }

    fn fault(&self, letter: &SealedLetter, error: &smtp::Error) -> SendError {
        let (server, reply) = (self.server(), cause(error));
        match error.status().map(u16::from) {
            Some(code) if error.is_transient() => SendError::Transient {
                server,
                code,
                reply,
            },
            Some(code) => SendError::Permanent {
                server,
                code,
                reply,
            },
            None if error.is_client() => SendError::Malformed {
                message_id: letter.message_id.clone(),
                reason: reply,
            },
            None if error.is_response() => SendError::Protocol {
                server,
                reason: reply,
            },
            None => SendError::Interrupted {
                server,
                source: io_cause(error),
            },
        }
    }
}

impl Mailer for SmtpMailer {
    async fn send(&self, letter: &SealedLetter) -> Result<String, SendError> {
        timeout(self.settings.timeout, self.converse(letter))
            .await
            .unwrap_or_else(|_| {
                Err(SendError::TimedOut {
                    server: self.server(),
                })
            })
    }
}

fn envelope(letter: &SealedLetter) -> Result<address::Envelope, SendError> {
    let malformed = |reason: String| SendError::Malformed {
        message_id: letter.message_id.clone(),
        reason,
    };
    let parse = |address: &EmailAddress| {
        address
            .as_str()
            .parse::<Address>()
            .map_err(|e| malformed(format!("{address}: {e}")))
    };
    let to = letter.to.iter().map(parse).collect::<Result<_, _>>()?;
    address::Envelope::new(Some(parse(&letter.from)?), to).map_err(|e| malformed(e.to_string()))
}

/// What the server or the connection said, bounded.
fn cause(error: &smtp::Error) -> String {
    match error.source() {
        Some(source) => one_line(&source.to_string()),
        None => one_line(&error.to_string()),
    }
}

fn io_cause(error: &smtp::Error) -> io::Error {
    match error.source().and_then(|s| s.downcast_ref::<io::Error>()) {
        Some(io) => io::Error::new(io.kind(), io.to_string()),
        None => io::Error::other(cause(error)),
    }
}
