//! `probe`: the arguments.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, Subcommand, ValueEnum};

use super::Slot;
use crate::{
    cli::exit::HELP,
    model::{Destination, GatewayProduct, IdentityName, Lapse, PartnerName},
};

/// What is probed.
#[derive(Clone, Debug)]
pub enum Target {
    /// An identity of the store.
    Identity(String),
    /// An endpoint, with loose files.
    Url(String),
}

impl FromStr for Target {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text.contains("://") {
            Self::Url(text.to_owned())
        } else {
            Self::Identity(text.to_owned())
        })
    }
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum ProbeQuestion {
    /// When the verdict or the server's issuer changed, as the daily probes and those by hand have shown it.
    ///
    /// Without an identity after it the word is the name of one: `probe history --destination acme/test` probes the
    /// identity that is called `history`.
    #[command(after_help = HELP, mut_args(of_history_alone))]
    History {
        /// Whose.
        #[arg(id = "identity_of", value_name = "IDENTITY")]
        identity: Option<IdentityName>,
        // What belongs to a probe, if it turns out to be one.
        #[command(flatten)]
        options: Box<ProbeOptions>,
    },
}

/// Of a history only the place can be said.
fn of_history_alone(argument: clap::Arg) -> clap::Arg {
    let shown = ["identity_of", "destination", "help"].contains(&argument.get_id().as_str());
    argument.hide(!shown)
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[allow(missing_docs)]
pub struct ProbeArguments {
    #[command(subcommand)]
    pub question: Option<ProbeQuestion>,
    /// An identity of the store, or the https URL of an endpoint that is probed with loose files.
    #[arg(value_name = "IDENTITY|URL", required_unless_present = "all")]
    pub target: Option<Target>,
    /// Probe every place in the configuration with what is in use there, and say a line of each.
    #[arg(long, conflicts_with_all = ["target", "destination", "partner", "environment", "generation", "refused", "page", "watch",
        "identity", "passphrase_file", "anchors", "resolve", "product", "tls", "account"])]
    pub all: bool,
    /// How many places are probed at once.
    #[arg(long, value_name = "N", default_value_t = 8, requires = "all", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub at_once: u16,
    #[command(flatten)]
    pub options: ProbeOptions,
}

/// How one place is probed.
#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct ProbeOptions {
    /// Where: `partner/test` or `partner/production`.
    #[arg(long, short, conflicts_with_all = ["partner", "environment"])]
    pub destination: Option<Destination>,
    /// The same in two words: at whom.
    #[arg(long, requires = "environment")]
    pub partner: Option<PartnerName>,
    /// And where.
    #[arg(long, requires = "partner", value_parser = ["test", "production"])]
    pub environment: Option<String>,
    /// Which of its generations.
    #[arg(long, short, value_enum)]
    pub generation: Option<Slot>,
    /// Ask for refusal: exits with 0 when the certificate is refused at every address, as a retired one must be.
    #[arg(long)]
    pub refused: bool,
    /// Log in at Jira, once: a file that only we can read, with `method` (basic, token, cookie or oauth1) and what
    /// belongs to it.
    #[arg(long, value_name = "FILE")]
    pub account: Option<PathBuf>,
    /// Write the report as a page to attach to a ticket: one file of HTML that loads nothing.
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// Repeat until interrupted, and say what changes.
    #[arg(long)]
    pub watch: bool,
    /// How long to wait between two probes of a watch; 5 seconds at least.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        requires = "watch"
    )]
    pub every: Lapse,
    // Last, for its heading is that of whatever follows.
    #[command(flatten)]
    pub loose: LooseFiles,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "With a URL")]
#[allow(missing_docs)]
pub struct LooseFiles {
    /// What to present: a key with its certificates, as PEM, DER or PKCS#12 in any order. Without, nothing is presented.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub identity: Vec<PathBuf>,
    /// Take the passphrase that opens them from a file that only we can read; else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Whom to believe: the authorities of the server, PEM. There is no default.
    #[arg(long, value_name = "FILE")]
    pub anchors: Option<PathBuf>,
    /// Dial this instead of what DNS says.
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 1..)]
    pub resolve: Vec<SocketAddr>,
    /// What stands in front of Jira, for the wording of what is to be done.
    #[arg(long = "for", value_name = "PRODUCT")]
    pub product: Option<GatewayProduct>,
    /// What to offer: 1.2 as the Jira connector does, or both.
    #[arg(long, value_enum)]
    pub tls: Option<Offer>,
}

impl ProbeOptions {
    /// The first option that a history has no use for.
    pub(in crate::cli) fn beyond_a_place(&self) -> Option<&'static str> {
        let given = [
            (self.generation.is_some(), "--generation"),
            (self.refused, "--refused"),
            (self.account.is_some(), "--account"),
            (self.page.is_some(), "--page"),
            (self.watch, "--watch"),
        ];
        let loose = self.loose.given();
        loose.or_else(|| {
            given
                .into_iter()
                .find_map(|(given, name)| given.then_some(name))
        })
    }

    /// The place, in one word or two.
    pub(in crate::cli) fn place(&self) -> Option<Destination> {
        let in_two = || {
            let (partner, environment) = (self.partner.as_ref()?, self.environment.as_ref()?);
            Destination::try_from(format!("{partner}/{environment}")).ok()
        };
        self.destination.clone().or_else(in_two)
    }
}

impl LooseFiles {
    /// The first option of these that was given.
    pub(in crate::cli) fn given(&self) -> Option<&'static str> {
        [
            (!self.identity.is_empty(), "--identity"),
            (self.passphrase_file.is_some(), "--passphrase-file"),
            (self.anchors.is_some(), "--anchors"),
            (!self.resolve.is_empty(), "--resolve"),
            (self.product.is_some(), "--for"),
            (self.tls.is_some(), "--tls"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub enum Offer {
    #[value(name = "1.2")]
    Tls12,
    Both,
}
