//! Keys and certificates as people have them: whatever programs of the last thirty years have written, found out by
//! looking, object by object, in any order.
//!
//! What is read comes out as the same few things; what is not is refused by name and with its reason, and does not
//! hinder the object beside it. Files are strangers': their size, their depth, the number of their objects and the
//! work that they ask for are bounded. Weak protection is read, since that is how people have their keys, and said.

mod ber;
mod cipher;
mod classify;
mod encrypted;
mod kdf;
mod names;
mod pem;
mod pkcs12;
mod private;
mod refusal;
mod strange;
mod tlv;

use zeroize::Zeroizing;

use super::{PrivateKey, inspect, pem::bundled};
use classify::Kind;
pub use encrypted::Protection;
use encrypted::{Scheme, Secret};
pub use kdf::Limits;
use kdf::Purse;
pub use refusal::Refusal;
use tlv::Element;

/// The most bytes that are looked at.
pub const LARGEST_FILE: usize = 4 * 1024 * 1024;

/// The most objects that are taken from one file.
pub const MOST_OBJECTS: usize = 256;

/// A file of which nothing was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// Something else, by its name.
    #[error("this is {found}; {remedy}")]
    Foreign {
        /// What it is.
        found: &'static str,
        /// How it becomes something that is read.
        remedy: &'static str,
    },
    /// Nothing that is known.
    #[error(
        "there is no key and no certificate here; a PEM file with BEGIN lines, a DER file, a .p12 or .pfx, or a .p7b file is wanted"
    )]
    Nothing,
    /// Too long.
    #[error("the file has {found} bytes; at most {limit} are read")]
    TooLarge {
        /// How long it is.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Too many.
    #[error("there are more than {limit} objects in the file")]
    TooMany {
        /// What is allowed.
        limit: usize,
    },
    /// A BEGIN without its END. Lines are counted from 1.
    #[error(
        "the {label} that begins at line {line} has no END line; copy it again, down to its END line"
    )]
    Unterminated {
        /// What the marker says.
        label: String,
        /// Where it begins.
        line: usize,
    },
}

/// What an object is, once it is read.
#[derive(Debug)]
pub enum Object {
    /// A certificate, DER. It is readable.
    Certificate(Vec<u8>),
    /// A private key.
    Key(PrivateKey),
    /// A public key, DER SubjectPublicKeyInfo.
    PublicKey(Vec<u8>),
    /// A certification request, DER. It is not read any further.
    Request(Vec<u8>),
    /// A revocation list, DER. It is not read any further.
    RevocationList(Vec<u8>),
}

/// An object, or what stood in its place.
#[derive(Debug)]
pub struct Found {
    /// The format in which it stood, such as `PEM, RSA PRIVATE KEY`.
    pub format: String,
    /// The line at which it begins, in text.
    pub line: Option<usize>,
    /// What the file calls it, printable.
    pub name: Option<String>,
    /// How it was encrypted.
    pub protection: Option<Protection>,
    /// The object.
    pub object: Result<Object, Refusal>,
}

/// What a file holds.
#[derive(Debug)]
pub struct Contents {
    /// The format of the whole.
    pub format: &'static str,
    /// How the whole is protected against change, where it is.
    pub integrity: Option<Protection>,
    /// Its objects, in the order of the file.
    pub found: Vec<Found>,
}

impl Contents {
    /// Whether a passphrase would open more of it.
    pub fn wants_passphrase(&self) -> bool {
        self.found
            .iter()
            .any(|found| matches!(found.object, Err(Refusal::PassphraseNeeded { .. })))
    }

    /// The private keys that were read.
    pub fn keys(&self) -> impl Iterator<Item = &PrivateKey> {
        self.found.iter().filter_map(|found| match &found.object {
            Ok(Object::Key(key)) => Some(key),
            _ => None,
        })
    }

    /// The certificates that were read, DER.
    pub fn certificates(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.found.iter().filter_map(|found| match &found.object {
            Ok(Object::Certificate(der)) => Some(der),
            _ => None,
        })
    }
}

/// The name of the key in a DER SubjectPublicKeyInfo, for people: also of keys that are of no use here.
pub fn public_key_name(info: &[u8]) -> Option<String> {
    names::public_key_name(info)
}

