//! What is not read, and is known all the same: a person is told what they have and how it becomes something that
//! is read.

use zeroize::Zeroizing;

use super::{ForeignError, Refusal, not_wanted, tlv::Element};

/// Files that say what they are by their first bytes.
pub(super) fn recognise(file: &[u8]) -> Option<ForeignError> {
    let foreign = |found, remedy| Some(ForeignError::Foreign { found, remedy });
    match file {
        [0xfe, 0xed, 0xfe, 0xed, ..] => foreign(
            "a Java key store (JKS)",
            "convert it: keytool -importkeystore -srckeystore FILE -srcstoretype JKS -destkeystore NEW.p12 -deststoretype PKCS12",
        ),
        [0xce, 0xce, 0xce, 0xce, ..] => foreign(
            "a Java key store (JCEKS)",
            "convert it: keytool -importkeystore -srckeystore FILE -srcstoretype JCEKS -destkeystore NEW.p12 -deststoretype PKCS12",
        ),
        [0, 0, 0, 2, 0, 0, 0, 20, ..] | [0, 0, 0, 1, 0, 0, 0, 20, ..] => foreign(
            "a key store of Bouncy Castle (BKS)",
            "convert it: keytool -importkeystore -srckeystore FILE -srcstoretype BKS -destkeystore NEW.p12 -deststoretype PKCS12, with Bouncy Castle's provider",
        ),
        [b'P', b'u', b'T', b'T', b'Y', b'-', ..] => foreign(
            "a key of PuTTY",
            "it is for SSH; the key of a certificate is wanted",
        ),
        [b'P', b'K', 3, 4, ..] => foreign("a ZIP archive", "unpack it first"),
        [0x1f, 0x8b, ..] => foreign("a gzip archive", "unpack it first"),
        [b'%', b'P', b'D', b'F', ..] => foreign("a PDF", "ask for the file itself"),
        _ => None,
    }
}

/// Text that holds no block.
pub(super) fn text(text: &str) -> ForeignError {
    let trimmed = text.trim_start();
    let begins = |word: &str| {
        trimmed
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let (found, remedy) = if begins("ssh-") || begins("ecdsa-sha2-") {
        (
            "a public key or certificate of SSH",
            "SSH's certificates are not X.509; the key and certificate of the TLS client are wanted",
        )
    } else if begins("<!doctype") || begins("<html") {
        (
            "a web page",
            "what was downloaded is the page and not the file",
        )
    } else {
        return ForeignError::Nothing;
    };
    ForeignError::Foreign { found, remedy }
}

/// A block with a label that is not read.
pub(super) fn label(label: &str) -> Refusal {
    match label {
        "OPENSSH PRIVATE KEY" => not_wanted(
            "a private key in OpenSSH's own format",
            "write it as PKCS#8, on a copy: ssh-keygen -p -m PKCS8 -f COPY",
        ),
        "SSH2 ENCRYPTED PRIVATE KEY" | "SSH2 PUBLIC KEY" => {
            not_wanted("a key of SSH", "the key of a certificate is wanted")
        }
        label if label.starts_with("PGP ") => not_wanted(
            "an OpenPGP message or key",
            "the key of a certificate is wanted",
        ),
        "ATTRIBUTE CERTIFICATE" => not_wanted(
            "an attribute certificate",
            "it certifies no key and is not needed here",
        ),
        label if label.ends_with("PRIVATE KEY") => not_wanted(
            format!("a private key with the label {label}"),
            "write it as PKCS#8: openssl pkcs8 -topk8 -in FILE -out NEW.pem",
        ),
        label => not_wanted(
            format!("a block with the label {label}"),
            "it is neither key nor certificate",
        ),
    }
}

/// CMS that holds no certificates.
pub(super) fn content(der: &[u8]) -> Refusal {
    let kind = Element::only(der)
        .and_then(Element::children)
        .ok()
        .and_then(|children| children.first()?.oid());
    let remedy = "a bundle of certificates (.p7b) is wanted";
    match kind.map(|oid| oid.to_string()).as_deref() {
        Some("1.2.840.113549.1.7.3") => not_wanted("an encrypted CMS message", remedy),
        Some("1.2.840.113549.1.7.1" | "1.2.840.113549.1.7.5" | "1.2.840.113549.1.7.6") => {
            not_wanted("CMS data without certificates", remedy)
        }
        _ => Refusal::damaged("PKCS#7 bundle, or it holds no certificates: it"),
    }
}

/// UTF-16, as Windows' editors and PowerShell write text.
pub(super) fn utf16(file: &[u8]) -> Option<Zeroizing<String>> {
    let (unit, rest): (fn([u8; 2]) -> u16, _) = match file {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => return None,
    };
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    for pair in rest.chunks_exact(2) {
        text.push(ascii(u32::from(unit([pair[0], pair[1]]))));
    }
    Some(text)
}

/// The bytes as text. What is not ASCII stands outside of the blocks, in whatever encoding.
pub(super) fn as_text(file: &[u8]) -> Zeroizing<String> {
    // A mark at the beginning belongs to no line.
    let file = file.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(file);
    let mut text = Zeroizing::new(String::with_capacity(file.len()));
    for byte in file {
        text.push(ascii(u32::from(*byte)));
    }
    text
}

fn ascii(unit: u32) -> char {
    char::from_u32(unit).filter(char::is_ascii).unwrap_or('?')
}
