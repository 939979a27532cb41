//! What a connector and the daemon say to each other over a Unix socket: one JSON object per line, both ways.
//!
//! ```text
//! connector: {"type":"hello","protocol":1,"connector":"jira-align-1"}
//! daemon:    {"type":"identity","generation":7,"fingerprint":"…","bundle_pem":"…","drain_seconds":30}
//! connector: {"type":"report","presenting":"…","since":"2026-11-23T10:00:00Z","open_current":4,"open_previous":0,
//!             "requests":120,"failed":0,"handshakes_current":4,"fault":null}
//! ```
//!
//! Both ends use these types. A message of an unknown type is passed over, so that either end may be the newer one; a
//! line that is not JSON, or longer than [`MAX_LINE`], ends the connection.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Fingerprint;

mod lines;

pub use lines::{LineError, Lines};

/// The version of this protocol. It changes only when an older end could misunderstand a newer one.
pub const PROTOCOL: u32 = 1;

/// The longest line, in bytes, its end included.
pub const MAX_LINE: usize = 1024 * 1024;

/// What the connector says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromConnector {
    /// The first line of a connection.
    Hello {
        /// The version that the connector speaks: [`PROTOCOL`].
        protocol: u32,
        /// The name of the connector in the daemon's configuration.
        connector: String,
    },
    /// After every change, at intervals, and in answer to a ping.
    Report(Report),
    /// Of a newer protocol.
    #[serde(other)]
    Unknown,
}

/// What the daemon says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromDaemon {
    /// The identity to present from now on: after the hello, and when it changes.
    Identity(Push),
    /// The connector gets nothing: it is unknown, or speaks another version. The daemon then closes.
    Refused {
        /// For the connector's operator.
        reason: String,
    },
    /// Asks for a report.
    Ping,
    /// Of a newer protocol.
    #[serde(other)]
    Unknown,
}

/// An identity for a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The daemon's number for it.
    pub generation: u64,
    /// SHA-256 of the leaf; the connector refuses a bundle that has another.
    pub fingerprint: Fingerprint,
    /// Private key, leaf and intermediates.
    pub bundle_pem: SecretPem,
    /// How long the connections of the previous identity may go on, in seconds.
    pub drain_seconds: u64,
}

impl Push {
    /// How long the connections of the previous identity may go on.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

/// What a connector says about itself; also the content of a report file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The identity of new connections; none before the first bundle.
    pub presenting: Option<Fingerprint>,
    /// Since when it is presented (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Open connections that were made with it.
    pub open_current: usize,
    /// Open connections that were made with any earlier identity.
    pub open_previous: usize,
    /// Requests begun since the connector started.
    pub requests: u64,
    /// Requests that had no complete response.
    pub failed: u64,
    /// Full handshakes completed with it in which the server asked for a certificate: above 0, it is seen in use.
    pub handshakes_current: u64,
    /// Why the last bundle was refused.
    pub fault: Option<String>,
}

/// A PEM text that holds a private key: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretPem(#[serde(with = "wiped")] Zeroizing<String>);

impl SecretPem {
    /// Takes the text over.
    #[must_use]
    pub const fn new(pem: Zeroizing<String>) -> Self {
        Self(pem)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretPem(…)")
    }
}

/// `zeroize` has a serde feature; using it here would turn it on for all who link this crate.
mod wiped {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        text: &Zeroizing<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_are_spelt_as_documented() {
        let report = Report {
            presenting: Some(Fingerprint::of(b"abc")),
            requests: 3,
            ..Report::default()
        };
        let spelt = serde_json::to_value(FromConnector::Report(report)).unwrap();
        let expected = serde_json::json!({
            "type": "report", "presenting": Fingerprint::of(b"abc").to_string(), "open_current": 0, "open_previous": 0,
            "requests": 3, "failed": 0, "handshakes_current": 0, "fault": null,
        });
        assert_eq!(spelt, expected);
        let hello = FromConnector::Hello {
            protocol: PROTOCOL,
            connector: "align".to_owned(),
        };
        let line = serde_json::to_string(&hello).unwrap();
        assert_eq!(line, r#"{"type":"hello","protocol":1,"connector":"align"}"#);
    }

    #[test]
    fn a_message_of_a_newer_protocol_is_no_error() {
        let read: FromDaemon = serde_json::from_str(r#"{"type":"anchors","pem":"…"}"#).unwrap();
        assert_eq!(read, FromDaemon::Unknown);
    }

    #[test]
    fn the_key_of_a_push_is_not_in_its_debug_text() {
        let push = Push {
            generation: 1,
            fingerprint: Fingerprint::of(b"abc"),
            bundle_pem: SecretPem::new(Zeroizing::new("-----BEGIN PRIVATE KEY-----".to_owned())),
            drain_seconds: 30,
        };
        let sent = serde_json::to_string(&FromDaemon::Identity(push)).unwrap();
        let received: FromDaemon = serde_json::from_str(&sent).unwrap();
        assert!(sent.contains("BEGIN PRIVATE KEY"));
        assert!(!format!("{received:?}").contains("BEGIN"));
    }
}
