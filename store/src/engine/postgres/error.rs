//! What the database, or the way to it, had to say.

use std::path::PathBuf;

use super::super::lease::{Ended, Leader};
use crate::Obstacle;

/// Why the database did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The file with trust anchors holds none that can be used.
    #[error("no trust anchor could be read from {path}")]
    Anchors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Option<rustls::pki_types::pem::Error>,
    },
    /// No connection came about.
    #[error("could not connect to {database}: check that it runs, and [store.postgres]")]
    Connect {
        /// Where.
        database: String,
        /// What happened.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The connection, or the server, went away.
    #[error("the connection to the database was lost")]
    Gone {
        /// What the client saw.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Somebody else leads.
    #[error("{leader} leads")]
    Led {
        /// Who.
        leader: Leader,
    },
    /// We do not lead any more.
    #[error("this machine does not lead any more: {ended}")]
    Lost {
        /// Why.
        ended: Ended,
    },
    /// Tables of a newer countersign.
    #[error(
        "the tables have layout {found}, and this program knows {supported}: use a newer countersign"
    )]
    Layout {
        /// What was found.
        found: String,
        /// What is understood.
        supported: &'static str,
    },
    /// There are no tables of ours.
    #[error("there is no store in {database}: run `store init` on one of the machines")]
    NoStore {
        /// Where.
        database: String,
    },
    /// A view was lost with its connection, and something was written before there was another.
    #[error(
        "the connection to the database was lost, and what was being read has changed meanwhile: run the command again"
    )]
    Overtaken {
        /// What the client saw.
        #[source]
        source: Box<Self>,
    },
    /// The server refused a statement.
    #[error("the database refused to {operation}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// Its words.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The runtime could not be started.
    #[error("the thread for the database could not be started")]
    Runtime(#[source] std::io::Error),
    /// No answer in time.
    #[error("the database did not answer within {seconds} s")]
    Silent {
        /// How long was waited.
        seconds: f64,
    },
    /// TLS could not be configured.
    #[error("TLS could not be configured")]
    Tls(#[source] rustls::Error),
    /// The server is set up to lose what it has acknowledged.
    #[error(
        "the server has {setting} = {value}: it would lose acknowledged writes in a power cut; set it to on in postgresql.conf"
    )]
    Unsafe {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// A server too old for what is relied on.
    #[error("PostgreSQL {found} is too old: 12 or newer is needed")]
    Version {
        /// What it calls itself.
        found: String,
    },
}

impl PostgresError {
    /// Of a statement that the client reports as failed: by the server in so many words, or because
    /// the connection is gone, which leaves open what became of it.
    pub(super) fn of(operation: &'static str, source: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::{Severity, SqlState};
        let said = source.as_db_error();
        let definite = said.is_some_and(|said| {
            said.parsed_severity() == Some(Severity::Error)
                && *said.code() != SqlState::ADMIN_SHUTDOWN
                && *said.code() != SqlState::CRASH_SHUTDOWN
        });
        if definite {
            Self::Refused { operation, source }
        } else {
            Self::Gone { source }
        }
    }

    /// What is in the way of the server, if it said so.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        use tokio_postgres::error::SqlState;
        let Self::Refused { source, .. } = self else {
            return None;
        };
        match source.code()? {
            code if *code == SqlState::DISK_FULL => Some(Obstacle::DiskFull),
            code if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Some(Obstacle::ReadOnly),
            code if *code == SqlState::IO_ERROR => Some(Obstacle::Failing),
            _ => None,
        }
    }

    /// Whether a view was lost, and another one would show something else.
    pub(crate) fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken { .. })
    }

    /// Whether trying again over a new connection may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Gone { .. }
            | Self::Overtaken { .. }
            | Self::Silent { .. } => true,
            // What is left of a connection of ours that broke may hold the lock for a while.
            Self::Refused { source, .. } => {
                source.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE)
            }
            _ => false,
        }
    }
}
