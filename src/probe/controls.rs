//! What ought to be refused: no certificate, and a stranger's.

use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::Offset};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use zeroize::Zeroizing;

use super::{
    classify::{Answer, classify},
    conclude::conclude,
    observation::{Conversation, Ending, Presented},
    request::ClientIdentity,
};
use crate::model::{Control, ControlEvidence, Fingerprint, Verdict};

/// A throw-away identity that nobody has reason to trust, valid at `at`.
pub(super) fn stranger(at: Timestamp) -> Result<ClientIdentity, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "stranger");
    // Fit in every other respect, so that only trust can be the reason of a refusal.
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let midnight = |date: Date| {
        date_time_ymd(
            i32::from(date.year()),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    let today = Offset::UTC.to_datetime(at).date();
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(2.days()));
    let certificate = params.self_signed(&key)?;
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, certificate.der()).as_ref());
    Ok(ClientIdentity {
        chain: vec![certificate.der().to_vec()],
        key_pkcs8: Zeroizing::new(key.serialize_der()),
        fingerprint: Fingerprint::from_digest(fingerprint),
    })
}

/// How bad an outcome of a control is; the worst of several addresses counts.
fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Accepted => 3,
        Verdict::Inconclusive => 2,
        Verdict::Unreachable => 1,
        Verdict::Rejected => 0,
    }
}

/// What a control shows at one address.
pub(super) fn judge(control: Control, seen: &Conversation) -> ControlEvidence {
    let presented = match control {
        Control::NoCertificate => Presented::Nothing,
        Control::Stranger => Presented::Stranger,
    };
    let (verdict, explanation) = match &seen.ending {
        Ending::Answered(reply) if matches!(classify(reply), Answer::Jira { .. }) => (
            Verdict::Accepted,
            if seen.request.is_none() {
                format!(
                    "Jira answered {control} with {}: the gateway asks for no certificate, so anybody gets in",
                    reply.status
                )
            } else {
                format!(
                    "Jira answered {control} with {}: the gateway asks for certificates but lets anybody in",
                    reply.status
                )
            },
        ),
        _ => {
            let conclusion = conclude(seen, presented);
            (conclusion.verdict, conclusion.explanation)
        }
    };
    ControlEvidence {
        control,
        verdict,
        explanation,
    }
}

/// The worst that a control showed at any address.
pub(super) fn worst(
    found: impl Iterator<Item = (SocketAddr, ControlEvidence)>,
) -> Option<ControlEvidence> {
    found
        .max_by_key(|(_, evidence)| badness(evidence.verdict))
        .map(|(address, evidence)| ControlEvidence {
            explanation: format!("{address}: {}", evidence.explanation),
            ..evidence
        })
}
