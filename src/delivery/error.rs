//! What can go wrong on the way to a connector.

use std::{io, path::PathBuf};

use super::exports::NotWrittenDown;
use crate::model::{ConnectorName, Lapse};

/// Why a generation is not known to be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// It did not answer to its name.
    #[error("connector {connector} is not connected to our socket")]
    NotConnected {
        /// Who.
        connector: ConnectorName,
    },
    /// Nothing in the configuration says how to reach it.
    #[error("connector {connector} is not in the configuration")]
    NotConfigured {
        /// Who.
        connector: ConnectorName,
    },
    /// It took the identity, but has not been seen using it, or still uses the old one.
    #[error("connector {connector} was not seen using it within {limit}: {seen}")]
    NotSeenInUse {
        /// Who.
        connector: ConnectorName,
        /// How long we looked.
        limit: Lapse,
        /// What was seen instead.
        seen: String,
    },
    /// It was not handed over, since that could not be written down; or it was, and what came of it could not.
    #[error("that connector {connector} gets the private key cannot be written to the audit log")]
    NotWrittenDown {
        /// Who.
        connector: ConnectorName,
        /// Why not.
        #[source]
        source: NotWrittenDown,
    },
    /// A path that must not be written to.
    #[error("{path} is refused: {why}")]
    PathRefused {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The reload command ended badly.
    #[error("`{program}` ended with {status}: {output}")]
    ReloadFailed {
        /// What was run.
        program: String,
        /// How it ended.
        status: String,
        /// What it printed last, bounded.
        output: String,
    },
    /// The reload command did not end.
    #[error("`{program}` did not end within {limit} and was killed")]
    ReloadTimedOut {
        /// What was run.
        program: String,
        /// How long it had.
        limit: Lapse,
    },
    /// The pid file names no process that can be signalled.
    #[error("{pid_file} names no process that takes the signal: {why}")]
    SignalFailed {
        /// Which file.
        pid_file: PathBuf,
        /// Why.
        why: String,
    },
    /// A file operation.
    #[error("could not {operation} {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl DeliveryError {
    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    /// Whether trying again later may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::NotConfigured { .. } | Self::PathRefused { .. })
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotConnected { .. } => {
                "start the connector, and the daemon that serves its socket"
            }
            Self::NotConfigured { .. } => "name it in countersign.toml, or abandon the rotation",
            Self::NotSeenInUse { .. } => "let it make a request, or look at its own log",
            Self::NotWrittenDown { .. } => {
                "mend what it names: nothing is done that cannot be remembered"
            }
            Self::PathRefused { .. } => {
                "mend the path, its owner or its mode, then `countersign rotation retry IDENTITY`"
            }
            Self::ReloadFailed { .. } | Self::ReloadTimedOut { .. } => {
                "run the reload command by hand and read what it says"
            }
            Self::SignalFailed { .. } => {
                "check that the reader runs and that its pid file is the one configured"
            }
            Self::Io { .. } => {
                "mend the file system, then wait or `countersign rotation retry IDENTITY`"
            }
        }
    }
}
