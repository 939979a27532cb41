//! The file in which an account is described. Whoever reads it from a disk reads the key file that it names as well.

use std::path::{Path, PathBuf};

use rsa::{PrivateKey, pkcs1::DecodeRsaPrivateKey as _, pkcs8::DecodePrivateKey as _};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Account, oauth::Link};

/// The description of an account, before the key that it may name was read.
pub struct AccountFile(Described);

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    tag = "method"
)]
enum Described {
    Basic {
        user: String,
        password: Zeroizing<String>,
    },
    Token {
        token: Zeroizing<String>,
    },
    Cookie {
        user: String,
        password: Zeroizing<String>,
    },
    Oauth1 {
        consumer_key: String,
        private_key_file: PathBuf,
        token: Zeroizing<String>,
    },
}

/// Why there is no account. It repeats nothing of the files, for that may be the password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountFault {
    /// A text that describes none.
    #[error(
        "it describes no account (line {line}): `method` is \"basic\" or \"cookie\" with `user` and `password`, \"token\" with `token`, or \"oauth1\" with `consumer-key`, `private-key-file` and `token`"
    )]
    Undescribed {
        /// Where.
        line: usize,
    },
    /// The key file was not read, or one was that nothing names.
    #[error("the private key is not there that it names, or it names none")]
    KeyApart,
    /// Pieces that are none of an account.
    #[error("it came in pieces that make no account; is the other side of another version?")]
    Frames,
    /// An encrypted key.
    #[error(
        "its private key is encrypted; decrypt it into a file that only its owner can read: `openssl pkey -in FILE -out NEW`"
    )]
    KeyEncrypted,
    /// What is named as the key is none that signs for an application link.
    #[error(
        "its private key is no RSA key of at least 1024 bits in PEM (PKCS#8 or PKCS#1): `openssl pkey -in FILE -out NEW` writes it so"
    )]
    Key,
}

impl AccountFile {
    /// Reads TOML.
    pub fn from_toml(text: &str) -> Result<Self, AccountFault> {
        let described =
            toml::from_str(text).map_err(|error: toml::de::Error| AccountFault::Undescribed {
                line: error.span().map_or(1, |span| {
                    text.get(..span.start)
                        .map_or(1, |before| before.matches('\n').count() + 1)
                }),
            })?;
        Ok(Self(described))
    }

    /// The file with the private key, if it names one; relative to the file itself.
    pub fn key_file(&self) -> Option<&Path> {
        match &self.0 {
            Described::Oauth1 {
                private_key_file, ..
            } => Some(private_key_file),
            _ => None,
        }
    }

    /// The account. `key` is the text of the key file, where one is named.
    pub fn with_key(self, key: Option<&str>) -> Result<Account, AccountFault> {
        Ok(match (self.0, key) {
            (Described::Basic { user, password }, None) => Account::Basic { user, password },
            (Described::Token { token }, None) => Account::Token { token },
            (Described::Cookie { user, password }, None) => Account::Cookie { user, password },
            (
                Described::Oauth1 {
                    consumer_key,
                    token,
                    ..
                },
                Some(pem),
            ) => Account::Oauth1(Link::new(consumer_key, token, private_key(pem)?)),
            _ => return Err(AccountFault::KeyApart),
        })
    }
}

/// PKCS#8 (RFC 5958) or PKCS#1 (RFC 8017).
fn private_key(pem: &str) -> Result<PrivateKey, AccountFault> {
    if pem.contains("ENCRYPTED") {
        return Err(AccountFault::KeyEncrypted);
    }
    // Text may stand before the key, as OpenSSL writes it.
    let pem = pem.find("-----BEGIN").map_or("", |start| &pem[start..]);
    let pem = pem.trim_end();
    let key = if pem.starts_with("-----BEGIN RSA PRIVATE KEY-----") {
        PrivateKey::from_pkcs1_pem(pem).ok()
    } else {
        PrivateKey::from_pkcs8_pem(pem).ok()
    };
    key.ok_or(AccountFault::Key)
}
