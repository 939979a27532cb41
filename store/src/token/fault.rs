//! Why a token does not open a slot, each with what to do.

use std::fmt;
use std::path::PathBuf;

use super::{TokenKey, TokenName};

/// Why a token does not open a slot, or is not taken for one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Several keys would do for a new slot.
    #[error(
        "several keys on token {token} would do ({}): name one by its label (`key` in [store.token], or --token-key)",
        Quoted(.keys)
    )]
    AmbiguousKey {
        /// The token.
        token: TokenName,
        /// Their labels.
        keys: Vec<String>,
    },
    /// Several tokens would do, and a PIN is not tried on one after the other.
    #[error(
        "several tokens would do ({}), and a PIN is not tried on one after the other: name one by its label (`token` in [store.token], or --token-label)",
        Listed(.tokens)
    )]
    AmbiguousToken {
        /// The tokens.
        tokens: Vec<TokenName>,
    },
    /// No token is there that opens a slot, and no other one either.
    #[error(
        "the token is not there: plug in {}, or use the secret of another slot",
        Listed(.wanted)
    )]
    Absent {
        /// Those that open a slot.
        wanted: Vec<TokenName>,
    },
    /// There is no PIN.
    #[error("the PIN is empty: type the user's PIN of the token")]
    EmptyPin,
    /// The module may be replaced by others.
    #[error(
        "the PKCS#11 module {path} can be changed by others (owner {owner}, mode {mode:04o}), and it would run in this process: it has to be root's or ours, and writable for nobody else"
    )]
    ExposedModule {
        /// The module.
        path: PathBuf,
        /// The user whose it is.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The token is there, and the key is not.
    #[error(
        "there is no key {key} on token {} any more: use the secret of another slot, then remove the slot of this key",
        .key.token
    )]
    KeyGone {
        /// Which key.
        key: TokenKey,
    },
    /// The module is not there.
    #[error("there is no PKCS#11 module {path}: install it, or correct `module` in [store.token]")]
    ModuleMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is no PKCS#11 module, or one that does not work here.
    #[error("{path} cannot be used as a PKCS#11 module: {why}")]
    ModuleUnusable {
        /// The file.
        path: PathBuf,
        /// What the loader or the module says.
        why: String,
    },
    /// No key on the token will do.
    #[error(
        "on token {token} is no private key{} on P-256 that may derive (CKA_DERIVE): make one, such as with `pkcs11-tool --keypairgen --key-type EC:prime256v1 --usage-derive`",
        Called(.label)
    )]
    NoKey {
        /// The token.
        token: TokenName,
        /// The label that was asked for.
        label: Option<String>,
    },
    /// No module has been named to this process.
    #[error(
        "no PKCS#11 module is configured, and none is loaded because somebody asks for it: describe the token in [store.token] of countersign.toml, and restart the daemon"
    )]
    NoModule,
    /// No slot is a token's.
    #[error(
        "no slot of this store is opened by a token: open it with another secret, then `store slot add --token`"
    )]
    NoSlot,
    /// No token will do for a new slot.
    #[error("there is no initialised token{}: plug it in, or name another module", Called(.label))]
    NoToken {
        /// The label that was asked for.
        label: Option<String>,
    },
    /// This program was built without PKCS#11.
    #[error(
        "this program was built without PKCS#11: use one that was built with the feature `pkcs11`"
    )]
    NotBuilt,
    /// Another token is there.
    #[error(
        "another token is there, {}: plug in {}, or use the secret of another slot",
        Listed(.found),
        Listed(.wanted)
    )]
    OtherToken {
        /// Those that open a slot.
        wanted: Vec<TokenName>,
        /// What is there.
        found: Vec<TokenName>,
    },
    /// The key has the name of the one that made the slot, and is another one.
    #[error(
        "the key {key} on token {} is not the one that the slot was made with: use the secret of another slot, then `store slot change` with this key",
        .key.token
    )]
    OtherKey {
        /// Which key.
        key: TokenKey,
    },
    /// The token takes no more PINs.
    #[error(
        "the PIN of token {token} is locked: unlock it with its own tools (its PUK or security officer), or use the secret of another slot"
    )]
    PinLocked {
        /// The token.
        token: TokenName,
    },
    /// A PIN that nobody typed was kept from a token that would lock itself.
    #[error(
        "the PIN from the file was not tried, because a wrong one came before and token {token} says that {state}: let a person type it (`store unlock --token`, or take pin-file and pin-credential out of [store.token] for once)"
    )]
    PinSpared {
        /// The token.
        token: TokenName,
        /// How near it is to locking itself.
        state: PinState,
    },
    /// The module or the token refused.
    #[error("token {token} could not {doing}: {why}")]
    Refused {
        /// The token, or what is known of it.
        token: String,
        /// What was asked of it.
        doing: &'static str,
        /// Its own words.
        why: String,
    },
    /// The PIN is wrong.
    #[error("the PIN is wrong; it was tried once, on token {token}, which says that {state}")]
    WrongPin {
        /// The token.
        token: TokenName,
        /// How near it is to locking itself.
        state: PinState,
    },
}

impl TokenFault {
    /// Whether a secret was tried and is not the right one.
    #[must_use]
    pub fn is_wrong_secret(&self) -> bool {
        matches!(self, Self::WrongPin { .. } | Self::OtherKey { .. })
    }

    /// Whether a person can put it right at the token, and nothing about this installation is at fault.
    #[must_use]
    pub fn is_about_the_token(&self) -> bool {
        match self {
            Self::Absent { .. }
            | Self::EmptyPin
            | Self::KeyGone { .. }
            | Self::OtherKey { .. }
            | Self::OtherToken { .. }
            | Self::PinLocked { .. }
            | Self::PinSpared { .. }
            | Self::Refused { .. }
            | Self::WrongPin { .. } => true,
            Self::AmbiguousKey { .. }
            | Self::AmbiguousToken { .. }
            | Self::ExposedModule { .. }
            | Self::ModuleMissing { .. }
            | Self::ModuleUnusable { .. }
            | Self::NoKey { .. }
            | Self::NoModule
            | Self::NoSlot
            | Self::NoToken { .. }
            | Self::NotBuilt => false,
        }
    }
}

/// How near a token is to locking itself, by its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinState {
    /// It says nothing: no wrong PIN since the last right one, or it keeps that to itself.
    Calm,
    /// `CKF_USER_PIN_COUNT_LOW`.
    CountLow,
    /// `CKF_USER_PIN_FINAL_TRY`.
    FinalTry,
    /// `CKF_USER_PIN_LOCKED`.
    Locked,
}

impl fmt::Display for PinState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calm => "nothing of how many tries are left",
            Self::CountLow => "a few more wrong ones lock it",
            Self::FinalTry => "ONE more wrong one locks it",
            Self::Locked => "it is locked now",
        })
    }
}

struct Listed<'a>(&'a [TokenName]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, token) in self.0.iter().enumerate() {
            write!(f, "{}token {token}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Quoted<'a>(&'a [String]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, text) in self.0.iter().enumerate() {
            write!(f, "{}{text:?}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Called<'a>(&'a Option<String>);

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(label) => write!(f, " called {label:?}"),
            None => Ok(()),
        }
    }
}