/// The name of the key that a certificate (DER) certifies.
pub fn certified_key_name(certificate: &[u8]) -> Option<String> {
    let parts = super::signed::CertificateParts::from_der(certificate).ok()?;
    names::public_key_name(parts.public_key_info)
}

/// Reads a file. What is encrypted opens with the passphrase, where there is one.
pub fn read(file: &[u8], passphrase: Option<&str>) -> Result<Contents, ForeignError> {
    read_within(file, passphrase, Limits::default())
}

/// The same, with other limits on what may be spent on it.
pub fn read_within(
    file: &[u8],
    passphrase: Option<&str>,
    limits: Limits,
) -> Result<Contents, ForeignError> {
    if file.len() > LARGEST_FILE {
        return Err(ForeignError::TooLarge {
            found: file.len(),
            limit: LARGEST_FILE,
        });
    }
    let reader = Reader {
        passphrase,
        secret: passphrase.map(Secret::new),
        purse: Purse::new(limits),
    };
    if let Some(stranger) = strange::recognise(file) {
        return Err(stranger);
    }
    if let Some(text) = strange::utf16(file) {
        return reader.text(&text);
    }
    // An element that is longer than its header: text that begins with a zero does not parse.
    if file.first() == Some(&0x30)
        && let Some(contents) = reader.binary(file)
    {
        return Ok(contents);
    }
    reader.text(&strange::as_text(file))
}

struct Reader<'a> {
    passphrase: Option<&'a str>,
    secret: Option<Secret>,
    purse: Purse,
}

