//! How something is encrypted under a passphrase, as its AlgorithmIdentifier says it: PBES1 and PBES2 (RFC 8018 §6)
//! and the schemes of PKCS#12 (RFC 7292 appendix C).
//!
//! Written out here and not taken from `pkcs5`, which knows PBES2 alone, leaves derived keys in memory and has no
//! bound but its own on what a file may ask for.

use der::{Tag, asn1::ObjectIdentifier};
use zeroize::Zeroizing;

use super::{
    Refusal,
    cipher::Cipher,
    kdf::{self, Hash, Purpose, Purse, ScryptCost},
    tlv::Element,
};

/// How an object was protected in its file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Protection {
    /// Scheme, derivation and cipher.
    pub scheme: String,
    /// Why that is too little today, if it is.
    pub weakness: Option<&'static str>,
}

/// A passphrase in the two forms in which formats want it.
pub(super) struct Secret {
    utf8: Zeroizing<Vec<u8>>,
    /// A BMPString with its terminator; empty for no passphrase at all, which is not the empty one.
    bmp: Zeroizing<Vec<u8>>,
}

impl Secret {
    pub(super) fn new(passphrase: &str) -> Self {
        let mut bmp = Zeroizing::new(Vec::with_capacity(2 * passphrase.len() + 2));
        for unit in passphrase.encode_utf16() {
            bmp.extend_from_slice(&unit.to_be_bytes());
        }
        bmp.extend_from_slice(&[0, 0]);
        Self {
            utf8: Zeroizing::new(passphrase.as_bytes().to_vec()),
            bmp,
        }
    }

    /// What some programs take for the empty passphrase in PKCS#12.
    pub(super) fn none() -> Self {
        Self {
            utf8: Zeroizing::default(),
            bmp: Zeroizing::default(),
        }
    }

    pub(super) fn utf8(&self) -> &[u8] {
        &self.utf8
    }

    pub(super) fn bmp(&self) -> &[u8] {
        &self.bmp
    }
}

/// A scheme with its parameters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Scheme {
    Pbes1 {
        md5: bool,
        cipher: Cipher,
        salt: Vec<u8>,
        rounds: u64,
    },
    Pbes2 {
        derivation: Derivation,
        cipher: Cipher,
        iv: Vec<u8>,
    },
    Pkcs12 {
        cipher: Cipher,
        salt: Vec<u8>,
        rounds: u64,
    },
}

/// A derivation of PBES2.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Derivation {
    Pbkdf2 {
        hash: Hash,
        salt: Vec<u8>,
        rounds: u64,
    },
    Scrypt {
        salt: Vec<u8>,
        cost: ScryptCost,
    },
}

impl Scheme {
    /// Reads an AlgorithmIdentifier.
    pub(super) fn read(algorithm: Element<'_>) -> Result<Self, Refusal> {
        let damaged = || Refusal::damaged("description of the encryption");
        let (oid, parameters) = algorithm.algorithm().ok_or_else(damaged)?;
        let named = oid.to_string();
        let unsupported = || Refusal::UnsupportedProtection {
            protection: scheme_name(&oid),
        };
        let salted = || -> Result<(Vec<u8>, u64), Refusal> {
            let parameters = parameters
                .and_then(|p| p.children().ok())
                .ok_or_else(damaged)?;
            match *parameters.as_slice() {
                [salt, rounds] if salt.tag == Tag::OctetString => {
                    Ok((salt.value.to_vec(), rounds.number().ok_or_else(damaged)?))
                }
                _ => Err(damaged()),
            }
        };
        if named == "1.2.840.113549.1.5.13" {
            return Self::pbes2(parameters.ok_or_else(damaged)?);
        }
        if let Some(number) = named.strip_prefix("1.2.840.113549.1.5.") {
            let (md5, cipher) = match number {
                "3" => (true, Cipher::Des),
                "6" => (true, Cipher::Rc2(64)),
                "10" => (false, Cipher::Des),
                "11" => (false, Cipher::Rc2(64)),
                _ => return Err(unsupported()),
            };
            let (salt, rounds) = salted()?;
            return Ok(Self::Pbes1 {
                md5,
                cipher,
                salt,
                rounds,
            });
        }
        let cipher = match named.strip_prefix("1.2.840.113549.1.12.1.") {
            Some("1") => Cipher::Rc4(16),
            Some("2") => Cipher::Rc4(5),
            Some("3") => Cipher::DesEde3,
            Some("4") => Cipher::DesEde2,
            Some("5") => Cipher::Rc2(128),
            Some("6") => Cipher::Rc2(40),
            _ => return Err(unsupported()),
        };
        let (salt, rounds) = salted()?;
        Ok(Self::Pkcs12 {
            cipher,
            salt,
            rounds,
        })
    }

