//! Tokens that open the store: which one is meant, and where its PIN comes from.

use std::path::PathBuf;

use super::{
    args::{TokenPin, TokenSecret},
    terminal::Terminal,
    unlock,
};
use crate::{
    config::TokenConfig,
    records::{Pin, Token, TokenPlace, Unlock},
    service::ServiceError,
};

/// The token of the configuration.
pub(super) fn configured(terminal: Terminal, config: &TokenConfig) -> Result<Unlock, ServiceError> {
    let pin = match &config.pin_file {
        Some(path) => Pin::stored(unlock::private_text(path, "PIN file")?),
        None => Pin::typed(terminal.pin()?),
    };
    let place = config.place.clone();
    Ok(Unlock::Token(Token { place, pin }))
}

/// The token of the configuration, for a daemon that starts; or, when there is no PIN at hand, why not.
pub(super) fn at_hand(
    terminal: Terminal,
    config: &TokenConfig,
) -> Result<Result<Unlock, String>, ServiceError> {
    match &config.pin_file {
        Some(path) if !unlock::is_there(path) => {
            Ok(Err(format!("{} is not there", path.display())))
        }
        Some(_) => configured(terminal, config).map(Ok),
        None => Ok(match terminal.pin() {
            Ok(text) if text.is_empty() => Err("no PIN was typed".to_owned()),
            Ok(text) => Ok(Unlock::Token(Token {
                place: config.place.clone(),
                pin: Pin::typed(text),
            })),
            Err(none) => Err(none.message),
        }),
    }
}

/// The token of the configuration, for a sealed daemon: a PIN file that is not there now is no reason to
/// ask nobody.
pub(super) fn to_hand_over(
    terminal: Terminal,
    config: &TokenConfig,
) -> Result<Unlock, ServiceError> {
    let pin_file = config
        .pin_file
        .clone()
        .filter(|path| unlock::is_there(path));
    let place = config.place.clone();
    configured(terminal, &TokenConfig { place, pin_file })
}

/// The token that the command line asks for, at this place.
pub(super) fn said(
    terminal: Terminal,
    said: &TokenPin,
    place: TokenPlace,
) -> Result<Unlock, ServiceError> {
    configured(terminal, &meant(said, place))
}

fn meant(said: &TokenPin, place: TokenPlace) -> TokenConfig {
    TokenConfig {
        place: TokenPlace {
            token: said.token_label.clone().or(place.token),
            ..place
        },
        pin_file: said.pin_file.clone(),
    }
}

/// The token that the command line asks for, for this process.
pub(super) fn described(
    said: &TokenSecret,
    configured: Option<TokenConfig>,
) -> Result<TokenConfig, ServiceError> {
    let place = match (&said.token_module, configured) {
        // Whoever names another module means another token.
        (Some(module), _) => TokenPlace {
            module: module.clone(),
            ..elsewhere()
        },
        (None, Some(config)) => config.place,
        (None, None) => {
            return Err(ServiceError::failed(
                "nothing says which PKCS#11 module speaks with the token",
            )
            .hint("--token-module FILE, or `module` in [store.token] of countersign.toml"));
        }
    };
    let key = said.token_key.clone().or_else(|| place.key.clone());
    Ok(meant(&said.pin, TokenPlace { key, ..place }))
}

/// Where a daemon is to look. It knows its module, and is not told another one.
pub(super) fn place_at_daemon(said: &TokenSecret) -> Result<TokenPlace, ServiceError> {
    if said.token_module.is_some() {
        return Err(ServiceError::refused(
            "the daemon loads the PKCS#11 module that its configuration names, and no other",
        )
        .hint("name it in [store.token] of the daemon's countersign.toml, restart the daemon, and leave --token-module away"));
    }
    Ok(TokenPlace {
        key: said.token_key.clone(),
        ..elsewhere()
    })
}

/// A place that another process knows: nothing of it is told but what was asked for.
pub(super) fn elsewhere() -> TokenPlace {
    TokenPlace {
        module: PathBuf::new(),
        token: None,
        key: None,
    }
}
