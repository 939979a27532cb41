//! `identity`: the arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{KeyFiles, Person, Slot};
use crate::{
    cli::exit::HELP,
    model::{IdentityName, IssuerName, KeyAlgorithm, PolicyName},
};

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum IdentityCommand {
    /// Add an identity: makes its key, and its certificate or its request. Nobody is written to yet.
    #[command(after_help = HELP)]
    Add(IdentityAddArguments),
    /// Take in an identity that is in use already: its key and its certificates, as generation 1 and current.
    #[command(
        after_help = HELP,
        long_about = "Take in an identity that is in use already: its key and its certificates, as generation 1 and current.\n\n\
            The files may be PEM, DER, PKCS#12 or PKCS#7, with the certificates in any order. Where the configuration says \
            that it is trusted is taken as claimed, until a probe proves it. The key lay outside of the store: rotate soon."
    )]
    Adopt(IdentityAdoptArguments),
    /// List identities by name, a page at a time.
    #[command(after_help = HELP)]
    List {
        /// Begin after this one.
        #[arg(long, value_name = "IDENTITY")]
        after: Option<IdentityName>,
        /// At most so many [default: 500, at most 5000].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5000))]
        limit: Option<u32>,
    },
    /// Show an identity: generations, key states, what is due.
    #[command(after_help = HELP)]
    Show {
        /// Which.
        identity: IdentityName,
    },
    /// Print the certification request that waits for the partner's authority.
    #[command(after_help = HELP)]
    ExportRequest {
        /// Whose.
        identity: IdentityName,
    },
    /// Print the certificate chain of a generation.
    #[command(after_help = HELP)]
    ExportCertificate {
        /// Whose.
        identity: IdentityName,
        /// Which generation.
        #[arg(long, short, value_enum, default_value_t = Slot::Current)]
        generation: Slot,
    },
    /// Put back into force what a restore has suspended: when the wire accepts it, or on your word.
    #[command(after_help = HELP)]
    Reinstate {
        /// Whose.
        identity: IdentityName,
        #[command(flatten)]
        person: Person,
        /// Answer for it yourself, in place of the wire, and say why: recorded in the store.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Take in the chain that the partner's authority has signed; it must match the pending key.
    #[command(after_help = HELP)]
    Import {
        /// Whose.
        identity: IdentityName,
        /// The certificates: PEM in any order, PKCS#7, or DER.
        file: PathBuf,
    },
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct IdentityAdoptArguments {
    /// Our name for it.
    pub identity: IdentityName,
    #[command(flatten)]
    pub source: KeyFiles,
    /// What certifies its next generations, as the configuration names it.
    #[arg(long)]
    pub issuer: IssuerName,
    /// The rules that it lives by.
    #[arg(long, default_value = "jira-connector")]
    pub policy: PolicyName,
    /// A host name for the next certificates, the first being the common name; those of this one when nothing is said.
    #[arg(long = "name", value_name = "DNS-NAME")]
    pub names: Vec<String>,
    /// The kind of key of the next generation; the policy's when nothing is said.
    #[arg(long, value_name = "ALGORITHM")]
    pub key: Option<KeyAlgorithm>,
    #[command(flatten)]
    pub person: Person,
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct IdentityAddArguments {
    /// Our name for it.
    pub identity: IdentityName,
    /// What certifies it, as the configuration names it.
    #[arg(long)]
    pub issuer: IssuerName,
    /// The rules that it lives by.
    #[arg(long, default_value = "jira-connector")]
    pub policy: PolicyName,
    /// A host name for the certificate; the first is also the common name.
    #[arg(long = "name", value_name = "DNS-NAME", required = true)]
    pub names: Vec<String>,
    /// The organisation for the certificate.
    #[arg(long)]
    pub organization: Option<String>,
    /// The kind of key: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096 or ed25519.
    #[arg(long, value_name = "ALGORITHM")]
    pub key: Option<KeyAlgorithm>,
}
