//! Digests by which certificates and keys are known, and the spellings in which gateways want them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// SHA-256 over the DER certificate. Shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Wraps a digest computed elsewhere.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight digits, for people's eyes only: never compared.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }

    /// `AB:CD:…`, as OpenSSL prints it.
    pub fn colon_upper(&self) -> String {
        colon_upper(&self.0)
    }

    /// Groups of four digits, for reading aloud.
    pub fn grouped(&self) -> String {
        let digits = hex::encode_upper(self.0);
        let groups: Vec<&str> = digits
            .as_bytes()
            .chunks(4)
            .filter_map(|c| std::str::from_utf8(c).ok())
            .collect();
        groups.join(" ")
    }
}

/// SHA-256 over the DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7): the same for key, CSR and certificate.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// Wraps a digest computed elsewhere.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight digits, for people's eyes only.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

/// SHA-1 over the DER certificate: what nginx and Azure API Management pin. An identifier here, no protection.
#[derive(Clone, Copy, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha1Fingerprint([u8; 20]);

impl Sha1Fingerprint {
    /// Wraps a digest computed elsewhere.
    pub const fn from_digest(digest: [u8; 20]) -> Self {
        Self(digest)
    }

    /// Upper case without colons: Azure's thumbprint ("the public key must be all caps").
    pub fn upper(&self) -> String {
        hex::encode_upper(self.0)
    }

    /// `AB:CD:…`, as OpenSSL prints it.
    pub fn colon_upper(&self) -> String {
        colon_upper(&self.0)
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "`{text}` is no SHA-{algorithm} fingerprint: {digits} hexadecimal digits are wanted, {found} were found"
)]
pub struct ParseFingerprintError {
    /// 256 or 1.
    pub algorithm: u16,
    /// How many digits are wanted.
    pub digits: usize,
    /// How many were found.
    pub found: usize,
    /// What was given.
    pub text: String,
}

fn colon_upper(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|b| format!("{b:02X}"))
        .collect::<Vec<_>>()
        .join(":")
}

/// Reads digits however people paste them: either case, with colons, dashes, spaces, and the invisible
/// marks that Windows' certificate dialog copies along.
fn parse<const N: usize>(algorithm: u16, text: &str) -> Result<[u8; N], ParseFingerprintError> {
    let fail = |found| ParseFingerprintError {
        algorithm,
        digits: 2 * N,
        found,
        text: super::one_line(text),
    };
    let mut digits = String::with_capacity(2 * N);
    for c in text.chars() {
        match c {
            '0'..='9' | 'a'..='f' | 'A'..='F' => digits.push(c),
            ':' | '-' | ' ' | '\t' | '\r' | '\n' | '\u{a0}' | '\u{200e}' | '\u{200f}'
            | '\u{feff}' => {}
            _ => return Err(fail(digits.len())),
        }
        if digits.len() > 2 * N {
            return Err(fail(digits.len()));
        }
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(&digits, &mut bytes).map_err(|_| fail(digits.len()))?;
    Ok(bytes)
}

macro_rules! digest_text {
    ($($name:ident, $algorithm:literal;)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = ParseFingerprintError;
            fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
                parse($algorithm, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseFingerprintError;
            fn try_from(text: String) -> Result<Self, ParseFingerprintError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> Self {
                digest.to_string()
            }
        }
    )+};
}

digest_text! { Fingerprint, 256; KeyId, 256; Sha1Fingerprint, 1; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_pasting_a_fingerprint_reads_the_same() {
        let wanted = Fingerprint([0xAB; 32]);
        let plain = "ab".repeat(32);
        let marked = format!("\u{200e}{}", wanted.colon_upper());
        for text in [
            plain.as_str(),
            &wanted.grouped(),
            &wanted.colon_upper(),
            &marked,
        ] {
            assert_eq!(text.parse::<Fingerprint>().unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn a_cut_or_padded_fingerprint_is_refused() {
        assert!("ab".repeat(31).parse::<Fingerprint>().is_err());
        assert!("ab".repeat(33).parse::<Fingerprint>().is_err());
        assert!("xy".repeat(32).parse::<Fingerprint>().is_err());
    }

    #[test]
    fn azures_spelling_is_upper_case_without_colons() {
        assert_eq!(Sha1Fingerprint([0xab; 20]).upper(), "AB".repeat(20));
    }
}
