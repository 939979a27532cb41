//! `[store.token]`: the PKCS#11 token that may open the store, and the one module that is ever loaded.

use std::path::PathBuf;

use serde::Deserialize;

use super::resolve::Resolving;
use crate::records::TokenPlace;

/// The environment variable in which a service manager says where credentials lie.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// A token, and where its PIN comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenConfig {
    /// The module, and which token and key if there are several.
    pub place: TokenPlace,
    /// The file with the PIN; `None`: a person types it.
    pub pin_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawToken {
    module: PathBuf,
    token: Option<String>,
    key: Option<String>,
    pin_file: Option<PathBuf>,
    pin_credential: Option<String>,
}

impl Resolving<'_> {
    pub(super) fn token(&mut self, raw: RawToken) -> TokenConfig {
        for (key, label) in [("token", &raw.token), ("key", &raw.key)] {
            if label.as_ref().is_some_and(String::is_empty) {
                self.fault("store.token", format!("{key}: a label is not empty"));
            }
        }
        if raw.pin_file.is_some() && raw.pin_credential.is_some() {
            self.fault("store.token", "choose one of pin-file and pin-credential");
        }
        let handed = raw
            .pin_credential
            .map(|name| self.credential("store.token.pin-credential", &name));
        TokenConfig {
            place: TokenPlace {
                module: self.path(raw.module),
                token: raw.token,
                key: raw.key,
            },
            pin_file: raw.pin_file.map(|path| self.path(path)).or(handed),
        }
    }

    /// The file of a service manager's credential.
    pub(super) fn credential(&mut self, place: &str, name: &str) -> PathBuf {
        match std::env::var_os(CREDENTIALS_DIRECTORY) {
            Some(directory) if !name.contains('/') && !name.is_empty() => {
                PathBuf::from(directory).join(name)
            }
            _ => {
                let fault =
                    format!("`{name}` is looked for in ${CREDENTIALS_DIRECTORY}, which is not set");
                self.fault(place, fault);
                PathBuf::new()
            }
        }
    }
}
