//! PKCS#12 (RFC 7292): what Windows, Java and browsers export. Nothing inside is looked at before the checksum over
//! all of it holds, which also tells a wrong passphrase from damage further in.
//!
//! Not taken from `p12-keystore`: it brings a second family of DER crates, reads no BER, and does as many rounds as
//! a file asks for.

use aws_lc_rs::{constant_time, hmac};
use der::Tag;
use zeroize::Zeroizing;

use super::{
    Refusal,
    encrypted::{Derivation, Protection, Scheme, Secret, prf},
    kdf::{self, Hash, Purpose, Purse},
    tlv::Element,
};
use crate::model::one_line;

const DATA: &str = "1.2.840.113549.1.7.1";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const ENVELOPED_DATA: &str = "1.2.840.113549.1.7.3";
const ENCRYPTED_DATA: &str = "1.2.840.113549.1.7.6";
const X509_CERTIFICATE: &str = "1.2.840.113549.1.9.22.1";
const FRIENDLY_NAME: &str = "1.2.840.113549.1.9.20";

/// Bags in bags in bags.
const DEEPEST: usize = 4;

/// What came out of a bag.
pub(super) enum Content {
    Certificate(Vec<u8>),
    RevocationList(Vec<u8>),
    /// PKCS#8.
    Key(Zeroizing<Vec<u8>>),
}

/// A bag: its name, how it was protected, what it holds.
pub(super) struct Bag {
    pub(super) name: Option<String>,
    pub(super) protection: Option<Protection>,
    pub(super) content: Result<Content, Refusal>,
}

/// A store of keys and certificates.
pub(super) struct Store {
    /// How the whole is protected against change; `None` when it is not.
    pub(super) integrity: Option<Protection>,
    pub(super) bags: Vec<Bag>,
}

fn damaged() -> Refusal {
    Refusal::damaged("PKCS#12 file")
}

