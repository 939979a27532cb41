//! `inspect`: what is in a file, without a store and without a daemon. No key is ever printed.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Exit, Output,
    args::KeyFiles,
    key_files::{self, Opened},
    render,
};
use crate::{
    model::{CertificateFacts, ExtendedKeyUsage, KeyAlgorithm, KeyId, KeyUsage},
    pki::{
        self,
        foreign::{self, Found, Object, Protection},
        request::inspect_request,
    },
    service::{self, ServiceError},
};

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct InspectView {
    /// 1.
    pub(super) schema: u32,
    /// File by file.
    pub(super) files: Vec<FileView>,
}

/// A file.
#[derive(Serialize)]
pub(super) struct FileView {
    /// As it was named.
    pub(super) file: String,
    /// The format of the whole; `None` when nothing of it was read.
    pub(super) format: Option<&'static str>,
    /// Why nothing of it was read.
    pub(super) refused: Option<String>,
    /// How the whole is protected against change.
    pub(super) integrity: Option<ProtectionView>,
    /// Its objects, in the order of the file.
    pub(super) objects: Vec<ObjectView>,
}

/// How something is protected.
#[derive(Serialize)]
pub(super) struct ProtectionView {
    /// Scheme, derivation and cipher.
    pub(super) scheme: String,
    /// Why that is too little today, if it is.
    pub(super) weakness: Option<&'static str>,
}

/// An object of a file.
#[derive(Serialize)]
pub(super) struct ObjectView {
    /// The format in which it stands.
    pub(super) format: String,
    /// The line at which it begins, in text.
    pub(super) line: Option<usize>,
    /// What the file calls it.
    pub(super) name: Option<String>,
    /// How it is encrypted.
    pub(super) protection: Option<ProtectionView>,
    /// What it is.
    #[serde(flatten)]
    pub(super) content: ContentView,
}

/// What an object is.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(super) enum ContentView {
    /// A certificate.
    Certificate(Box<CertificateView>),
    /// A private key. It is not shown.
    PrivateKey {
        /// Its kind.
        key: KeyAlgorithm,
        /// SHA-256 of the SubjectPublicKeyInfo.
        key_id: KeyId,
        /// The subjects of the certificates in these files that certify it.
        certified_as: Vec<String>,
    },
    /// A public key.
    PublicKey {
        /// Its kind.
        key: String,
    },
    /// A certification request; it bears the signature of its key.
    Request {
        /// Its subject.
        subject: String,
        /// The host names that it asks for.
        dns_names: Vec<String>,
        /// SHA-256 of the SubjectPublicKeyInfo.
        key_id: KeyId,
    },
    /// A revocation list.
    RevocationList,
    /// Something that was not read.
    Refused {
        /// Why, for scripts.
        reason: &'static str,
        /// Why, and what to do.
        message: String,
    },
}

/// A certificate, with its digests in the spellings of gateways.
#[derive(Serialize)]
pub(super) struct CertificateView {
    /// Subject as RFC 4514 text, printable.
    pub(super) subject: String,
    /// Issuer as RFC 4514 text, printable.
    pub(super) issuer: String,
    /// In hexadecimal.
    pub(super) serial: String,
    /// The period.
    pub(super) not_before: Timestamp,
    /// Its end.
    pub(super) not_after: Timestamp,
    /// Where the present lies: `valid`, `expired` or `not-yet-valid`.
    pub(super) standing: &'static str,
    /// The kind of key.
    pub(super) key: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(super) key_id: KeyId,
    /// Whether the private key lies in these files.
    pub(super) private_key_here: bool,
    /// Host names.
    pub(super) dns_names: Vec<String>,
    /// Mailboxes.
    pub(super) email_addresses: Vec<String>,
    /// `None` when the extension is missing.
    pub(super) extended_key_usage: Option<Vec<ExtendedKeyUsage>>,
    /// `None` when the extension is missing.
    pub(super) key_usage: Option<KeyUsage>,
    /// Whether a gateway's TLS may take it from a client.
    pub(super) allows_client_auth: bool,
    /// basicConstraints cA.
    pub(super) is_ca: bool,
    /// Subject and issuer are the same name.
    pub(super) self_issued: bool,
    /// The digests.
    pub(super) fingerprints: Fingerprints,
}

/// Digests in the spellings of gateways.
#[derive(Serialize)]
pub(super) struct Fingerprints {
    /// 64 digits in lower case: HAProxy, Envoy, and ours.
    pub(super) sha256: String,
    /// `AB:CD:…`: OpenSSL, F5, keytool.
    pub(super) sha256_colons: String,
    /// 40 digits in upper case: the thumbprint of Azure and Windows.
    pub(super) sha1_upper: String,
    /// 40 digits in lower case: nginx's `$ssl_client_fingerprint`.
    pub(super) sha1: String,
    /// `AB:CD:…`.
    pub(super) sha1_colons: String,
}

