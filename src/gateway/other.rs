//! Whatever else stands there: what is needed, in general words.

use super::{order::Order, sheet::Sheet};
use crate::model::{CertificateFacts, one_line};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let mut sheet = Sheet::new(order.product).step(
        "Have a client certificate required and verified in the first handshake, for the whole listener.",
    );
    if order.pinned() {
        sheet = sheet.step(format!(
            "Where the gateway lists accepted certificates or fingerprints: add the new one{}.",
            match order.present {
                Some(_) => ", and keep the present one",
                None => "",
            }
        ));
    }
    sheet = sheet.step(format!(
        "Where it keeps the authorities of clients: {}.",
        order.anchors_in_words()
    ));
    if !order.self_signed() {
        let known = match order.pinned() {
            true => order.list(" and ", |c| format!("SHA-256 {}", c.fingerprint)),
            false => order.list(" and ", name),
        };
        sheet = sheet.step(format!(
            "An authority certifies others too: admit only {known}."
        ));
    }
    sheet
}

/// What a rule can match.
fn name(certificate: &CertificateFacts) -> String {
    one_line(
        certificate
            .dns_names
            .first()
            .unwrap_or(&certificate.subject),
    )
}
