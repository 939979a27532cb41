//! A private key on a PKCS#11 token (2.40 and later) that opens a slot, and never leaves the token.
//!
//! The slot's salt is hashed to a point on P-256 (RFC 9380) whose logarithm nobody knows, not even who
//! made the slot. The token multiplies the point with its private key (ECDH, `CKM_ECDH1_DERIVE`), and what
//! comes of that becomes the slot's key. So the token is needed to open a slot, *and* to make one: had the
//! header recorded a point, then who knows the token's public key and may write to the header could
//! choose a point whose logarithm they know, and plant a slot of their own that the token opens.
//!
//! Tokens lock themselves after a few wrong PINs. So a PIN is tried once and on one token, and one that
//! nobody typed is not tried at all when the token says that a wrong one came before.

mod fault;
mod handed;
mod pick;
#[cfg(feature = "pkcs11")]
mod point;
#[cfg(feature = "pkcs11")]
mod session;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use fault::{PinState, TokenFault};
#[cfg(feature = "pkcs11")]
use session::{answers, enroll, identify};

use crate::secret::Passphrase;

/// Where a token is looked for, and which one if there are several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlace {
    /// The PKCS#11 module: a shared library, which is loaded into this process.
    pub module: PathBuf,
    /// The label of the token.
    pub token: Option<String>,
    /// The label of the private key; needed for a new slot when there are several that would do.
    pub key: Option<String>,
}

/// The user's PIN of a token.
#[derive(Debug)]
pub struct Pin {
    text: Passphrase,
    typed: bool,
}

impl Pin {
    /// One that a person has just typed.
    #[must_use]
    pub fn typed(text: Zeroizing<String>) -> Self {
        Self {
            text: Passphrase::new(text),
            typed: true,
        }
    }

    /// One that was read from somewhere, and may be read again and again without anybody noticing that it is
    /// wrong.
    #[must_use]
    pub fn stored(text: Zeroizing<String>) -> Self {
        Self {
            text: Passphrase::new(text),
            typed: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// A token that is to be asked, with its PIN.
pub struct Token {
    /// Where it is.
    pub place: TokenPlace,
    /// What makes it answer.
    pub pin: Pin,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenName {
    /// What its owner calls it.
    pub label: Box<str>,
    /// Who made it.
    pub maker: Box<str>,
    /// Its model.
    pub model: Box<str>,
    /// Its serial number, which is its maker's.
    pub serial: Box<str>,
}

impl TokenName {
    /// Whether both are names of one token: what its owner calls it is said again for the next one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.maker, &self.model, &self.serial) == (&other.maker, &other.model, &other.serial)
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With escapes: the token chose the text.
        write!(f, "{:?} (serial {:?})", self.label, self.serial)
    }
}

/// Which key on which token opens a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// The token.
    pub token: TokenName,
    /// `CKA_LABEL` of the private key, as far as it is text.
    pub label: Box<str>,
    /// `CKA_ID` of the private key.
    #[serde(with = "hex")]
    pub id: Vec<u8>,
}

impl TokenKey {
    /// Whether both name one key. A key without an id is known by its label.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.token.is(&other.token)
            && self.id == other.id
            && (!self.id.is_empty() || self.label == other.label)
    }

    /// This key as bytes, to be bound to what it guards.
    pub(crate) fn context(&self) -> Vec<u8> {
        let TokenName {
            label,
            maker,
            model,
            serial,
        } = &self.token;
        let names = [maker, model, serial, label, &self.label];
        let mut parts: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        parts.push(&self.id);
        crate::crypto::framed(&parts)
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.label.is_empty() {
            write!(f, "{}", hex::encode(&self.id))
        } else {
            write!(f, "{:?}", self.label)
        }
    }
}

/// What a token makes of a point.
pub(crate) type Answer = Zeroizing<Vec<u8>>;

/// A slot about which a token is asked.
pub(crate) struct Question<'a> {
    pub(crate) slot: u32,
    pub(crate) key: &'a TokenKey,
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code))]
    pub(crate) salt: &'a [u8],
}

/// What a token answered, by slot; and what to say if none of it opens anything.
pub(crate) struct Answers {
    pub(crate) by_slot: Vec<(u32, Answer)>,
    pub(crate) otherwise: TokenFault,
}

impl Token {
    /// Chooses a key for a new slot, and asks it.
    pub(crate) fn enroll(&self, salt: &[u8]) -> Result<(TokenKey, Answer), TokenFault> {
        enroll(self, salt)
    }

    /// The key that [`enroll`](Self::enroll) would choose.
    pub(crate) fn identify(&self) -> Result<TokenKey, TokenFault> {
        identify(self)
    }

    /// Asks the one token that is there about every slot that is its.
    pub(crate) fn answers(&self, questions: &[Question<'_>]) -> Result<Answers, TokenFault> {
        if questions.is_empty() {
            return Ok(Answers {
                by_slot: Vec::new(),
                otherwise: TokenFault::NoSlot,
            });
        }
        answers(self, questions)
    }
}

#[cfg(not(feature = "pkcs11"))]
fn enroll(_: &Token, _: &[u8]) -> Result<(TokenKey, Answer), TokenFault> {
    Err(TokenFault::NotBuilt)
}

#[cfg(not(feature = "pkcs11"))]
fn identify(_: &Token) -> Result<TokenKey, TokenFault> {
    Err(TokenFault::NotBuilt)
}

#[cfg(not(feature = "pkcs11"))]
fn answers(_: &Token, _: &[Question<'_>]) -> Result<Answers, TokenFault> {
    Err(TokenFault::NotBuilt)
}