    fn pbes2(parameters: Element<'_>) -> Result<Self, Refusal> {
        let damaged = || Refusal::damaged("description of the encryption");
        let children = parameters.children().map_err(|_| damaged())?;
        let [derivation, encryption] = *children.as_slice() else {
            return Err(damaged());
        };
        let (cipher, iv) = pbes2_cipher(encryption)?;
        let (derivation, length) = Derivation::read(derivation)?;
        if length.is_some_and(|length| length != cipher.key_length() as u64)
            || iv.len() != cipher.block()
        {
            return Err(damaged());
        }
        Ok(Self::Pbes2 {
            derivation,
            cipher,
            iv,
        })
    }

    fn cipher(&self) -> Cipher {
        match self {
            Self::Pbes1 { cipher, .. }
            | Self::Pbes2 { cipher, .. }
            | Self::Pkcs12 { cipher, .. } => *cipher,
        }
    }

    /// In words.
    pub(super) fn protection(&self) -> Protection {
        let cipher = self.cipher();
        let scheme = match self {
            Self::Pbes1 { md5, rounds, .. } => {
                let hash = if *md5 { "MD5" } else { "SHA-1" };
                format!(
                    "PBES1, PBKDF1 with {hash}, {rounds} rounds, {}",
                    cipher.name()
                )
            }
            Self::Pbes2 { derivation, .. } => format!("PBES2, {derivation}, {}", cipher.name()),
            Self::Pkcs12 { rounds, .. } => {
                format!("PKCS#12, SHA-1, {rounds} rounds, {}", cipher.name())
            }
        };
        let weakness = cipher.weakness().or(match self {
            Self::Pbes1 { .. } => Some("PBES1 derives its key by a digest that is broken"),
            Self::Pbes2 { derivation, .. } => derivation.weakness(),
            Self::Pkcs12 { .. } => None,
        });
        Protection { scheme, weakness }
    }

    /// Opens a ciphertext. What cannot be a ciphertext is damaged; what does not come out whole was opened with
    /// the wrong passphrase, or is damaged as well.
    pub(super) fn decrypt(
        &self,
        purse: &Purse,
        secret: &Secret,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let cipher = self.cipher();
        if !cipher.fits(ciphertext) {
            return Err(Refusal::damaged("ciphertext"));
        }
        match self {
            Self::Pbes1 {
                md5, salt, rounds, ..
            } => {
                let derived = kdf::pbkdf1(purse, *md5, secret.utf8(), salt, *rounds)?;
                cipher.decrypt(&derived[..8], &derived[8..16], ciphertext)
            }
            Self::Pbes2 { derivation, iv, .. } => {
                let key = derivation.derive(purse, secret, cipher.key_length())?;
                cipher.decrypt(&key, iv, ciphertext)
            }
            Self::Pkcs12 { salt, rounds, .. } => {
                let derive = |purpose, length| {
                    kdf::pkcs12(
                        purse,
                        Hash::Sha1,
                        purpose,
                        secret.bmp(),
                        salt,
                        *rounds,
                        length,
                    )
                };
                let key = derive(Purpose::Key, cipher.key_length())?;
                let iv = derive(Purpose::InitialisationVector, cipher.block())?;
                cipher.decrypt(&key, &iv, ciphertext)
            }
        }
    }
}

impl Derivation {
    /// Reads an AlgorithmIdentifier; also the length that it states, if it does.
    pub(super) fn read(algorithm: Element<'_>) -> Result<(Self, Option<u64>), Refusal> {
        let damaged = || Refusal::damaged("description of the key derivation");
        let (oid, parameters) = algorithm.algorithm().ok_or_else(damaged)?;
        let parameters = parameters
            .and_then(|p| p.children().ok())
            .ok_or_else(damaged)?;
        let salt = match parameters.first() {
            Some(salt) if salt.tag == Tag::OctetString => salt.value.to_vec(),
            _ => return Err(damaged()),
        };
        let numbers: Vec<u64> = parameters[1..]
            .iter()
            .take_while(|element| element.tag == Tag::Integer)
            .map(|element| element.number().ok_or_else(damaged))
            .collect::<Result<_, _>>()?;
        match oid.to_string().as_str() {
            "1.2.840.113549.1.5.12" => {
                let (rounds, length) = match *numbers.as_slice() {
                    [rounds] => (rounds, None),
                    [rounds, length] => (rounds, Some(length)),
                    _ => return Err(damaged()),
                };
                let hash = match parameters.get(1 + numbers.len()) {
                    None => Hash::Sha1,
                    Some(named) => prf(*named)?,
                };
                Ok((Self::Pbkdf2 { hash, salt, rounds }, length))
            }
            "1.3.6.1.4.1.11591.4.11" => {
                let (n, r, p, length) = match *numbers.as_slice() {
                    [n, r, p] => (n, r, p, None),
                    [n, r, p, length] => (n, r, p, Some(length)),
                    _ => return Err(damaged()),
                };
                let cost = ScryptCost { n, r, p };
                Ok((Self::Scrypt { salt, cost }, length))
            }
            other => Err(Refusal::UnsupportedProtection {
                protection: format!("the key derivation {other}"),
            }),
        }
    }

