//! The arguments. Help, man pages and completions are made from this one definition.

mod audit;
mod backup;
mod gateway;
mod identity;
mod inspect;
mod probe;
mod store;
mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use audit::{AuditCommand, AuditVerify};
pub(super) use backup::{AcceptRollback, BackupCommand, OpenBackup, StoreBackup, StoreRestore};
pub(super) use gateway::{GatewayCommand, GatewayRender};
pub(super) use identity::{IdentityAdoptArguments, IdentityCommand};
pub(super) use inspect::KeyFiles;
pub(super) use probe::{
    LooseFiles, Offer, ProbeArguments, ProbeOptions, ProbeQuestion, Target as ProbeTarget,
};
pub(super) use store::{Engine, SecretSource, SlotCommand, SlotSecret, StoreCommand, StoreInit};
pub(super) use token::{TokenPin, TokenSecret};

use super::exit::HELP;
use crate::{
    config::DEFAULT_PATH,
    model::{
        Destination, EmailAddress, Fingerprint, IdentityName, IssuerName, PolicyName,
        rotation::Gate,
    },
    service::GenerationSlot,
};

/// Keeps mutual-TLS client identities alive: issues, exchanges, proves, activates, retires.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, arg_required_else_help = true, after_help = HELP)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// Print one documented JSON object instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(
    missing_docs,
    reason = "clap shows the comments as help; `#[command]` alone carries none"
)]
pub enum Command {
    /// The encrypted store.
    #[command(subcommand)]
    Store(StoreCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Certification authorities of our own.
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// The certificate that our letters are signed with.
    #[command(subcommand)]
    Signer(SignerCommand),
    /// Identities.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Say what is in a file of keys and certificates. No key is printed; no store is needed.
    #[command(after_help = HELP)]
    Inspect(KeyFiles),
    /// Rotations.
    #[command(subcommand)]
    Rotation(RotationCommand),
    /// What is said to partners, and what they answer.
    #[command(subcommand)]
    Exchange(ExchangeCommand),
    /// Who did what, when, why, and on what evidence.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// What to install at a partner's gateway, in the words and the syntax of its product.
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Ask a partner's gateway on the wire. Moves nothing; exits with 0 when the certificate is accepted.
    #[command(after_help = HELP)]
    Probe(ProbeArguments),
    /// How everything stands: identities, what each waits for, connectors, faults.
    #[command(after_help = HELP)]
    Status,
    /// Begin what is due and go on with what is under way, once: for cron.
    #[command(after_help = HELP, long_about = "Begin what is due and go on with what is under way, once: for cron.\n\n\
        Exits with 0 when nothing is left to do, 4 when a rotation waits for a partner, an operator or an instant, \
        and 1 when a step failed; it will be tried again. With a daemon running, the daemon is asked to do it.")]
    Renew,
    /// Do all this by itself, until SIGTERM or SIGINT.
    #[command(after_help = HELP)]
    Daemon,
    /// The whole story in under a minute, with nothing installed and nothing left behind.
    #[command(after_help = HELP)]
    Demo {
        /// Requests in flight at a time while the identity is switched.
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
        concurrency: u16,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages, one for each command, into a directory.
    Man {
        /// Where; it has to exist.
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum ConfigCommand {
    /// Read the configuration with everything that it points at, and name every fault.
    #[command(after_help = HELP)]
    Check,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum PolicyCommand {
    /// Read a policy file and name every fault.
    #[command(after_help = HELP)]
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Say what a policy means for a rotation: its gates, its lead times, its rules.
    #[command(after_help = HELP)]
    Explain {
        /// The name of a shipped policy, or of one in the policy directory.
        policy: PolicyName,
    },
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum IssuerCommand {
    /// Make the keys of an issuer of kind `local-ca`: a root and an issuing authority.
    #[command(after_help = HELP)]
    Create {
        /// The issuer, as the configuration names it.
        issuer: IssuerName,
        /// What its certificates call it.
        #[arg(long, value_name = "NAME")]
        common_name: String,
    },
    /// Print its certificates, issuing authority first.
    #[command(after_help = HELP)]
    Show {
        /// The issuer.
        issuer: IssuerName,
    },
    /// Issue and print a revocation list (RFC 5280 §5).
    #[command(after_help = HELP)]
    Crl {
        /// The issuer.
        issuer: IssuerName,
    },
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum SignerCommand {
    /// Make a key and have a local authority certify it for mail.
    #[command(after_help = HELP)]
    Create {
        /// The issuer, of kind `local-ca`.
        #[arg(long)]
        issuer: IssuerName,
    },
    /// Take in a key and certificate from elsewhere.
    #[command(after_help = HELP)]
    Import {
        /// The private key, unencrypted PKCS#8 PEM, in a file that only we can read.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The certificate and its intermediates, PEM.
        #[arg(long, value_name = "FILE")]
        chain: PathBuf,
    },
    /// Print the certificates.
    #[command(after_help = HELP)]
    Show,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub enum Slot {
    Current,
    Next,
    Previous,
}

impl From<Slot> for GenerationSlot {
    fn from(slot: Slot) -> Self {
        match slot {
            Slot::Current => Self::Current,
            Slot::Next => Self::Next,
            Slot::Previous => Self::Previous,
        }
    }
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct Person {
    /// Who decides; your login name when nothing is said.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum RotationCommand {
    /// Begin a rotation now, whatever the lead times say.
    #[command(after_help = HELP)]
    Start {
        /// Which identity.
        identity: IdentityName,
    },
    /// Show the rotation: what is, what it waits for, since when, who can move it, what happens next.
    #[command(after_help = HELP)]
    Show {
        /// Which identity.
        identity: IdentityName,
    },
    /// Open a gate without evidence. The decision is recorded with your name.
    #[command(after_help = HELP)]
    Waive {
        /// Which identity.
        identity: IdentityName,
        /// Where.
        #[arg(long, short)]
        destination: Destination,
        /// Which gate.
        #[arg(long, value_enum)]
        gate: GateArgument,
        #[command(flatten)]
        person: Person,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Try what failed again now.
    #[command(after_help = HELP)]
    Retry {
        /// Which identity.
        identity: IdentityName,
        #[command(flatten)]
        person: Person,
    },
    /// Give a rotation up before it is active: withdraw the offers, destroy the new key.
    #[command(after_help = HELP)]
    Abandon {
        /// Which identity.
        identity: IdentityName,
        #[command(flatten)]
        person: Person,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Give the connectors the old generation back, then give the rotation up.
    #[command(after_help = HELP)]
    RollBack {
        /// Which identity.
        identity: IdentityName,
        #[command(flatten)]
        person: Person,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub enum GateArgument {
    Acknowledgement,
    Probe,
}

impl From<GateArgument> for Gate {
    fn from(gate: GateArgument) -> Self {
        match gate {
            GateArgument::Acknowledgement => Self::Acknowledgement,
            GateArgument::Probe => Self::Probe,
        }
    }
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum ExchangeCommand {
    /// Record what a contact said, after speaking with them.
    #[command(after_help = HELP)]
    Acknowledge {
        /// Which identity.
        identity: IdentityName,
        /// Where it is trusted from now on.
        #[arg(long, short)]
        destination: Destination,
        /// The SHA-256 fingerprint as the contact read it out, in any spelling.
        #[arg(long)]
        fingerprint: Fingerprint,
        /// The contact on file, by e-mail address.
        #[arg(long)]
        contact: EmailAddress,
        #[command(flatten)]
        person: Person,
        /// How the contact was known to be the contact.
        #[arg(long)]
        verified: String,
    },
    /// Weigh a mail from standard input, as a mail filter hands it over.
    #[command(after_help = HELP)]
    Receive,
    /// List the mails that came in, and what each was taken for.
    #[command(after_help = HELP)]
    Status,
}
