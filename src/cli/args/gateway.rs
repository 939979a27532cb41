//! `gateway`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::HELP;
use crate::model::{Destination, GatewayProduct, IdentityName, PinType};

#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum GatewayCommand {
    /// Say what to install at a gateway, with its configuration: for the generations in the store, or for loose files.
    #[command(
        after_help = HELP,
        long_about = "Say what to install at a gateway, with its configuration: for the generations in the store, or \
            for loose files.\n\n\
            From the store, the next generation stands beside the current one, or the current one beside the \
            previous; product and comparison are those on file for the destination. Without a store: --new, --host and \
            --for. Nothing is sent and nothing changes."
    )]
    Render(GatewayRender),
    /// Name the products, and say how far what is rendered for each has been tried.
    #[command(after_help = HELP)]
    List,
}

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct GatewayRender {
    /// Which identity.
    #[arg(
        required_unless_present = "new",
        conflicts_with = "new",
        requires = "destination"
    )]
    pub identity: Option<IdentityName>,
    /// Where: `partner/test` or `partner/production`.
    #[arg(long, short, conflicts_with = "new")]
    pub destination: Option<Destination>,
    /// Which product, by its name in `gateway list`; the one on file when nothing is said.
    #[arg(long = "for", value_name = "PRODUCT")]
    pub product: Option<GatewayProduct>,
    /// What it compares; what is on file, or the certificate, when nothing is said.
    #[arg(long, value_enum)]
    pub pin: Option<PinArgument>,
    /// OAuth 1.0a is used: let its path through as well.
    #[arg(long)]
    pub oauth: bool,
    /// Leave the older generation out: as it is to be when that one may go.
    #[arg(long)]
    pub alone: bool,
    /// The new certificate with its issuers, PEM, in any order; the root too, for most gateways want it.
    #[arg(long, value_name = "FILE", requires = "host", requires = "product")]
    pub new: Option<PathBuf>,
    /// The certificate that is presented today, with its issuers.
    #[arg(long, value_name = "FILE", requires = "new", conflicts_with = "alone")]
    pub present: Option<PathBuf>,
    /// The host name under which Jira is called.
    #[arg(long, value_name = "NAME", requires = "new")]
    pub host: Option<String>,
    /// Write the sheet, its configurations and its certificates into this directory; it has to exist.
    #[arg(long, value_name = "DIRECTORY")]
    pub into: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub enum PinArgument {
    Certificate,
    Authority,
}

impl From<PinArgument> for PinType {
    fn from(pin: PinArgument) -> Self {
        match pin {
            PinArgument::Certificate => Self::Certificate,
            PinArgument::Authority => Self::Authority,
        }
    }
}