fn children(element: Element<'_>) -> Result<Vec<Element<'_>>, Refusal> {
    element.children().map_err(|_| damaged())
}

/// `PFX ::= SEQUENCE { version, authSafe ContentInfo, macData OPTIONAL }`
pub(super) fn open(der: &[u8], passphrase: Option<&str>, purse: &Purse) -> Result<Store, Refusal> {
    let pfx = children(Element::only(der).map_err(|_| damaged())?)?;
    let [_, safe, mac @ ..] = pfx.as_slice() else {
        return Err(damaged());
    };
    let (kind, content) = content_info(*safe)?;
    let safe = match kind.as_str() {
        DATA => octets(content)?,
        SIGNED_DATA => {
            return Err(Refusal::UnsupportedProtection {
                protection: "a signature instead of a passphrase".to_owned(),
            });
        }
        _ => return Err(damaged()),
    };
    // Programs that ask for no passphrase mean either the empty one or none; the checksum says which.
    let candidates: Vec<Secret> = match passphrase {
        Some("") | None => vec![Secret::new(""), Secret::none()],
        Some(text) => vec![Secret::new(text)],
    };
    let (integrity, secret) = match mac {
        [] => (None, candidates.into_iter().next().ok_or_else(damaged)?),
        [mac] => {
            let mac = Mac::read(*mac)?;
            let mut fitting = None;
            for secret in candidates {
                if mac.holds(purse, &secret, &safe)? {
                    fitting = Some(secret);
                    break;
                }
            }
            let protection = mac.protection();
            match (fitting, passphrase) {
                (Some(secret), _) => (Some(protection), secret),
                (None, None) => {
                    return Err(Refusal::PassphraseNeeded {
                        protection: protection.scheme,
                    });
                }
                (None, Some(_)) => return Err(Refusal::WrongPassphrase { or_damaged: true }),
            }
        }
        _ => return Err(damaged()),
    };
    let opening = Opening {
        purse,
        secret,
        given: passphrase.is_some(),
        authentic: integrity.is_some(),
    };
    let mut bags = Vec::new();
    for info in children(Element::only(&safe).map_err(|_| damaged())?)? {
        opening.content(info, &mut bags)?;
    }
    Ok(Store { integrity, bags })
}

/// `ContentInfo ::= SEQUENCE { contentType, [0] EXPLICIT content }`: the type, and the element inside.
fn content_info(info: Element<'_>) -> Result<(String, Element<'_>), Refusal> {
    match *children(info)?.as_slice() {
        [oid, content] if content.is_context(0) => Ok((
            oid.oid().ok_or_else(damaged)?.to_string(),
            Element::only(content.value).map_err(|_| damaged())?,
        )),
        _ => Err(damaged()),
    }
}

/// The content of an OCTET STRING, BER's pieces put together.
fn octets(element: Element<'_>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    match element.tag {
        Tag::OctetString
        | Tag::ContextSpecific {
            constructed: false, ..
        } => Ok(Zeroizing::new(element.value.to_vec())),
        Tag::ContextSpecific {
            constructed: true, ..
        } => children(element)?
            .into_iter()
            .map(|piece| {
                (piece.tag == Tag::OctetString)
                    .then_some(piece.value)
                    .ok_or_else(damaged)
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|pieces| Zeroizing::new(pieces.concat())),
        _ => Err(damaged()),
    }
}

/// The checksum over all (RFC 7292 §4, RFC 9579).
struct Mac {
    derivation: MacKey,
    hash: Hash,
    expected: Vec<u8>,
}

enum MacKey {
    Pkcs12 { salt: Vec<u8>, rounds: u64 },
    Pbmac1 { derivation: Derivation, length: u64 },
}

impl Mac {
    /// `MacData ::= SEQUENCE { DigestInfo, macSalt, iterations DEFAULT 1 }`
    fn read(element: Element<'_>) -> Result<Self, Refusal> {
        let parts = children(element)?;
        let [info, salt, rounds @ ..] = parts.as_slice() else {
            return Err(damaged());
        };
        let info = children(*info)?;
        let [algorithm, expected] = *info.as_slice() else {
            return Err(damaged());
        };
        let (oid, parameters) = algorithm.algorithm().ok_or_else(damaged)?;
        let oid = oid.to_string();
        let expected = expected.value.to_vec();
        if oid == "1.2.840.113549.1.5.14" {
            let parameters = children(parameters.ok_or_else(damaged)?)?;
            let [derivation, scheme] = *parameters.as_slice() else {
                return Err(damaged());
            };
            let (derivation, length) = Derivation::read(derivation)?;
            return Ok(Self {
                derivation: MacKey::Pbmac1 {
                    derivation,
                    // RFC 9579 §4 wants it stated; more than a few blocks is nonsense.
                    length: length
                        .filter(|length| (1..=256).contains(length))
                        .ok_or_else(damaged)?,
                },
                hash: prf(scheme)?,
                expected,
            });
        }
        let hash = match oid.as_str() {
            "1.3.14.3.2.26" => Hash::Sha1,
            "2.16.840.1.101.3.4.2.4" => Hash::Sha224,
            "2.16.840.1.101.3.4.2.1" => Hash::Sha256,
            "2.16.840.1.101.3.4.2.2" => Hash::Sha384,
            "2.16.840.1.101.3.4.2.3" => Hash::Sha512,
            other => {
                return Err(Refusal::UnsupportedProtection {
                    protection: format!("a checksum with the digest {other}"),
                });
            }
        };
        let rounds = match rounds {
            [] => 1,
            [rounds] => rounds.number().ok_or_else(damaged)?,
            _ => return Err(damaged()),
        };
        Ok(Self {
            derivation: MacKey::Pkcs12 {
                salt: salt.value.to_vec(),
                rounds,
            },
            hash,
            expected,
        })
    }

    fn holds(&self, purse: &Purse, secret: &Secret, content: &[u8]) -> Result<bool, Refusal> {
        let algorithm = self.hash.hmac();
        let key = match &self.derivation {
            MacKey::Pkcs12 { salt, rounds } => kdf::pkcs12(
                purse,
                self.hash,
                Purpose::Mac,
                secret.bmp(),
                salt,
                *rounds,
                algorithm.digest_algorithm().output_len(),
            )?,
            MacKey::Pbmac1 { derivation, length } => {
                derivation.derive(purse, secret, *length as usize)?
            }
        };
        let found = hmac::sign(&hmac::Key::new(algorithm, &key), content);
        Ok(constant_time::verify_slices_are_equal(found.as_ref(), &self.expected).is_ok())
    }

    fn protection(&self) -> Protection {
        let hash = self.hash.name();
        Protection {
            scheme: match &self.derivation {
                MacKey::Pkcs12 { rounds, .. } => {
                    format!("PKCS#12, checksum by HMAC-{hash}, {rounds} rounds")
                }
                MacKey::Pbmac1 { derivation, .. } => {
                    format!("PKCS#12, checksum by HMAC-{hash}, PBMAC1, {derivation}")
                }
            },
            weakness: matches!(self.derivation, MacKey::Pkcs12 { rounds, .. } if rounds < 1000)
                .then_some("so few rounds leave the passphrase open to guessing"),
        }
    }
}

/// What it takes to open what lies inside.
struct Opening<'a> {
    purse: &'a Purse,
    secret: Secret,
    given: bool,
    /// The checksum held: what does not open now is damaged, or under another passphrase.
    authentic: bool,
}

