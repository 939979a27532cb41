//! What is in a file, for people.

use std::fmt::Write;

use jiff::Timestamp;

use super::when;
use crate::{
    cli::inspect::{CertificateView, ContentView, InspectView, ObjectView, ProtectionView},
    model::{ExtendedKeyUsage, one_line},
};

/// The files with what they hold.
pub(crate) fn inspection(view: &InspectView, now: Timestamp) -> String {
    let mut out = String::new();
    for file in &view.files {
        if !out.is_empty() {
            out.push('\n');
        }
        let name = one_line(&file.file);
        // Writing to a string cannot fail.
        let _ = match (&file.refused, file.format) {
            (Some(why), _) => writeln!(out, "{name}: {why}"),
            (None, format) => writeln!(out, "{name}: {}", format.unwrap_or_default()),
        };
        if let Some(integrity) = &file.integrity {
            let _ = line(&mut out, "intact", &protected(integrity));
        }
        for object in &file.objects {
            let _ = write_object(&mut out, object, now);
        }
    }
    out
}

fn line(out: &mut String, word: &str, text: &str) -> std::fmt::Result {
    writeln!(out, "  {word:<12} {text}")
}

fn protected(how: &ProtectionView) -> String {
    match how.weakness {
        Some(weakness) => format!("{} (weak: {weakness})", how.scheme),
        None => how.scheme.clone(),
    }
}

fn write_object(out: &mut String, object: &ObjectView, now: Timestamp) -> std::fmt::Result {
    let what = match &object.content {
        ContentView::Certificate(_) => "certificate",
        ContentView::PrivateKey { .. } => "private key",
        ContentView::PublicKey { .. } => "public key",
        ContentView::Request { .. } => "certification request",
        ContentView::RevocationList => "revocation list",
        ContentView::Refused { .. } => "not read",
    };
    let at = object
        .line
        .map(|line| format!(", line {line}"))
        .unwrap_or_default();
    writeln!(out, "\n{what} ({}{at})", object.format)?;
    if let Some(name) = &object.name {
        line(out, "called", name)?;
    }
    if let Some(how) = &object.protection {
        line(out, "encrypted", &protected(how))?;
    }
    match &object.content {
        ContentView::Certificate(certificate) => write_certificate(out, certificate, now),
        ContentView::PrivateKey {
            key,
            key_id,
            certified_as,
        } => {
            line(out, "key", key.as_str())?;
            line(out, "key id", &key_id.to_string())?;
            if certified_as.is_empty() {
                return line(out, "certified", "by none of the certificates here");
            }
            certified_as
                .iter()
                .try_for_each(|subject| line(out, "certified", &format!("as {subject}")))
        }
        ContentView::PublicKey { key } => line(out, "key", key),
        ContentView::Request {
            subject,
            dns_names,
            key_id,
        } => {
            line(out, "subject", subject)?;
            line(out, "names", &listed(dns_names))?;
            line(out, "key id", &key_id.to_string())
        }
        ContentView::RevocationList => Ok(()),
        ContentView::Refused { message, .. } => line(out, "because", message),
    }
}

fn write_certificate(
    out: &mut String,
    certificate: &CertificateView,
    now: Timestamp,
) -> std::fmt::Result {
    line(out, "subject", &certificate.subject)?;
    let own = if certificate.self_issued {
        " (itself)"
    } else {
        ""
    };
    line(out, "issuer", &format!("{}{own}", certificate.issuer))?;
    line(out, "serial", &certificate.serial)?;
    let from = when(certificate.not_before, now);
    let until = when(certificate.not_after, now);
    line(
        out,
        "valid",
        &format!("from {from} until {until}: {}", certificate.standing),
    )?;
    line(out, "key", &certificate.key)?;
    line(out, "key id", &certificate.key_id.to_string())?;
    line(
        out,
        "private key",
        if certificate.private_key_here {
            "here"
        } else {
            "not in these files"
        },
    )?;
    line(out, "names", &listed(&certificate.dns_names))?;
    if !certificate.email_addresses.is_empty() {
        line(out, "mailboxes", &listed(&certificate.email_addresses))?;
    }
    let purposes = certificate.extended_key_usage.as_ref().map_or_else(
        || "any, for none is stated".to_owned(),
        |purposes| listed(&purposes.iter().map(purpose).collect::<Vec<_>>()),
    );
    line(out, "purposes", &purposes)?;
    if !certificate.allows_client_auth {
        line(out, "", "not for TLS clients: clientAuth is missing")?;
    }
    if certificate.is_ca {
        line(out, "authority", "yes: it may issue certificates")?;
    }
    let digests = &certificate.fingerprints;
    line(out, "SHA-256", &digests.sha256)?;
    line(out, "  colons", &digests.sha256_colons)?;
    line(out, "SHA-1", &digests.sha1_upper)?;
    line(out, "  colons", &digests.sha1_colons)
}

fn purpose(usage: &ExtendedKeyUsage) -> String {
    match usage {
        ExtendedKeyUsage::Any => "anyExtendedKeyUsage",
        ExtendedKeyUsage::ClientAuth => "clientAuth",
        ExtendedKeyUsage::EmailProtection => "emailProtection",
        ExtendedKeyUsage::ServerAuth => "serverAuth",
        ExtendedKeyUsage::Other(oid) => oid,
    }
    .to_owned()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
