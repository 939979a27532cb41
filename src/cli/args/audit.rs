//! `audit`: the arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::{cli::exit::HELP, model::IdentityName};

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum AuditCommand {
    /// Show the last entries, newest last.
    #[command(after_help = HELP)]
    Show(AuditShow),
    /// Judge the log of the store, or an export with nothing but the file; names the first entry that is wrong.
    #[command(after_help = HELP)]
    Verify(AuditVerify),
    /// Write the whole log as JSON Lines, with a signed head as the last line. That it was written is its last entry.
    #[command(after_help = HELP)]
    Export {
        /// A new file, or `-` for standard output.
        file: PathBuf,
    },
    /// Print the public key that the log is signed with.
    #[command(after_help = HELP)]
    Key,
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct AuditShow {
    /// Only what is about this identity.
    #[arg(long, value_name = "IDENTITY")]
    pub identity: Option<IdentityName>,
    /// Only what was written since: an instant like 2026-11-24T00:00:00Z.
    #[arg(long, value_name = "INSTANT")]
    pub since: Option<Timestamp>,
    /// Only such actions, like `key-export-begun`.
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Only entries before the one with this number.
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<u64>,
    /// At most so many entries.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct AuditVerify {
    /// An export. Without one the store's own log is judged.
    pub file: Option<PathBuf>,
    /// The public key of the log, PEM, from a source other than the export: `countersign audit key`.
    #[arg(long, value_name = "FILE", requires = "file")]
    pub key: Option<PathBuf>,
    /// An earlier export, or its last line: everything in it has to be in this one.
    #[arg(long, value_name = "FILE", requires = "file")]
    pub since: Option<PathBuf>,
}
