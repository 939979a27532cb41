//! PEM with every label that is in use, and the encryption of RFC 1421 that OpenSSL kept for its own key formats.

use zeroize::Zeroizing;

use super::{
    Contents, ForeignError, Found, MOST_OBJECTS, Object, Reader, Refusal, ber, certificate,
    cipher::Cipher, classify::Kind, encrypted::Protection, kdf, private, strange, tlv::Element,
};
use crate::pki::{
    PrivateKey,
    armour::{self, Block, Unterminated},
};

impl Reader<'_> {
    /// A file of text.
    pub(super) fn text(&self, text: &str) -> Result<Contents, ForeignError> {
        let blocks = armour::blocks(text)
            .map_err(|Unterminated { label, line }| ForeignError::Unterminated { label, line })?;
        if blocks.is_empty() {
            return Err(strange::text(text));
        }
        if blocks.len() > MOST_OBJECTS {
            return Err(ForeignError::TooMany {
                limit: MOST_OBJECTS,
            });
        }
        let mut contents = Contents {
            format: "PEM",
            integrity: None,
            found: Vec::new(),
        };
        // OpenSSL writes the curve in front of the key.
        let mut curve: Option<Zeroizing<Vec<u8>>> = None;
        for block in &blocks {
            let Ok(bytes) = block.decode() else {
                contents.found.push(entry(
                    block,
                    Err(Refusal::damaged(format!("base64 of the {}", block.label))),
                ));
                continue;
            };
            match block.label.as_str() {
                "EC PARAMETERS" => {
                    curve = Some(bytes);
                    continue;
                }
                "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => {
                    let der = canonical(bytes);
                    let format = format!("PEM, {}", block.label);
                    self.bundle(&der, &format, Some(block.line), &mut contents.found);
                }
                "PKCS12" => {
                    let der = canonical(bytes);
                    contents.integrity = self.store(&der, Some(block.line), &mut contents.found);
                }
                _ => contents.found.push(self.block(
                    block,
                    &bytes,
                    curve.as_ref().map(|c| c.as_slice()),
                )),
            }
            if contents.found.len() > MOST_OBJECTS {
                return Err(ForeignError::TooMany {
                    limit: MOST_OBJECTS,
                });
            }
        }
        if let (true, Some(curve)) = (contents.found.is_empty(), &curve) {
            let parameters = &blocks[blocks.len() - 1];
            contents
                .found
                .push(self.labelled(parameters, Kind::Parameters, curve, None));
        }
        Ok(contents)
    }

    fn block(&self, block: &Block<'_>, bytes: &Zeroizing<Vec<u8>>, curve: Option<&[u8]>) -> Found {
        let labelled = |kind| self.labelled(block, kind, bytes, curve);
        match block.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => labelled(Kind::Certificate),
            // What OpenSSL trusts it for stands behind it.
            "TRUSTED CERTIFICATE" => {
                let certificate = Element::first(bytes)
                    .map_err(|_| Refusal::damaged("TRUSTED CERTIFICATE"))
                    .and_then(|(first, _)| certificate(first.whole));
                entry(block, certificate)
            }
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => labelled(Kind::Request),
            "X509 CRL" => labelled(Kind::RevocationList),
            "PUBLIC KEY" => labelled(Kind::PublicKeyInfo),
            "RSA PUBLIC KEY" => labelled(Kind::RsaPublicKey),
            "PRIVATE KEY" => labelled(Kind::PrivateKeyInfo),
            "ENCRYPTED PRIVATE KEY" => labelled(Kind::EncryptedPrivateKeyInfo),
            "RSA PRIVATE KEY" => self.openssl(block, bytes, private::from_pkcs1),
            "EC PRIVATE KEY" => self.openssl(block, bytes, |der| private::from_sec1(der, curve)),
            "DSA PRIVATE KEY" => labelled(Kind::DsaPrivateKey),
            "ANY PRIVATE KEY" => match super::classify::kind(bytes) {
                Some(kind) => labelled(kind),
                None => entry(block, Err(Refusal::damaged("ANY PRIVATE KEY"))),
            },
            label if label.ends_with("PARAMETERS") => labelled(Kind::Parameters),
            label => entry(block, Err(strange::label(label))),
        }
    }

    /// A block whose label says what it is; the content has to agree.
    fn labelled(
        &self,
        block: &Block<'_>,
        kind: Kind,
        bytes: &Zeroizing<Vec<u8>>,
        curve: Option<&[u8]>,
    ) -> Found {
        let looks_like = super::classify::kind(bytes);
        // Labels that were chosen by hand are often those of a neighbour: the content decides among keys.
        let kind = match looks_like {
            Some(found) if is_key(found) && is_key(kind) => found,
            _ => kind,
        };
        let format = format!("PEM, {}", block.label);
        self.object(kind, bytes, &format, Some(block.line), curve)
    }

    /// OpenSSL's own key formats, maybe encrypted as RFC 1421 has it.
    fn openssl(
        &self,
        block: &Block<'_>,
        bytes: &Zeroizing<Vec<u8>>,
        read: impl Fn(&[u8]) -> Result<PrivateKey, Refusal>,
    ) -> Found {
        if block.header("Proc-Type").is_none() {
            if matches!(super::classify::kind(bytes), Some(kind) if kind == Kind::PrivateKeyInfo) {
                return self.labelled(block, Kind::PrivateKeyInfo, bytes, None);
            }
            return entry(block, read(bytes).map(Object::Key));
        }
        let dek = block.header("DEK-Info").and_then(dek_info);
        let (cipher, iv) = match dek {
            Some(Ok(dek)) => dek,
            Some(Err(refusal)) => return entry(block, Err(refusal)),
            None => return entry(block, Err(Refusal::damaged("DEK-Info header"))),
        };
        let protection = Protection {
            scheme: format!(
                "PEM encryption of RFC 1421, MD5, 1 round, {}",
                cipher.name()
            ),
            weakness: cipher.weakness().or(Some(
                "one round of MD5 leaves the passphrase open to guessing",
            )),
        };
        let opened = match &self.secret {
            None => Err(Refusal::PassphraseNeeded {
                protection: protection.scheme.clone(),
            }),
            Some(secret) => {
                let key = kdf::bytes_to_key(secret.utf8(), &iv[..8], cipher.key_length());
                cipher.decrypt(&key, &iv, bytes).and_then(|plain| {
                    match super::classify::kind(&plain) {
                        Some(Kind::RsaPrivateKey | Kind::EcPrivateKey) => read(&plain),
                        _ => Err(Refusal::WrongPassphrase { or_damaged: true }),
                    }
                })
            }
        };
        Found {
            protection: Some(protection),
            ..entry(block, opened.map(Object::Key))
        }
    }
}

