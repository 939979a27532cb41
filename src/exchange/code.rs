//! The one-time code of a letter: what an unsigned reply must bear.
//!
//! It proves that the writer has read the letter, nothing more, and therefore counts only together with
//! the sender's address and the fingerprint. The text exists in the letter alone; what is kept is its
//! SHA-256, bound to one certificate at one destination ([`PendingCode`](crate::model::PendingCode)).

use std::{fmt, str::FromStr};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use zeroize::Zeroizing;

use crate::model::CodeHash;

/// Crockford's base 32: no letter in it can be mistaken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// What a code begins with, so that it can be found in a mail.
pub(super) const PREFIX: &str = "CS-";
/// 128 bits in groups of five, rounded up.
pub(super) const LENGTH: usize = 26;
const GROUP: usize = 5;

/// A fresh code, as it stands in a letter: `CS-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-X`.
#[derive(Clone)]
pub struct OneTimeCode(Zeroizing<String>);

/// The system's random generator failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct NoRandomness;

impl OneTimeCode {
    /// 128 random bits.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0_u8; 16]);
        rand::fill(bytes.as_mut()).map_err(|_| NoRandomness)?;
        let bits = u128::from_be_bytes(*bytes);
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for place in (0..LENGTH).rev() {
            let digit = (bits >> (5 * place)) as usize & 31;
            text.push(char::from(ALPHABET[digit]));
        }
        Ok(Self(text))
    }

    /// Reads a code as people copy it: either case, `O` for zero, `I` and `L` for one, any dashes and
    /// spaces, with or without its prefix.
    pub(super) fn from_digits(digits: &str) -> Option<Self> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for c in digits.chars() {
            if !is_filler(c) {
                text.push(digit(c)?);
            }
            if text.len() > LENGTH {
                return None;
            }
        }
        (text.len() == LENGTH).then_some(Self(text))
    }

    /// What is kept of it.
    pub fn hash(&self) -> CodeHash {
        CodeHash::from_digest(digest(&SHA256, self.0.as_bytes()).as_ref())
    }
}

/// The canonical digit, for every spelling of it.
pub(super) fn digit(c: char) -> Option<char> {
    let upper = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET
        .iter()
        .any(|a| char::from(*a) == upper)
        .then_some(upper)
}

/// What may stand between digits: dashes, as mail programs beautify them, and white space.
pub(super) fn is_filler(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '\u{ad}' | '\u{200b}' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
}

impl fmt::Display for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CS")?;
        for (i, c) in self.0.chars().enumerate() {
            if i % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

/// A text that is no code.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this is no code of a letter: it looks like CS-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-X")]
pub struct InvalidCode;

impl FromStr for OneTimeCode {
    type Err = InvalidCode;
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let text = text.trim();
        let digits = match text.get(..PREFIX.len()) {
            Some(head) if head.eq_ignore_ascii_case(PREFIX) => &text[PREFIX.len()..],
            _ => text,
        };
        Self::from_digits(digits).ok_or(InvalidCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_what_mail_and_people_do_to_it() {
        let code = OneTimeCode::generate().unwrap();
        let shown = code.to_string();
        for mangled in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', "\u{2011}").replacen('\u{2011}', "-", 1),
            shown.replace('0', "O").replace('1', "l"),
            format!("  {} ", &shown[3..]),
        ] {
            let read: OneTimeCode = mangled.parse().unwrap();
            assert_eq!(read.hash(), code.hash(), "{mangled}");
        }
    }

    #[test]
    fn two_codes_differ_and_a_changed_one_does_not_match() {
        let (a, b) = (
            OneTimeCode::generate().unwrap(),
            OneTimeCode::generate().unwrap(),
        );
        assert_ne!(a.hash(), b.hash());
        assert!("CS-12345".parse::<OneTimeCode>().is_err());
    }

    #[test]
    fn a_code_is_not_shown_by_debug() {
        let code = OneTimeCode::generate().unwrap();
        assert!(!format!("{code:?}").contains(&code.to_string()[3..8]));
    }
}
