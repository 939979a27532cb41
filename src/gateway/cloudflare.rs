//! Cloudflare: client certificates of authorities of one's own, enforced by a rule.

use super::{
    order::Order,
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        let pins = order.list(" ", |c| format!("\"{}\"", spelling(order.product, c).text));
        format!("not cf.tls_client_auth.cert_fingerprint_sha256 in {{{pins}}}")
    } else {
        let names: Vec<_> = order
            .names()
            .iter()
            .map(|name| format!("cf.tls_client_auth.cert_subject_dn contains \"CN={name}\""))
            .collect();
        format!("not ({})", names.join(" or "))
    };
    let sheet = Sheet::new(Tried::Written)
        .step(format!(
            "Upload as a CA for client certificates, and associate it with the host name {}: {}.",
            order.host,
            order.anchors_in_words()
        ))
        .lines(
            "A custom rule of the firewall with the action Block; without it, nobody is refused:",
            "rule.txt",
            format!(
                "(http.host eq \"{}\" and (not cf.tls_client_auth.cert_verified or {known}))",
                order.host
            ),
        )
        .step("Exempt /rest/ from challenges, bot rules and caches: a connector cannot answer a challenge.")
        .limit("The handshake succeeds for everybody; the rule answers 403.")
        .limit("Five authorities for each account; only authorities (CA:TRUE), never a certificate alone.");
    match order.self_signed() && !order.new.is_ca {
        true => sheet.limit("This certificate is self-signed and no authority: it cannot be installed."),
        false => sheet,
    }
}
