//! The ciphers in which key files lie. Nothing is ever written with them: RC2, RC4 and DES fall to a laptop, and
//! are read because people have such files, and said to be what they are.

use cbc::cipher::{
    BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit, StreamCipher, block_padding::Pkcs7,
};
use zeroize::Zeroizing;

use super::Refusal;

/// A cipher with its key length; block ciphers in CBC mode with the padding of PKCS#7.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    Des,
    /// Three keys.
    DesEde3,
    /// Two keys, the first used twice.
    DesEde2,
    /// With so many effective bits.
    Rc2(u16),
    /// With so many bytes of key.
    Rc4(u8),
}

impl Cipher {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "AES-128-CBC",
            Self::Aes192 => "AES-192-CBC",
            Self::Aes256 => "AES-256-CBC",
            Self::Des => "DES-CBC",
            Self::DesEde3 => "3DES-CBC",
            Self::DesEde2 => "two-key 3DES-CBC",
            Self::Rc2(40) => "RC2-CBC of 40 bits",
            Self::Rc2(64) => "RC2-CBC of 64 bits",
            Self::Rc2(_) => "RC2-CBC of 128 bits",
            Self::Rc4(5) => "RC4 of 40 bits",
            Self::Rc4(_) => "RC4 of 128 bits",
        }
    }

    /// What it would take to break it without the passphrase, where that is too little.
    pub(super) fn weakness(self) -> Option<&'static str> {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => None,
            Self::Des | Self::Rc2(40 | 64) | Self::Rc4(5) => {
                Some("its key is so short that it can be searched")
            }
            Self::DesEde3 | Self::DesEde2 | Self::Rc2(_) => {
                Some("its block of 64 bits is no longer allowed (NIST SP 800-131A)")
            }
            Self::Rc4(_) => Some("RC4 is broken (RFC 7465)"),
        }
    }

    pub(super) fn key_length(self) -> usize {
        match self {
            Self::Aes128 | Self::DesEde2 => 16,
            Self::Aes192 | Self::DesEde3 => 24,
            Self::Aes256 => 32,
            Self::Des => 8,
            Self::Rc2(bits) => usize::from(bits / 8),
            Self::Rc4(bytes) => usize::from(bytes),
        }
    }

    /// The length of a block, and of the initialisation vector; 0 for a stream.
    pub(super) fn block(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::Des | Self::DesEde3 | Self::DesEde2 | Self::Rc2(_) => 8,
            Self::Rc4(_) => 0,
        }
    }

    /// Whether a ciphertext can be this long at all: what cannot is damaged, whatever the passphrase.
    pub(super) fn fits(self, ciphertext: &[u8]) -> bool {
        match self.block() {
            0 => true,
            block => !ciphertext.is_empty() && ciphertext.len().is_multiple_of(block),
        }
    }

    /// The plaintext, in a buffer that wipes itself.
    pub(super) fn decrypt(
        self,
        key: &[u8],
        iv: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        if !self.fits(ciphertext) {
            return Err(Refusal::damaged("ciphertext"));
        }
        let buffer = Zeroizing::new(ciphertext.to_vec());
        match self {
            Self::Aes128 => block_mode(aes::Aes128Dec::new_from_slice(key), iv, buffer),
            Self::Aes192 => block_mode(aes::Aes192Dec::new_from_slice(key), iv, buffer),
            Self::Aes256 => block_mode(aes::Aes256Dec::new_from_slice(key), iv, buffer),
            Self::Des => block_mode(des::Des::new_from_slice(key), iv, buffer),
            Self::DesEde3 => block_mode(des::TdesEde3::new_from_slice(key), iv, buffer),
            Self::DesEde2 => block_mode(des::TdesEde2::new_from_slice(key), iv, buffer),
            Self::Rc2(bits) if key.len() == self.key_length() => block_mode(
                Ok(rc2::Rc2::new_with_eff_key_len(key, usize::from(bits))),
                iv,
                buffer,
            ),
            Self::Rc4(_) => stream(key, buffer),
            Self::Rc2(_) => Err(Refusal::damaged("key of the cipher")),
        }
    }
}

fn block_mode<C: BlockCipherDecrypt>(
    cipher: Result<C, cbc::cipher::InvalidLength>,
    iv: &[u8],
    mut buffer: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let unfit = |_| Refusal::damaged("initialisation vector");
    let cipher = cipher.map_err(unfit)?;
    let mode = cbc::Decryptor::inner_iv_slice_init(cipher, iv).map_err(unfit)?;
    let length = mode
        .decrypt_padded::<Pkcs7>(&mut buffer)
        .map_err(|_| Refusal::WrongPassphrase { or_damaged: true })?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

fn stream(key: &[u8], mut buffer: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut cipher =
        rc4::Rc4::new_from_slice(key).map_err(|_| Refusal::damaged("key of the cipher"))?;
    cipher.apply_keystream(&mut buffer);
    Ok(buffer)
}