/// Says what is in the files.
pub(super) fn inspect(output: Output, wanted: &KeyFiles) -> Result<Exit, ServiceError> {
    let opened = key_files::open(output.terminal, wanted)?;
    let now = service::system_clock().now();
    let view = view(&opened, now);
    let whole = view.files.iter().all(|file| {
        file.refused.is_none()
            && !file
                .objects
                .iter()
                .any(|object| matches!(object.content, ContentView::Refused { .. }))
    });
    output.print(&view, || render::inspection(&view, now))?;
    Ok(if whole { Exit::Done } else { Exit::No })
}

fn view(opened: &[Opened], now: Timestamp) -> InspectView {
    let readable = || opened.iter().filter_map(|o| o.contents.as_ref().ok());
    let keys: Vec<KeyId> = readable()
        .flat_map(|contents| contents.keys())
        .map(pki::PrivateKey::key_id)
        .collect();
    let certificates: Vec<CertificateFacts> = readable()
        .flat_map(|contents| contents.certificates())
        .filter_map(|der| pki::inspect(der).ok())
        .collect();
    let files = opened.iter().map(|opened| match &opened.contents {
        Err(error) => FileView {
            file: opened.file.clone(),
            format: None,
            refused: Some(error.to_string()),
            integrity: None,
            objects: Vec::new(),
        },
        Ok(contents) => FileView {
            file: opened.file.clone(),
            format: Some(contents.format),
            refused: None,
            integrity: contents.integrity.as_ref().map(protection),
            objects: contents
                .found
                .iter()
                .map(|found| ObjectView {
                    format: found.format.clone(),
                    line: found.line,
                    name: found.name.clone(),
                    protection: found.protection.as_ref().map(protection),
                    content: content(found, &keys, &certificates, now),
                })
                .collect(),
        },
    });
    InspectView {
        schema: 1,
        files: files.collect(),
    }
}

fn content(
    found: &Found,
    keys: &[KeyId],
    certificates: &[CertificateFacts],
    now: Timestamp,
) -> ContentView {
    match &found.object {
        Err(refusal) => ContentView::Refused {
            reason: refusal.code(),
            message: service::with_causes(refusal),
        },
        Ok(Object::Certificate(der)) => match pki::inspect(der) {
            Ok(facts) => ContentView::Certificate(Box::new(certificate(der, facts, keys, now))),
            Err(error) => ContentView::Refused {
                reason: "certificate-unreadable",
                message: service::with_causes(&error),
            },
        },
        Ok(Object::Key(key)) => ContentView::PrivateKey {
            key: key.algorithm(),
            key_id: key.key_id(),
            certified_as: certificates
                .iter()
                .filter(|facts| facts.key_id == key.key_id())
                .map(|facts| facts.subject.clone())
                .collect(),
        },
        Ok(Object::PublicKey(info)) => ContentView::PublicKey {
            key: foreign::public_key_name(info).unwrap_or_else(|| "unknown".to_owned()),
        },
        Ok(Object::Request(der)) => match inspect_request(der) {
            Ok(request) => ContentView::Request {
                subject: request.subject(),
                dns_names: request.dns_names().to_vec(),
                key_id: request.public_key().key_id(),
            },
            Err(error) => ContentView::Refused {
                reason: "request-unreadable",
                message: service::with_causes(&error),
            },
        },
        Ok(Object::RevocationList(_)) => ContentView::RevocationList,
    }
}

fn certificate(
    der: &[u8],
    facts: CertificateFacts,
    keys: &[KeyId],
    now: Timestamp,
) -> CertificateView {
    let (not_before, not_after) = (facts.validity.not_before(), facts.validity.not_after());
    CertificateView {
        standing: if now < not_before {
            "not-yet-valid"
        } else if now > not_after {
            "expired"
        } else {
            "valid"
        },
        not_before,
        not_after,
        key: foreign::certified_key_name(der).unwrap_or_else(|| "unknown".to_owned()),
        key_id: facts.key_id,
        private_key_here: keys.contains(&facts.key_id),
        allows_client_auth: facts.allows_client_auth(),
        fingerprints: Fingerprints {
            sha256: facts.fingerprint.to_string(),
            sha256_colons: facts.fingerprint.colon_upper(),
            sha1_upper: facts.sha1.upper(),
            sha1: facts.sha1.to_string(),
            sha1_colons: facts.sha1.colon_upper(),
        },
        serial: facts.serial.to_string(),
        subject: facts.subject,
        issuer: facts.issuer,
        dns_names: facts.dns_names,
        email_addresses: facts.email_addresses,
        extended_key_usage: facts.extended_key_usage,
        key_usage: facts.key_usage,
        is_ca: facts.is_ca,
        self_issued: facts.self_issued,
    }
}

fn protection(how: &Protection) -> ProtectionView {
    ProtectionView {
        scheme: how.scheme.clone(),
        weakness: how.weakness,
    }
}
