//! Certificates as they arrive from people: PEM (RFC 7468) pasted into a mail and quoted, with CRLF, with a
//! byte order mark, between two greetings; plain DER; or a PKCS#7 bundle (RFC 5652) from a Windows CA.
//!
//! Whatever the wrapping, the bytes of each certificate come out as they went in: nothing is re-encoded.

use der::{
    Decode, Reader, SliceReader, Tag, TagNumber, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
    pem::LineEnding,
};

use super::{
    InspectError,
    armour::{self, Block, Unterminated},
    inspect,
};

/// The most bytes that are looked at.
pub const LARGEST_INPUT: usize = 1024 * 1024;

/// The most certificates that are taken from one input.
pub const MOST_CERTIFICATES: usize = 64;

/// Text or bytes from which no certificates can be taken. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Between the markers stands something that is not base64.
    #[error(
        "the text of the {label} that begins at line {line} is not base64; copy it again, from the BEGIN to the END line"
    )]
    Base64 {
        /// What the marker says.
        label: String,
        /// Where it begins.
        line: usize,
        /// What is wrong.
        source: base64::DecodeError,
    },
    /// A certificate was unwrapped but cannot be read.
    #[error("certificate {number}{} cannot be read", at_line(*.line))]
    Certificate {
        /// Counted from 1.
        number: usize,
        /// Where it begins, in text.
        line: Option<usize>,
        /// Why.
        source: InspectError,
    },
    /// Nothing there.
    #[error(
        "there is no certificate here; a PEM file with a `BEGIN CERTIFICATE` line, a DER file or a .p7b file is wanted"
    )]
    NoCertificate,
    /// No request there.
    #[error(
        "there is no certification request here; a PEM file with a `BEGIN CERTIFICATE REQUEST` line or a DER file is wanted"
    )]
    NoRequest,
    /// A PKCS#7 bundle that does not parse.
    #[error(
        "the PKCS#7 bundle{} is damaged or holds no certificates; export it again, or as PEM",
        at_line(*.line)
    )]
    Pkcs7 {
        /// Where it begins, in text.
        line: Option<usize>,
        /// Where reading stopped.
        source: der::Error,
    },
    /// A private key stands where only certificates may stand. It is not repeated here.
    #[error(
        "a private key begins at line {line}, where only certificates belong; take it out, and if it came to you by mail, treat it as known to others and make a new one"
    )]
    PrivateKey {
        /// Where it begins.
        line: usize,
    },
    /// Too long to be certificates.
    #[error("the input has {found} bytes; at most {limit} are read")]
    TooLarge {
        /// How long it is.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Too many to be a chain.
    #[error("there are more than {limit} certificates; give only the leaf and its issuers")]
    TooMany {
        /// What is allowed.
        limit: usize,
    },
    /// UTF-16, as some Windows editors save.
    #[error("the text is UTF-16; save it as UTF-8 or ASCII")]
    Utf16,
    /// A BEGIN without its END.
    #[error(
        "the {label} that begins at line {line} has no END line; copy it again, down to its END line"
    )]
    Unterminated {
        /// What the marker says.
        label: String,
        /// Where it begins.
        line: usize,
    },
    /// Something else stands there, such as a request.
    #[error("at line {line} begins a {label}, where a CERTIFICATE is wanted; {}", remedy_for(.label))]
    WrongLabel {
        /// What the marker says.
        label: String,
        /// Where it begins.
        line: usize,
    },
}

/// The certificates of an input, DER, in the order in which they stand there; never none. Each is readable.
pub fn certificates_from_pem(input: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    if input.len() > LARGEST_INPUT {
        return Err(PemError::TooLarge {
            found: input.len(),
            limit: LARGEST_INPUT,
        });
    }
    if matches!(input, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(PemError::Utf16);
    }
    let mut found = Found::default();
    // Both kinds of certificate file are longer than 127 bytes, so that their second byte is no ASCII.
    if matches!(input, [0x30, 0x80..=0xff, ..]) {
        if is_signed_data(input) {
            found.take_bundle(input, None)?;
        } else {
            found.take(input, None)?;
        }
    } else {
        for block in blocks(&String::from_utf8_lossy(input))? {
            let line = block.line;
            match block.label.as_str() {
                "CERTIFICATE" | "X509 CERTIFICATE" => found.take(&decoded(&block)?, Some(line))?,
                "PKCS7" | "CMS" => found.take_bundle(&decoded(&block)?, Some(line))?,
                label if label.ends_with("PRIVATE KEY") => {
                    return Err(PemError::PrivateKey { line });
                }
                _ => {
                    return Err(PemError::WrongLabel {
                        label: block.label,
                        line,
                    });
                }
            }
        }
    }
    if found.certificates.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(found.certificates)
}

