//! `store`: the arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{AcceptRollback, StoreBackup, StoreRestore, TokenPin, TokenSecret};
use crate::cli::exit::HELP;

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum StoreCommand {
    /// Make a new store. Without a key file the passphrase is asked for at the terminal.
    #[command(after_help = HELP)]
    Init(StoreInit),
    /// Read everything, and name what is damaged.
    #[command(after_help = HELP)]
    Verify,
    /// Write everything that the store holds into a file, encrypted to somebody else; also while a daemon runs.
    #[command(after_help = HELP)]
    Backup(StoreBackup),
    /// Put a backup in the place of the store, or say what that would change. The store that is there is kept.
    #[command(after_help = HELP)]
    Restore(StoreRestore),
    /// Bring a store of an older version to the format of this one. The old store is kept beside it.
    #[command(after_help = HELP)]
    Migrate,
    /// Go on with a store that was put back to an older state than its witness knows.
    #[command(after_help = HELP)]
    AcceptRollback(AcceptRollback),
    /// Hand the secret to a daemon that waits for it, so that it opens the store and serves.
    #[command(after_help = HELP)]
    Unlock(SecretSource),
    /// Have the daemon close the store, and wait until it is unlocked again.
    #[command(after_help = HELP)]
    Seal,
    /// What opens the store: slots, each with a secret of its own.
    #[command(subcommand)]
    Slot(SlotCommand),
    /// Replace the master key and seal everything anew under it. May be interrupted; run again, it goes on.
    #[command(after_help = HELP)]
    Rekey,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum SlotCommand {
    /// List the slots: kind, label, cost, since when.
    #[command(after_help = HELP)]
    List,
    /// Let one more secret open the store. Without a file, a passphrase is asked for at the terminal.
    #[command(after_help = HELP)]
    Add {
        /// What to call it: whose it is, or where it is kept.
        #[arg(long, default_value = "")]
        label: String,
        #[command(flatten)]
        secret: SlotSecret,
        #[command(flatten)]
        token: TokenSecret,
    },
    /// Give a slot another secret, or seal its secret at the present cost.
    #[command(after_help = HELP)]
    Change {
        /// Its number.
        slot: u32,
        /// What to call it from now on.
        #[arg(long)]
        label: Option<String>,
        /// Keep the secret, and make each guess at it as dear as it is for a new slot.
        #[arg(long, conflicts_with = "new_key_file")]
        same_secret: bool,
        #[command(flatten)]
        secret: SlotSecret,
        #[command(flatten)]
        token: TokenSecret,
    },
    /// Let the secret of a slot open the store no more. Asks first; the last slot stays.
    #[command(after_help = HELP)]
    Remove {
        /// Its number.
        slot: u32,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// The secret of a slot; with nothing said, a passphrase from the terminal.
#[derive(Args, Debug, Default)]
#[group(multiple = false, conflicts_with = "token")]
#[allow(missing_docs)]
pub struct SlotSecret {
    /// Take the passphrase from a file that only we can read.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Take the passphrase from the file that a service manager hands over as a credential.
    #[arg(long, value_name = "FILE")]
    pub credential_file: Option<PathBuf>,
    /// Take the key from a key file that is there.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Make a key file there.
    #[arg(long, value_name = "FILE")]
    pub new_key_file: Option<PathBuf>,
}

/// Where the secret comes from. With nothing said: from where the configuration says, or the terminal.
#[derive(Args, Debug, Default)]
#[allow(missing_docs)]
pub struct SecretSource {
    /// Take the passphrase from a file that only we can read.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_file", "token"])]
    pub passphrase_file: Option<PathBuf>,
    /// Take the key from a key file.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub key_file: Option<PathBuf>,
    #[command(flatten)]
    pub token: TokenPin,
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct StoreInit {
    /// Where, when there is no configuration file yet.
    #[arg(long, value_name = "DIRECTORY")]
    pub path: Option<PathBuf>,
    /// The storage engine, when the configuration is not to say. A store in a database is described there.
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// Take the passphrase from a file that only we can read (such as a service manager's credential).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_key_file", "token"])]
    pub passphrase_file: Option<PathBuf>,
    /// Make a key file there and let it open the store instead of a passphrase.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub new_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub token: TokenSecret,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub enum Engine {
    Redb,
    Sled,
}
