//! PKCS#11 tokens: the arguments. A PIN is never one of them.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug, Default)]
#[allow(missing_docs)]
pub struct TokenPin {
    /// Let a private key on a PKCS#11 token open the store. Its PIN is asked for at the terminal.
    #[arg(long)]
    pub token: bool,
    /// The label of the token, if there are several.
    #[arg(long, value_name = "LABEL", requires = "token")]
    pub token_label: Option<String>,
    /// Take the PIN from a file that only we can read.
    #[arg(long, value_name = "FILE", requires = "token")]
    pub pin_file: Option<PathBuf>,
}

#[derive(Args, Debug, Default)]
#[allow(missing_docs)]
pub struct TokenSecret {
    #[command(flatten)]
    pub pin: TokenPin,
    /// The PKCS#11 module of the token, when the configuration names none. A daemon loads its own only.
    #[arg(long, value_name = "FILE", requires = "token")]
    pub token_module: Option<PathBuf>,
    /// The label of the private key (P-256, may derive), if there are several on the token.
    #[arg(long, value_name = "LABEL", requires = "token")]
    pub token_key: Option<String>,
}