    pub(super) fn derive(
        &self,
        purse: &Purse,
        secret: &Secret,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        match self {
            Self::Pbkdf2 { hash, salt, rounds } => {
                kdf::pbkdf2(purse, *hash, secret.utf8(), salt, *rounds, length)
            }
            Self::Scrypt { salt, cost } => kdf::scrypt(purse, secret.utf8(), salt, *cost, length),
        }
    }

    fn weakness(&self) -> Option<&'static str> {
        match self {
            Self::Pbkdf2 { rounds, .. } if *rounds < 1000 => {
                Some("so few rounds leave the passphrase open to guessing")
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Derivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pbkdf2 { hash, rounds, .. } => {
                write!(f, "PBKDF2 with HMAC-{}, {rounds} rounds", hash.name())
            }
            Self::Scrypt { cost, .. } => {
                write!(f, "scrypt with N={}, r={}, p={}", cost.n, cost.r, cost.p)
            }
        }
    }
}

/// The pseudo-random function of PBKDF2.
pub(super) fn prf(algorithm: Element<'_>) -> Result<Hash, Refusal> {
    let (oid, _) = algorithm
        .algorithm()
        .ok_or_else(|| Refusal::damaged("description of the key derivation"))?;
    match oid.to_string().as_str() {
        "1.2.840.113549.2.7" => Ok(Hash::Sha1),
        "1.2.840.113549.2.8" => Ok(Hash::Sha224),
        "1.2.840.113549.2.9" => Ok(Hash::Sha256),
        "1.2.840.113549.2.10" => Ok(Hash::Sha384),
        "1.2.840.113549.2.11" => Ok(Hash::Sha512),
        other => Err(Refusal::UnsupportedProtection {
            protection: format!("the pseudo-random function {other}"),
        }),
    }
}

fn pbes2_cipher(algorithm: Element<'_>) -> Result<(Cipher, Vec<u8>), Refusal> {
    let damaged = || Refusal::damaged("description of the encryption");
    let (oid, parameters) = algorithm.algorithm().ok_or_else(damaged)?;
    let parameters = parameters.ok_or_else(damaged)?;
    let cipher = match oid.to_string().as_str() {
        "2.16.840.1.101.3.4.1.2" => Cipher::Aes128,
        "2.16.840.1.101.3.4.1.22" => Cipher::Aes192,
        "2.16.840.1.101.3.4.1.42" => Cipher::Aes256,
        "1.3.14.3.2.7" => Cipher::Des,
        "1.2.840.113549.3.7" => Cipher::DesEde3,
        // RC2's parameters say how many bits count, in a code of their own (RFC 8018 appendix B.2.3).
        "1.2.840.113549.3.2" => {
            let children = parameters.children().map_err(|_| damaged())?;
            let [version, iv] = *children.as_slice() else {
                return Err(damaged());
            };
            let bits = match version.number() {
                Some(160) => 40,
                Some(120) => 64,
                Some(58) => 128,
                _ => return Err(damaged()),
            };
            return Ok((Cipher::Rc2(bits), iv.value.to_vec()));
        }
        other => {
            return Err(Refusal::UnsupportedProtection {
                protection: format!("the cipher {other}"),
            });
        }
    };
    if parameters.tag != Tag::OctetString {
        return Err(damaged());
    }
    Ok((cipher, parameters.value.to_vec()))
}

fn scheme_name(oid: &ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.2.840.113549.1.5.1" => "PBES1 with MD2 and DES".to_owned(),
        "1.2.840.113549.1.5.4" => "PBES1 with MD2 and RC2".to_owned(),
        other => format!("the encryption scheme {other}"),
    }
}