impl Opening<'_> {
    fn content(&self, info: Element<'_>, bags: &mut Vec<Bag>) -> Result<(), Refusal> {
        let (kind, content) = content_info(info)?;
        match kind.as_str() {
            DATA => self.safe(&octets(content)?, None, DEEPEST, bags),
            ENCRYPTED_DATA => {
                // SEQUENCE { version, SEQUENCE { contentType, algorithm, [0] IMPLICIT OCTET STRING } }
                let parts = children(content)?;
                let inner = children(*parts.get(1).ok_or_else(damaged)?)?;
                let [_, algorithm, ciphertext, ..] = inner.as_slice() else {
                    return Err(damaged());
                };
                let opened = Scheme::read(*algorithm).and_then(|scheme| {
                    let plain = self.decrypt(&scheme, &octets(*ciphertext)?)?;
                    Ok((scheme.protection(), plain))
                });
                match opened {
                    Ok((protection, plain)) => self.safe(&plain, Some(&protection), DEEPEST, bags),
                    Err(refusal) => {
                        bags.push(Bag {
                            name: None,
                            protection: Scheme::read(*algorithm).ok().map(|s| s.protection()),
                            content: Err(refusal),
                        });
                        Ok(())
                    }
                }
            }
            ENVELOPED_DATA => {
                bags.push(Bag {
                    name: None,
                    protection: None,
                    content: Err(Refusal::UnsupportedProtection {
                        protection: "a recipient's public key instead of a passphrase".to_owned(),
                    }),
                });
                Ok(())
            }
            _ => Err(damaged()),
        }
    }

    fn decrypt(&self, scheme: &Scheme, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        scheme
            .decrypt(self.purse, &self.secret, ciphertext)
            .map_err(|refusal| match refusal {
                Refusal::WrongPassphrase { .. } if !self.given && !self.authentic => {
                    Refusal::PassphraseNeeded {
                        protection: scheme.protection().scheme,
                    }
                }
                Refusal::WrongPassphrase { .. } => Refusal::WrongPassphrase {
                    or_damaged: !self.authentic,
                },
                other => other,
            })
    }

    /// `SafeContents ::= SEQUENCE OF SafeBag`
    fn safe(
        &self,
        der: &[u8],
        around: Option<&Protection>,
        depth: usize,
        bags: &mut Vec<Bag>,
    ) -> Result<(), Refusal> {
        let ber;
        let whole = match Element::only(der) {
            Ok(whole) => whole,
            Err(_) => {
                ber = super::ber::to_der(der).ok_or_else(|| {
                    if self.authentic {
                        damaged()
                    } else {
                        Refusal::WrongPassphrase { or_damaged: true }
                    }
                })?;
                Element::only(&ber).map_err(|_| damaged())?
            }
        };
        for bag in children(whole)? {
            if bags.len() == super::MOST_OBJECTS {
                return Err(damaged());
            }
            self.bag(bag, around, depth, bags)?;
        }
        Ok(())
    }

    /// `SafeBag ::= SEQUENCE { bagId, [0] EXPLICIT bagValue, bagAttributes SET OPTIONAL }`
    fn bag(
        &self,
        bag: Element<'_>,
        around: Option<&Protection>,
        depth: usize,
        bags: &mut Vec<Bag>,
    ) -> Result<(), Refusal> {
        let parts = children(bag)?;
        let [oid, value, attributes @ ..] = parts.as_slice() else {
            return Err(damaged());
        };
        let oid = oid.oid().ok_or_else(damaged)?.to_string();
        let value = Element::only(value.value).map_err(|_| damaged())?;
        let mut protection = around.cloned();
        let not_wanted = |found: &str| Refusal::NotWanted {
            found: found.to_owned(),
            remedy: "it is not needed here",
        };
        let content = match oid.strip_prefix("1.2.840.113549.1.12.10.1.") {
            Some("1") => Ok(Content::Key(Zeroizing::new(value.whole.to_vec()))),
            Some("2") => {
                let parts = children(value)?;
                let [algorithm, ciphertext] = *parts.as_slice() else {
                    return Err(damaged());
                };
                Scheme::read(algorithm)
                    .and_then(|scheme| {
                        protection = Some(scheme.protection());
                        self.decrypt(&scheme, &octets(ciphertext)?)
                    })
                    .map(Content::Key)
            }
            Some("3") => certificate(value),
            Some("4") => typed(value).map(|(_, der)| Content::RevocationList(der)),
            Some("5") => Err(not_wanted("a secret that is no private key")),
            Some("6") if depth > 0 => {
                return self.safe(value.whole, around, depth - 1, bags);
            }
            _ => Err(not_wanted("a bag of an unknown kind")),
        };
        bags.push(Bag {
            name: attributes.first().and_then(|set| friendly_name(*set)),
            protection,
            content,
        });
        Ok(())
    }
}

fn certificate(value: Element<'_>) -> Result<Content, Refusal> {
    let (kind, der) = typed(value)?;
    if kind == X509_CERTIFICATE {
        Ok(Content::Certificate(der))
    } else {
        Err(Refusal::NotWanted {
            found: "a certificate that is not X.509".to_owned(),
            remedy: "export it as X.509",
        })
    }
}

/// `SEQUENCE { id, [0] EXPLICIT OCTET STRING }`
fn typed(value: Element<'_>) -> Result<(String, Vec<u8>), Refusal> {
    let (kind, content) = content_info(value)?;
    Ok((kind, octets(content)?.to_vec()))
}

/// The name that a program showed for it (RFC 2985 §5.5.1), made printable.
fn friendly_name(set: Element<'_>) -> Option<String> {
    for attribute in set.children().ok()? {
        let parts = attribute.children().ok()?;
        let [oid, values] = *parts.as_slice() else {
            continue;
        };
        if oid.oid()?.to_string() == FRIENDLY_NAME {
            let name = *values.children().ok()?.first()?;
            let units: Vec<u16> = name
                .value
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            return Some(one_line(&String::from_utf16_lossy(&units)));
        }
    }
    None
}
