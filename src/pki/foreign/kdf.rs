//! Keys from passphrases: PBKDF1 and PBKDF2 (RFC 8018 §5), scrypt (RFC 7914), PKCS#12 (RFC 7292 appendix B) and
//! OpenSSL's `EVP_BytesToKey`, as PEM files of the nineties have it.
//!
//! How often is the file's choice, and the file is a stranger's: every derivation is paid from one purse, and
//! a file that asks for more than there is in it is refused before any of it is computed.

use std::{cell::Cell, num::NonZeroU32};

use aws_lc_rs::{digest, pbkdf2};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::Refusal;

/// What may be spent on one file.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rounds of hashing, over all objects: seconds of work, and a hundred times what programs choose.
    pub rounds: u64,
    /// Bytes of memory for scrypt.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rounds: 20_000_000,
            memory: 256 << 20,
        }
    }
}

/// What is left of it.
pub(super) struct Purse {
    limits: Limits,
    rounds: Cell<u64>,
}

impl Purse {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            rounds: Cell::new(limits.rounds),
        }
    }

    fn pay(&self, rounds: u64) -> Result<(), Refusal> {
        let left = self.rounds.get();
        let rest = left.checked_sub(rounds).ok_or(Refusal::TooCostly {
            what: "rounds",
            found: rounds,
            limit: left,
        })?;
        self.rounds.set(rest);
        Ok(())
    }
}

/// A digest by the name that people know it by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    pub(super) fn hmac(self) -> aws_lc_rs::hmac::Algorithm {
        use aws_lc_rs::hmac;
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => hmac::HMAC_SHA224,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// PBKDF2 with HMAC.
pub(super) fn pbkdf2(
    purse: &Purse,
    hash: Hash,
    passphrase: &[u8],
    salt: &[u8],
    rounds: u64,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let algorithm = match hash {
        Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Hash::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        Hash::Sha224 => {
            return Err(Refusal::UnsupportedProtection {
                protection: "PBKDF2 with HMAC-SHA-224".to_owned(),
            });
        }
    };
    let blocks = length.div_ceil(hash.algorithm().output_len()) as u64;
    purse.pay(rounds.saturating_mul(blocks))?;
    let rounds = u32::try_from(rounds)
        .ok()
        .and_then(NonZeroU32::new)
        .ok_or_else(|| Refusal::damaged("number of rounds"))?;
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(algorithm, rounds, salt, passphrase, &mut key);
    Ok(key)
}

/// The parameters of scrypt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ScryptCost {
    pub(super) n: u64,
    pub(super) r: u64,
    pub(super) p: u64,
}

pub(super) fn scrypt(
    purse: &Purse,
    passphrase: &[u8],
    salt: &[u8],
    cost: ScryptCost,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let memory = cost
        .n
        .saturating_add(cost.p)
        .saturating_mul(128_u64.saturating_mul(cost.r));
    if memory > purse.limits.memory {
        return Err(Refusal::TooCostly {
            what: "bytes of memory",
            found: memory,
            limit: purse.limits.memory,
        });
    }
    // A round of hashing is about what mixing one of its blocks costs.
    purse.pay(
        cost.n
            .saturating_mul(cost.r)
            .saturating_mul(cost.p)
            .saturating_mul(2),
    )?;
    let unfit = || Refusal::damaged("cost of scrypt");
    if !cost.n.is_power_of_two() || cost.n < 2 {
        return Err(unfit());
    }
    let small = |n: u64| u32::try_from(n).map_err(|_| unfit());
    let parameters = scrypt::Params::new(cost.n.ilog2() as u8, small(cost.r)?, small(cost.p)?)
        .map_err(|_| unfit())?;
    let mut key = Zeroizing::new(vec![0; length]);
    scrypt::scrypt(passphrase, salt, &parameters, &mut key).map_err(|_| unfit())?;
    Ok(key)
}

