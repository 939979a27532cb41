//! Why the story could not be told to its end.

use std::{io, path::PathBuf, time::Duration};

use super::{connector::ConnectorError, partner::PartnerError};
use crate::{
    config::ConfigFaults,
    daemon::{ClientError, DaemonError},
    records::RecordsError,
};

/// Why the story could not be told to its end. Whichever it is, nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The daemon did not do what it was asked for.
    #[error("the daemon was asked to {request}, and did not")]
    Asked {
        /// What for.
        request: &'static str,
        /// Why not.
        #[source]
        source: ClientError,
    },
    /// The daemon gave an answer to another question.
    #[error("the daemon was asked to {request}, and answered something else")]
    Answer {
        /// What for.
        request: &'static str,
    },
    /// The configuration that was written cannot be used.
    #[error("the configuration of the demonstration cannot be used")]
    Config(#[from] ConfigFaults),
    /// The connector cannot start.
    #[error("the connector of the demonstration cannot start")]
    Connector(#[from] ConnectorError),
    /// What the peers saw is not what we remember.
    #[error("the gateway's log does not bear out what was told: {what}")]
    Contradiction {
        /// What is missing or different.
        what: String,
    },
    /// The daemon cannot start, or failed.
    #[error("the daemon of the demonstration failed")]
    Daemon(#[from] DaemonError),
    /// Something ended while the story was going on.
    #[error("the {who} stopped in the middle of the story")]
    Ended {
        /// Who.
        who: &'static str,
        /// Why, if there is more to say.
        #[source]
        source: Option<tokio::task::JoinError>,
    },
    /// A file or directory.
    #[error(
        "could not {operation} {path}: the demonstration needs a directory for temporary files that it may write (TMPDIR)"
    )]
    File {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The partner does not act.
    #[error("the embedded partner does not act")]
    Partner(#[from] PartnerError),
    /// A server cannot listen.
    #[error("the embedded {server} cannot be served on this machine's loopback address")]
    Server {
        /// Which.
        server: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No certificate for the servers.
    #[error("no certificate could be made for the embedded servers")]
    ServerCertificate(#[from] rcgen::Error),
    /// A step failed, and will not succeed by itself.
    #[error("generation {generation} failed to {step}: {message}; {remedy}")]
    Step {
        /// Of which generation.
        generation: u32,
        /// Which step.
        step: String,
        /// Why.
        message: String,
        /// What would help.
        remedy: String,
    },
    /// The store cannot be had.
    #[error("the store of the demonstration cannot be had")]
    Store(#[from] RecordsError),
    /// It took too long.
    #[error("the story was not over after {} s: {waiting}", .limit.as_secs())]
    TimedOut {
        /// How long it may take.
        limit: Duration,
        /// What it was waiting for.
        waiting: String,
    },
}
