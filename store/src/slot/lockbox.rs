//! Master keys sealed to a slot whose secret is not at hand: HPKE (RFC 9180), with DHKEM(X25519),
//! HKDF-SHA-256 and ChaCha20-Poly1305, in the mode with a pre-shared key.
//!
//! The pre-shared key is what makes it safe. A public key alone lets anybody seal *their* master
//! key to the slot and put it, with a store of their own, in the place of ours; whoever opens it
//! would go on to make keys under a master key that somebody else knows. The *admission* is known only
//! to who opens the slot and to who has the store open. It also keeps out who can break X25519.

use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{self, SecretKey, TAG};
use crate::error::Result;

const KEY: usize = SecretKey::BYTES;

/// What goes before the use that a sealed key is for.
const INFO: &[u8] = b"countersign store 2 master key";

/// What the secret of a slot opens.
pub(crate) struct Opener {
    pub(crate) private: SecretKey,
    pub(crate) admission: SecretKey,
}

/// A master key, sealed to a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lockbox {
    #[serde(with = "hex")]
    encapsulated: [u8; KEY],
    #[serde(with = "hex")]
    sealed: [u8; KEY + TAG],
}

impl Opener {
    /// A new one, and its public half.
    pub(crate) fn random() -> Result<(Self, [u8; KEY])> {
        let mut seed = Zeroizing::new([0; KEY]);
        crypto::fill(seed.as_mut_slice())?;
        let (private, public) = X25519HkdfSha256::derive_keypair(seed.as_slice());
        let private = SecretKey::made(|bytes| {
            private.write_exact(bytes);
            Ok::<_, crate::Error>(())
        })?;
        let admission = SecretKey::random()?;
        let mut bytes = [0; KEY];
        public.write_exact(&mut bytes);
        Ok((Self { private, admission }, bytes))
    }
}

impl Lockbox {
    /// Seals `master` to who has the private half of `public`. `None` when `public` is no key.
    pub(crate) fn seal(
        public: &[u8; KEY],
        admission: &SecretKey,
        context: &[u8],
        master: &SecretKey,
    ) -> Option<Self> {
        let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(public).ok()?;
        let psk = PskBundle::new(admission.as_bytes(), context).ok()?;
        let mut text = Zeroizing::new(*master.as_bytes());
        let (encapsulated, tag) = hpke::single_shot_seal_inout_detached::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(
            &OpModeS::Psk(psk),
            &public,
            INFO,
            InOutBuf::from(text.as_mut_slice()),
            context,
        )
        .ok()?;
        let mut lockbox = Self {
            encapsulated: [0; KEY],
            sealed: [0; KEY + TAG],
        };
        encapsulated.write_exact(&mut lockbox.encapsulated);
        lockbox.sealed[..KEY].copy_from_slice(text.as_slice());
        tag.write_exact(&mut lockbox.sealed[KEY..]);
        Some(lockbox)
    }

    /// The master key inside; `None` when it was not sealed for this opener and context.
    pub(crate) fn open(&self, opener: &Opener, context: &[u8]) -> Option<SecretKey> {
        let private =
            <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(opener.private.as_bytes()).ok()?;
        let encapsulated =
            <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&self.encapsulated).ok()?;
        let psk = PskBundle::new(opener.admission.as_bytes(), context).ok()?;
        let (text, tag) = self.sealed.split_at(KEY);
        let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(tag).ok()?;
        SecretKey::made(|bytes| {
            bytes.copy_from_slice(text);
            hpke::single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Psk(psk),
                &private,
                &encapsulated,
                INFO,
                InOutBuf::from(bytes.as_mut_slice()),
                context,
                &tag,
            )
        })
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_opens_with_both_halves_in_its_own_place_and_not_otherwise() {
        let (opener, public) = Opener::random().unwrap();
        let master = SecretKey::random().unwrap();
        let sealed = Lockbox::seal(&public, &opener.admission, b"slot 1", &master).unwrap();
        let opened = sealed.open(&opener, b"slot 1").unwrap();
        assert_eq!(opened.as_bytes(), master.as_bytes());
        assert!(sealed.open(&opener, b"slot 2").is_none());
        let (other, _) = Opener::random().unwrap();
        let half = |private: &Opener, admission: &Opener| Opener {
            private: private.private.copy(),
            admission: admission.admission.copy(),
        };
        assert!(sealed.open(&half(&opener, &other), b"slot 1").is_none());
        assert!(sealed.open(&half(&other, &opener), b"slot 1").is_none());
    }

    #[test]
    fn nobody_seals_a_key_of_their_own_to_the_public_half_alone() {
        let (opener, public) = Opener::random().unwrap();
        let theirs = SecretKey::random().unwrap();
        let guessed = SecretKey::random().unwrap();
        let planted = Lockbox::seal(&public, &guessed, b"slot 1", &theirs).unwrap();
        assert!(planted.open(&opener, b"slot 1").is_none());
    }
}