fn entry(block: &Block<'_>, object: Result<Object, Refusal>) -> Found {
    Found {
        format: format!("PEM, {}", block.label),
        line: Some(block.line),
        name: None,
        protection: None,
        object,
    }
}

fn is_key(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::PrivateKeyInfo
            | Kind::EncryptedPrivateKeyInfo
            | Kind::RsaPrivateKey
            | Kind::EcPrivateKey
            | Kind::DsaPrivateKey
    )
}

/// BER as DER, where it can be; else as it is, to be refused by whoever reads it.
fn canonical(bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if Element::only(&bytes).is_ok_and(|whole| whole.children().is_ok()) {
        return bytes;
    }
    ber::to_der(&bytes).unwrap_or(bytes)
}

/// `DEK-Info: AES-256-CBC,0011…`
fn dek_info(header: &str) -> Option<Result<(Cipher, Vec<u8>), Refusal>> {
    let (name, iv) = header.split_once(',')?;
    let cipher = match name.trim() {
        "AES-128-CBC" => Cipher::Aes128,
        "AES-192-CBC" => Cipher::Aes192,
        "AES-256-CBC" => Cipher::Aes256,
        "DES-CBC" => Cipher::Des,
        "DES-EDE3-CBC" => Cipher::DesEde3,
        "RC2-CBC" => Cipher::Rc2(128),
        "RC2-64-CBC" => Cipher::Rc2(64),
        "RC2-40-CBC" => Cipher::Rc2(40),
        other => {
            return Some(Err(Refusal::UnsupportedProtection {
                protection: format!("the cipher {}", crate::model::one_line(other)),
            }));
        }
    };
    let iv = hex::decode(iv.trim()).ok()?;
    (iv.len() == cipher.block()).then_some(Ok((cipher, iv)))
}