/// PBKDF1, of which never more than one digest is wanted.
pub(super) fn pbkdf1(
    purse: &Purse,
    md5: bool,
    passphrase: &[u8],
    salt: &[u8],
    rounds: u64,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    purse.pay(rounds)?;
    let hash = |parts: &[&[u8]]| {
        if md5 {
            md5_of(parts)
        } else {
            hash_of(Hash::Sha1, parts)
        }
    };
    let mut key = hash(&[passphrase, salt]);
    for _ in 1..rounds {
        key = hash(&[&key]);
    }
    Ok(key)
}

/// `EVP_BytesToKey` with MD5 and one round.
pub(super) fn bytes_to_key(passphrase: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < length {
        last = md5_of(&[&last, passphrase, salt]);
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

/// What a key of PKCS#12 is for (RFC 7292 appendix B.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    Key = 1,
    InitialisationVector = 2,
    Mac = 3,
}

/// The derivation of PKCS#12. `passphrase` is a BMPString with its terminator, or empty for none.
pub(super) fn pkcs12(
    purse: &Purse,
    hash: Hash,
    purpose: Purpose,
    passphrase: &[u8],
    salt: &[u8],
    rounds: u64,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let (u, v) = (hash.algorithm().output_len(), hash.algorithm().block_len());
    purse.pay(rounds.saturating_mul(length.div_ceil(u) as u64))?;
    let filled = |text: &[u8]| {
        let wanted = text.len().div_ceil(v) * v;
        Zeroizing::new(
            text.iter()
                .copied()
                .cycle()
                .take(wanted)
                .collect::<Vec<u8>>(),
        )
    };
    let diversifier = vec![purpose as u8; v];
    let (salt, passphrase) = (filled(salt), filled(passphrase));
    let mut input = Zeroizing::new(Vec::with_capacity(salt.len() + passphrase.len()));
    input.extend_from_slice(&salt);
    input.extend_from_slice(&passphrase);

    let mut out = Zeroizing::new(Vec::with_capacity(length + u));
    loop {
        let mut digest = hash_of(hash, &[&diversifier, &input]);
        for _ in 1..rounds {
            digest = hash_of(hash, &[&digest]);
        }
        out.extend_from_slice(&digest);
        if out.len() >= length {
            out.truncate(length);
            return Ok(out);
        }
        // Each block of the input, as a number, plus the digest plus one.
        for block in input.chunks_exact_mut(v) {
            let mut carry = 1_u16;
            for (at, byte) in block.iter_mut().enumerate().rev() {
                carry += u16::from(*byte) + u16::from(digest[at % u]);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    }
}

fn hash_of(hash: Hash, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut context = digest::Context::new(hash.algorithm());
    for part in parts {
        context.update(part);
    }
    Zeroizing::new(context.finish().as_ref().to_vec())
}

fn md5_of(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut context = Md5::new();
    for part in parts {
        context.update(part);
    }
    Zeroizing::new(context.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_asks_for_is_paid_from_one_purse_before_it_is_computed() {
        let purse = Purse::new(Limits {
            rounds: 3000,
            memory: 1 << 20,
        });
        let derive = |rounds| pbkdf2(&purse, Hash::Sha256, b"p", b"s", rounds, 32);
        assert!(derive(2000).is_ok());
        let refused = derive(1001).unwrap_err();
        assert!(matches!(
            refused,
            Refusal::TooCostly {
                found: 1001,
                limit: 1000,
                ..
            }
        ));
        assert!(derive(u64::MAX).is_err());
        assert!(pkcs12(&purse, Hash::Sha1, Purpose::Key, b"", b"s", u64::MAX, 24).is_err());
    }

    #[test]
    fn scrypt_that_wants_too_much_memory_is_refused_by_its_number() {
        let purse = Purse::new(Limits::default());
        let cost = ScryptCost {
            n: 1 << 40,
            r: 8,
            p: 1,
        };
        let refused = scrypt(&purse, b"p", b"s", cost, 32).unwrap_err();
        assert!(refused.to_string().contains("bytes of memory"), "{refused}");
        for bad in [0, 1, 3, 1000] {
            assert!(scrypt(&purse, b"p", b"s", ScryptCost { n: bad, ..cost }, 32).is_err());
        }
    }
}