impl Reader<'_> {
    /// A file of DER or BER; `None` when it is none.
    fn binary(&self, file: &[u8]) -> Option<Contents> {
        // Some programs end the file with a line end or with zeros.
        let der = match Element::first(file) {
            Ok((element, rest)) if rest.iter().all(|b| matches!(b, 0 | b'\r' | b'\n')) => {
                Zeroizing::new(element.whole.to_vec())
            }
            Ok((element, rest)) => {
                // Certificates one behind the other, as some appliances want them.
                return self.concatenated(element, rest);
            }
            Err(_) => ber::to_der(file)?,
        };
        let kind = classify::kind(&der)?;
        let mut found = Vec::new();
        let (format, integrity) = match kind {
            Kind::Pfx => ("PKCS#12", self.store(&der, None, &mut found)),
            Kind::ContentInfo => {
                self.bundle(&der, "PKCS#7", None, &mut found);
                ("PKCS#7", None)
            }
            kind => {
                found.push(self.object(kind, &der, "DER", None, None));
                ("DER", None)
            }
        };
        Some(Contents {
            format,
            integrity,
            found,
        })
    }

    fn concatenated(&self, first: Element<'_>, mut rest: &[u8]) -> Option<Contents> {
        let mut elements = vec![first];
        while !rest.is_empty() && elements.len() < MOST_OBJECTS {
            let (element, after) = Element::first(rest).ok()?;
            elements.push(element);
            rest = after;
        }
        let kinds: Option<Vec<Kind>> = elements
            .iter()
            .map(|element| classify::kind(element.whole))
            .collect();
        let found = elements
            .iter()
            .zip(kinds?)
            .map(|(element, kind)| self.object(kind, element.whole, "DER", None, None))
            .collect();
        Some(Contents {
            format: "DER, several",
            integrity: None,
            found,
        })
    }

    /// One object that is not a container.
    fn object(
        &self,
        kind: Kind,
        der: &[u8],
        format: &str,
        line: Option<usize>,
        curve: Option<&[u8]>,
    ) -> Found {
        let mut protection = None;
        let object = match kind {
            Kind::Certificate => certificate(der),
            Kind::Request => Ok(Object::Request(der.to_vec())),
            Kind::RevocationList => Ok(Object::RevocationList(der.to_vec())),
            Kind::PublicKeyInfo => Ok(Object::PublicKey(der.to_vec())),
            Kind::PrivateKeyInfo => private::from_pkcs8(der).map(Object::Key),
            Kind::RsaPrivateKey => private::from_pkcs1(der).map(Object::Key),
            Kind::EcPrivateKey => private::from_sec1(der, curve).map(Object::Key),
            Kind::EncryptedPrivateKeyInfo => {
                let (how, opened) = self.encrypted(der);
                protection = how;
                opened.map(Object::Key)
            }
            Kind::DsaPrivateKey => Err(names::dsa()),
            Kind::RsaPublicKey => Err(not_wanted(
                "an RSA public key of PKCS#1",
                "the private key or a certificate is wanted",
            )),
            Kind::Parameters => Err(not_wanted(
                "a set of parameters and no key",
                "give the key that belongs to it",
            )),
            Kind::OcspResponse => Err(not_wanted("an OCSP response", "it is not needed here")),
            Kind::ContentInfo | Kind::Pfx => Err(Refusal::damaged("container")),
        };
        Found {
            format: format.to_owned(),
            line,
            name: None,
            protection,
            object,
        }
    }

    /// `EncryptedPrivateKeyInfo ::= SEQUENCE { algorithm, OCTET STRING }` (RFC 5958 §3)
    fn encrypted(&self, der: &[u8]) -> (Option<Protection>, Result<PrivateKey, Refusal>) {
        let damaged = || Refusal::damaged("encrypted private key");
        let parts = Element::only(der).and_then(Element::children);
        let Ok([algorithm, ciphertext]) = parts.as_deref() else {
            return (None, Err(damaged()));
        };
        let scheme = match Scheme::read(*algorithm) {
            Ok(scheme) => scheme,
            Err(refusal) => return (None, Err(refusal)),
        };
        let protection = scheme.protection();
        let Some(secret) = &self.secret else {
            let protection = protection.clone();
            let needed = Refusal::PassphraseNeeded {
                protection: protection.scheme.clone(),
            };
            return (Some(protection), Err(needed));
        };
        let key = scheme
            .decrypt(&self.purse, secret, ciphertext.value)
            .and_then(|plain| decrypted(&plain));
        (Some(protection), key)
    }

    /// A PKCS#12 store.
    fn store(&self, der: &[u8], line: Option<usize>, found: &mut Vec<Found>) -> Option<Protection> {
        let store = match pkcs12::open(der, self.passphrase, &self.purse) {
            Ok(store) => store,
            Err(refusal) => {
                found.push(Found {
                    format: "PKCS#12".to_owned(),
                    line,
                    name: None,
                    protection: None,
                    object: Err(refusal),
                });
                return None;
            }
        };
        found.extend(store.bags.into_iter().map(|bag| Found {
            format: "PKCS#12".to_owned(),
            line,
            name: bag.name,
            protection: bag.protection,
            object: bag.content.and_then(|content| match content {
                pkcs12::Content::Certificate(der) => certificate(&der),
                pkcs12::Content::RevocationList(der) => Ok(Object::RevocationList(der)),
                pkcs12::Content::Key(der) => private::from_pkcs8(&der).map(Object::Key),
            }),
        }));
        store.integrity
    }

    /// The certificates of PKCS#7.
    fn bundle(&self, der: &[u8], format: &str, line: Option<usize>, found: &mut Vec<Found>) {
        let entry = |object| Found {
            format: format.to_owned(),
            line,
            name: None,
            protection: None,
            object,
        };
        match bundled(der) {
            Ok(certificates) => {
                found.extend(
                    certificates
                        .into_iter()
                        .take(MOST_OBJECTS)
                        .map(|der| entry(certificate(der))),
                );
            }
            Err(_) => found.push(entry(Err(strange::content(der)))),
        }
    }
}

/// What came out of an encryption without a checksum: nonsense means that the passphrase was wrong.
fn decrypted(plain: &[u8]) -> Result<PrivateKey, Refusal> {
    match classify::kind(plain) {
        Some(Kind::PrivateKeyInfo) => private::from_pkcs8(plain),
        _ => Err(Refusal::WrongPassphrase { or_damaged: true }),
    }
}

fn certificate(der: &[u8]) -> Result<Object, Refusal> {
    inspect(der)
        .map(|_| Object::Certificate(der.to_vec()))
        .map_err(|source| Refusal::Certificate { source })
}

fn not_wanted(found: impl Into<String>, remedy: &'static str) -> Refusal {
    Refusal::NotWanted {
        found: found.into(),
        remedy,
    }
}

#[cfg(test)]
mod tests;
