//! `inspect`, and what other commands that read people's files share with it.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
#[allow(missing_docs)]
pub struct KeyFiles {
    /// Keys and certificates: PEM, DER, PKCS#12 or PKCS#7, in any order.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Take the passphrase that opens them from a file that only we can read; else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}
