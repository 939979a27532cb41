//! A token as one process describes it to another: which one, which key, the PIN, and not the module.

use zeroize::Zeroizing;

use super::{Pin, Token, TokenPlace};
use crate::secret::Passphrase;

/// Whether a person typed the PIN.
const TYPED: u8 = b'+';
const STORED: u8 = b'-';

impl Token {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let labels = [&self.place.token, &self.place.key].map(|label| {
            let label = label.as_deref().unwrap_or_default();
            // No token has such a long one, and then none is found.
            &label.as_bytes()[..label.len().min(u8::MAX.into())]
        });
        let pin = self.pin.text.as_bytes();
        let lengths: usize = labels.iter().map(|label| 1 + label.len()).sum();
        // At its full length, and one more for the kind: a buffer that moves leaves the PIN behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + lengths + pin.len()));
        bytes.push(if self.pin.typed { TYPED } else { STORED });
        for label in labels {
            // Cut to this length above.
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label);
        }
        bytes.extend_from_slice(pin);
        bytes
    }

    /// `place` is where this process looks for tokens; what is asked for within it comes before what it names.
    pub(crate) fn decode(bytes: &[u8], place: &TokenPlace) -> Option<Self> {
        let (typed, rest) = bytes.split_first()?;
        let (token, rest) = label(rest)?;
        let (key, pin) = label(rest)?;
        let text = std::str::from_utf8(pin).ok()?.to_owned();
        let pin = Pin {
            text: Passphrase::new(text.into()),
            typed: match *typed {
                TYPED => true,
                STORED => false,
                _ => return None,
            },
        };
        let place = TokenPlace {
            module: place.module.clone(),
            token: token.or_else(|| place.token.clone()),
            key: key.or_else(|| place.key.clone()),
        };
        Some(Self { place, pin })
    }
}

/// A text with its length before it; none, if it is empty.
fn label(bytes: &[u8]) -> Option<(Option<String>, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (label, rest) = rest.split_at_checked(usize::from(*length))?;
    let label = std::str::from_utf8(label).ok()?.to_owned();
    Some(((!label.is_empty()).then_some(label), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{UnknownSecret, Unlock};

    fn place(module: &str, token: Option<&str>) -> TokenPlace {
        TokenPlace {
            module: module.into(),
            token: token.map(str::to_owned),
            key: None,
        }
    }

    #[test]
    fn whoever_hands_a_pin_over_does_not_say_which_library_is_loaded() {
        let theirs = Unlock::Token(Token {
            place: place("/tmp/theirs.so", Some("safe")),
            pin: Pin::typed("4711".to_owned().into()),
        });
        let bytes = theirs.encode();
        assert!(!String::from_utf8_lossy(&bytes).contains("theirs"));
        let ours = place("/usr/lib/ours.so", Some("ops"));
        let Ok(Unlock::Token(token)) = Unlock::decode(&bytes, Some(&ours)) else {
            panic!("a token became something else");
        };
        assert_eq!(token.place.module, ours.module);
        assert_eq!(token.place.token.as_deref(), Some("safe"));
        assert_eq!(token.pin.text.as_bytes(), b"4711");
        assert!(token.pin.typed);
        let refused = Unlock::decode(&bytes, None).unwrap_err();
        assert_eq!(refused, UnknownSecret::NoModule);
    }

    #[test]
    fn a_pin_from_a_file_is_still_one_when_it_was_handed_over() {
        let ours = place("/usr/lib/ours.so", Some("ops"));
        let stored = Unlock::Token(Token {
            place: place("/usr/lib/ours.so", None),
            pin: Pin::stored("4711".to_owned().into()),
        });
        let Ok(Unlock::Token(token)) = Unlock::decode(&stored.encode(), Some(&ours)) else {
            panic!("a token became something else");
        };
        assert!(!token.pin.typed);
        assert_eq!(token.place.token.as_deref(), Some("ops"));
        for foreign in [
            &b"t"[..],
            b"t+",
            b"t+\0",
            b"t+\x05ab",
            b"t?\0\0",
            b"t+\0\0\xff",
        ] {
            assert!(Unlock::decode(foreign, Some(&ours)).is_err(), "{foreign:?}");
        }
    }

    #[test]
    fn a_pin_is_not_in_debug_output() {
        let token = Unlock::Token(Token {
            place: place("/usr/lib/ours.so", None),
            pin: Pin::typed("471147114711".to_owned().into()),
        });
        let shown = format!("{token:?}");
        assert!(
            shown.contains("ours.so") && !shown.contains("4711"),
            "{shown}"
        );
    }
}