/// The one request of an input (RFC 2986), PEM or DER, as DER. It is not read any further.
pub fn request_from_pem(input: &[u8]) -> Result<Vec<u8>, PemError> {
    if input.len() > LARGEST_INPUT {
        return Err(PemError::TooLarge {
            found: input.len(),
            limit: LARGEST_INPUT,
        });
    }
    if matches!(input, [0x30, 0x80..=0xff, ..]) {
        return Ok(input.to_vec());
    }
    for block in blocks(&String::from_utf8_lossy(input))? {
        match block.label.as_str() {
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => return decoded(&block),
            label if label.ends_with("PRIVATE KEY") => {
                return Err(PemError::PrivateKey { line: block.line });
            }
            _ => {}
        }
    }
    Err(PemError::NoRequest)
}

/// A certificate as PEM.
pub fn certificate_pem(der: &[u8]) -> String {
    encode("CERTIFICATE", der)
}

/// A certification request as PEM.
pub fn request_pem(der: &[u8]) -> String {
    encode("CERTIFICATE REQUEST", der)
}

/// A revocation list as PEM.
pub fn crl_pem(der: &[u8]) -> String {
    encode("X509 CRL", der)
}

/// A public key as PEM, label `PUBLIC KEY` (RFC 7468 §13).
pub fn public_key_pem(info: &[u8]) -> String {
    encode("PUBLIC KEY", info)
}

/// RFC 7468: lines of 64, LF, in a string that never grows (private keys pass here as well).
pub(super) fn encode(label: &'static str, der: &[u8]) -> String {
    // It fails for a label with characters that none of ours has, and for sizes beyond memory.
    der::pem::encode_string(label, LineEnding::LF, der).expect("the labels are constants")
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" (it begins at line {line})"))
}

fn remedy_for(label: &str) -> &'static str {
    if label.ends_with("CERTIFICATE REQUEST") {
        "a request is what the issuer gets: give what the issuer sent back"
    } else {
        "give only the certificates"
    }
}

/// What has been taken so far.
#[derive(Default)]
struct Found {
    certificates: Vec<Vec<u8>>,
}

impl Found {
    fn take(&mut self, der: &[u8], line: Option<usize>) -> Result<(), PemError> {
        if self.certificates.len() == MOST_CERTIFICATES {
            return Err(PemError::TooMany {
                limit: MOST_CERTIFICATES,
            });
        }
        inspect(der).map_err(|source| PemError::Certificate {
            number: self.certificates.len() + 1,
            line,
            source,
        })?;
        self.certificates.push(der.to_vec());
        Ok(())
    }

    fn take_bundle(&mut self, der: &[u8], line: Option<usize>) -> Result<(), PemError> {
        for certificate in bundled(der).map_err(|source| PemError::Pkcs7 { line, source })? {
            self.take(certificate, line)?;
        }
        Ok(())
    }
}

/// All blocks of a text.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, PemError> {
    armour::blocks(text).map_err(|Unterminated { label, line }| {
        if label.ends_with("PRIVATE KEY") {
            PemError::PrivateKey { line }
        } else {
            PemError::Unterminated { label, line }
        }
    })
}

/// What a block decodes to.
fn decoded(block: &Block<'_>) -> Result<Vec<u8>, PemError> {
    block
        .decode()
        .map(|bytes| bytes.to_vec())
        .map_err(|source| PemError::Base64 {
            label: block.label.clone(),
            line: block.line,
            source,
        })
}

/// Whether it begins like a ContentInfo (RFC 5652 §3), whose first element is an object identifier; that of
/// a certificate is a SEQUENCE.
fn is_signed_data(der: &[u8]) -> bool {
    SliceReader::new(der).is_ok_and(|mut reader| {
        AnyRef::decode(&mut reader).is_ok_and(|any| any.value().first() == Some(&0x06))
    })
}

/// The certificates of a "certs-only" SignedData (RFC 5652 §5.1), each as the very bytes that stand there.
pub(super) fn bundled(der: &[u8]) -> der::Result<Vec<&[u8]>> {
    let mut reader = SliceReader::new(der)?;
    let content = reader.sequence(|info| {
        if ObjectIdentifier::decode(info)? != const_oid::db::rfc5911::ID_SIGNED_DATA {
            return Err(Tag::ObjectIdentifier.value_error().into());
        }
        let content = AnyRef::decode(info)?;
        content.tag().assert_eq(context(0, true))?;
        Ok::<_, der::Error>(content.value())
    })?;
    reader.finish()?;
    let mut reader = SliceReader::new(content)?;
    let certificates = reader.sequence(|data| {
        let mut certificates = None;
        while !data.is_finished() {
            let element = AnyRef::decode(data)?;
            if element.tag() == context(0, true) {
                certificates = Some(element.value());
            }
        }
        certificates.ok_or_else(|| der::Error::from(Tag::Sequence.value_error()))
    })?;
    reader.finish()?;
    let mut found = Vec::new();
    let mut reader = SliceReader::new(certificates)?;
    while !reader.is_finished() {
        let is_certificate = Tag::peek(&reader)? == Tag::Sequence;
        let element = reader.tlv_bytes()?;
        // The other choices of CertificateChoices are attribute certificates and relics.
        if is_certificate {
            found.push(element);
        }
    }
    Ok(found)
}

const fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: TagNumber(number),
    }
}
