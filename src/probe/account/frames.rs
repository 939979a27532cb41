//! An account in pieces, for a way on which no parser and no library keeps a copy of it.

use rsa::{
    PrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
};
use zeroize::Zeroizing;

use super::{Account, AccountFault, oauth::Link};

/// A piece; wiped when dropped.
type Frame = Zeroizing<Vec<u8>>;

impl Account {
    /// The method, and what belongs to it, piece by piece.
    pub fn to_frames(&self) -> Result<(&'static str, Vec<Frame>), AccountFault> {
        let frame = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let frames = match self {
            Self::Basic { user, password } | Self::Cookie { user, password } => {
                vec![frame(user), frame(password)]
            }
            Self::Token { token } => vec![frame(token)],
            Self::Oauth1(link) => {
                let (consumer, token, key) = link.parts();
                let der = key.to_pkcs8_der().map_err(|_| AccountFault::Key)?;
                vec![frame(consumer), frame(token), der.to_bytes()]
            }
        };
        Ok((self.method(), frames))
    }

    /// The account again.
    pub fn from_frames(method: &str, frames: &[Frame]) -> Result<Self, AccountFault> {
        let text = |bytes: &Frame| {
            std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| AccountFault::Frames)
        };
        let secret = |bytes| text(bytes).map(Zeroizing::new);
        Ok(match (method, frames) {
            ("basic", [user, password]) => Self::Basic {
                user: text(user)?,
                password: secret(password)?,
            },
            ("cookie", [user, password]) => Self::Cookie {
                user: text(user)?,
                password: secret(password)?,
            },
            ("token", [token]) => Self::Token {
                token: secret(token)?,
            },
            ("oauth1", [consumer, token, der]) => {
                let key = PrivateKey::from_pkcs8_der(der).map_err(|_| AccountFault::Key)?;
                Self::Oauth1(Link::new(text(consumer)?, secret(token)?, key))
            }
            _ => return Err(AccountFault::Frames),
        })
    }
}
