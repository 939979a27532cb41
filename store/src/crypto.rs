//! The primitives, each under one name: sealing (XChaCha20-Poly1305), hashing of names
//! (HMAC-SHA-256, RFC 2104), deriving keys (HKDF-SHA-256, RFC 5869) and padding.
//!
//! Nonces are random: with 192 bits of nonce the same one will not come twice, so no counter has
//! to survive a crash or a restored backup.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Error, Fault, Result};
use crate::memory::Locked;

/// Length of a nonce in bytes.
pub(crate) const NONCE: usize = 24;
/// Length of an authentication tag in bytes.
pub(crate) const TAG: usize = 16;

/// A random nonce, which may be used once under each key.
pub(crate) type Nonce = [u8; NONCE];

/// A 256-bit key, in memory that is not swapped out. Wiped when dropped.
pub(crate) struct SecretKey(Locked);

impl SecretKey {
    pub(crate) const BYTES: usize = 32;

    /// A key that `make` writes into its final place, so that no copy is left behind.
    pub(crate) fn made<E>(
        make: impl FnOnce(&mut [u8; Self::BYTES]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut key = Locked::new();
        make(key.bytes_mut())?;
        Ok(Self(key))
    }

    pub(crate) fn random() -> Result<Self> {
        Self::made(|bytes| fill(bytes))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let mut key = Locked::new();
        key.bytes_mut().copy_from_slice(bytes);
        Some(Self(key))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        self.0.bytes()
    }

    /// Another key with the same bytes.
    #[cfg(test)]
    pub(crate) fn copy(&self) -> Self {
        let mut key = Locked::new();
        key.bytes_mut().copy_from_slice(self.as_bytes());
        Self(key)
    }

    /// Another key, of which this one cannot be told, for the use that `info` names.
    pub(crate) fn derive(&self, salt: &[u8], info: &str) -> Self {
        derive(self.as_bytes(), salt, info)
    }

    /// A keyed hash over parts that cannot be confused with each other.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac();
        mac.update(&framed(parts));
        mac.finalize().into_bytes().into()
    }

    /// Compares a keyed hash without telling by the time how much of it was right.
    pub(crate) fn confirms(&self, parts: &[&[u8]], expected: &[u8]) -> bool {
        let mut mac = self.mac();
        mac.update(&framed(parts));
        mac.verify_slice(expected).is_ok()
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC takes keys of every length.
        <Hmac<Sha256> as KeyInit>::new_from_slice(self.as_bytes())
            .expect("HMAC takes a key of any length")
    }

    /// Encrypts in place and appends the tag.
    pub(crate) fn seal(&self, nonce: &Nonce, context: &[u8], text: &mut Vec<u8>) -> Result<()> {
        let limit = u32::MAX as usize;
        let length = text.len();
        // Room for the tag beforehand: a buffer that moves leaves plaintext behind.
        text.reserve_exact(TAG);
        self.cipher()
            .encrypt_in_place(&XNonce::from(*nonce), context, text)
            .map_err(|_| Error::TooLarge { length, limit })
    }

    /// Decrypts what [`seal`](Self::seal) made under the same nonce and context.
    pub(crate) fn open(
        &self,
        nonce: &Nonce,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut text = Zeroizing::new(sealed.to_vec());
        self.cipher()
            .decrypt_in_place(&XNonce::from(*nonce), context, &mut *text)
            .map_err(|_| Fault::Altered)?;
        Ok(text)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.as_bytes().into())
    }
}

/// A key for the use that `info` names, from a secret that is as good as random.
pub(crate) fn derive(secret: &[u8], salt: &[u8], info: &str) -> SecretKey {
    let mut key = Locked::new();
    // HKDF-SHA-256 gives up to 255 blocks of 32 bytes; this asks for one.
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info.as_bytes(), key.bytes_mut())
        .expect("one block is never too long");
    SecretKey(key)
}

/// Random bytes from the operating system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|source| Error::Random { source })
}

/// A fresh random nonce.
pub(crate) fn nonce() -> Result<Nonce> {
    let mut nonce = [0; NONCE];
    fill(&mut nonce)?;
    Ok(nonce)
}

/// Parts with their lengths before them, so that no two lists of parts give the same bytes.
pub(crate) fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

/// Hides the exact length of `content`: its length, itself, and zeros up to a multiple of `block`.
/// The buffer has room for a tag.
pub(crate) fn pad(content: &[u8], block: usize) -> Zeroizing<Vec<u8>> {
    let padded = (4 + content.len()).next_multiple_of(block);
    let mut bytes = Vec::with_capacity(padded + TAG);
    bytes.extend((content.len() as u32).to_be_bytes());
    bytes.extend(content);
    bytes.resize(padded, 0);
    Zeroizing::new(bytes)
}

/// What [`pad`] padded.
pub(crate) fn unpad(padded: &[u8]) -> Result<&[u8], Fault> {
    let (length, rest) = padded.split_first_chunk().ok_or(Fault::Malformed)?;
    rest.get(..u32::from_be_bytes(*length) as usize)
        .ok_or(Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealing_follows_the_published_vector() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1
        let key = hex::decode("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
        let nonce = hex::decode("404142434445464748494a4b4c4d4e4f5051525354555657").unwrap();
        let context = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
        let mut text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.".to_vec();
        let key = SecretKey::from_slice(&key.unwrap()).unwrap();
        key.seal(&nonce.try_into().unwrap(), &context, &mut text)
            .unwrap();
        assert!(hex::encode(&text).starts_with("bd6d179d3e83d43b9576579493c0e939"));
        assert!(hex::encode(&text).ends_with("c0875924c1c7987947deafd8780acf49"));
    }

    #[test]
    fn parts_are_not_confused_with_each_other() {
        let key = SecretKey::random().unwrap();
        assert_ne!(key.hash(&[b"ab", b"c"]), key.hash(&[b"a", b"bc"]));
        assert_ne!(key.hash(&[b"ab"]), key.hash(&[b"ab", b""]));
    }

    #[test]
    fn padding_hides_the_length_and_is_undone() {
        for length in [0, 1, 59, 60, 61, 200] {
            let content = vec![7; length];
            let padded = pad(&content, 64);
            assert_eq!(padded.len() % 64, 0);
            assert_eq!(unpad(&padded).unwrap(), content);
        }
        assert_eq!(pad(&[1; 5], 64).len(), pad(&[1; 50], 64).len());
        assert_eq!(unpad(&[0, 0, 1, 0, 7]), Err(Fault::Malformed));
        assert_eq!(unpad(&[0]), Err(Fault::Malformed));
    }
}
