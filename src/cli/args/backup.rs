//! `store backup`, `store restore`, `store accept-rollback`: the arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Person, store::Engine};
use crate::cli::exit::HELP;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[allow(missing_docs)]
pub struct StoreBackup {
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
    /// The file to make, or `-` for standard output. It is never overwritten.
    #[arg(value_name = "FILE", required = true)]
    pub file: Option<PathBuf>,
    /// Encrypt it to this age recipient; more than one may be named. Else to those of the configuration.
    #[arg(long = "recipient", value_name = "AGE1…")]
    pub recipients: Vec<String>,
    /// Encrypt it to a passphrase of its own, which is asked for at the terminal.
    #[arg(long, conflicts_with_all = ["recipients", "passphrase_file"])]
    pub passphrase: bool,
    /// Encrypt it to the passphrase in a file that only we can read.
    #[arg(long, value_name = "FILE", conflicts_with = "recipients")]
    pub passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum BackupCommand {
    /// Read a backup to its end, and say what is in it. The store is not needed.
    #[command(after_help = HELP)]
    Verify {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        opening: OpenBackup,
    },
}

/// What opens a backup. With nothing said the passphrase is asked for at the terminal.
#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct OpenBackup {
    /// The age identity that it is encrypted to, in a file that only we can read.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    pub identity: Option<PathBuf>,
    /// The passphrase that it is encrypted to, in a file that only we can read.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct StoreRestore {
    /// The backup.
    pub file: PathBuf,
    #[command(flatten)]
    pub opening: OpenBackup,
    /// Say what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub person: Person,
    /// Why it is restored: recorded in the store.
    #[arg(long, required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Go on although neither the store nor its witness can say which keys have died since: such keys come back
    /// suspended.
    #[arg(long)]
    pub unwitnessed: bool,
    /// Go on although living keys would be lost that only the store of today has.
    #[arg(long)]
    pub forget_keys: bool,
    /// The storage engine; that of the backup when nothing is said.
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct AcceptRollback {
    #[command(flatten)]
    pub person: Person,
    /// Why an older state of the store is to be gone on with: recorded in the store.
    #[arg(long)]
    pub reason: String,
}
