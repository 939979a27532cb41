//! Why a request has no response.

use std::io;
use std::time::Duration;

use crate::Fingerprint;

/// Why a request has no response. A response of any status is not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body is longer than the client's limit.
    #[error("the response's body is longer than {limit} bytes: raise the limit, or stream it")]
    BodyTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The server cannot be reached.
    #[error("no connection to {server}")]
    Connect {
        /// Host and port.
        server: String,
        /// What the system says.
        source: io::Error,
    },
    /// The request was under way with a superseded identity when its drain deadline came.
    #[error(
        "the request to {server} was cut: it used the superseded identity {presented} beyond the drain deadline"
    )]
    Cut {
        /// Host and port.
        server: String,
        /// The identity that is gone.
        presented: Fingerprint,
    },
    /// The TLS handshake failed.
    #[error("no TLS connection to {server} with the identity {presented}")]
    Handshake {
        /// Host and port.
        server: String,
        /// What was, or would have been, presented.
        presented: Fingerprint,
        /// Says on which side.
        source: io::Error,
    },
    /// The exchange over an open connection failed.
    #[error("the exchange with {server} failed")]
    Http {
        /// Host and port.
        server: String,
        /// Where.
        source: hyper::Error,
    },
    /// No bundle has arrived yet.
    #[error(
        "there is no client identity yet: wait for the subscription to be ready, and see its status for faults"
    )]
    NoIdentity,
    /// The URI names no server that TLS could verify.
    #[error(
        "{uri:?} cannot be requested: an https URI is needed, or a path and a client with a base"
    )]
    Target {
        /// The URI, shortened.
        uri: String,
    },
    /// It took too long.
    #[error("no response within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
}

impl Error {
    pub(super) fn target(uri: &str) -> Self {
        Self::Target {
            uri: uri.chars().take(200).collect(),
        }
    }
}
