//! Cloudflare: client certificates of authorities of one's own, enforced by a rule.

use super::{order::Order, sheet::Sheet, spelling};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let (field, words) = if order.pinned() {
        let pins: Vec<String> = order
            .both()
            .map(|(_, c)| spelling(order.product, c).text)
            .collect();
        ("cert_fingerprint_sha256", pins)
    } else {
        // The whole subject: a part of it could stand in somebody else's.
        let subjects = order
            .names()
            .iter()
            .map(|name| format!("CN={name}"))
            .collect();
        ("cert_subject_dn", subjects)
    };
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    Sheet::new(order.product)
        .step(format!(
            "Upload as a CA for client certificates, and associate it with the host name {}: {}.",
            order.host,
            order.anchors_in_words()
        ))
        .lines(
            "A custom rule of the firewall with the action Block; without it, nobody is refused:",
            "rule.txt",
            format!(
                "(http.host eq \"{}\"\n  \
                   and (not cf.tls_client_auth.cert_verified\n  \
                   or not cf.tls_client_auth.{field} in {{\n    {}\n  }}))",
                order.host,
                quoted.join("\n    ")
            ),
        )
        .step("Exempt /rest/ from challenges, bot rules and caches: a connector cannot answer a challenge.")
        .limit("The handshake succeeds for everybody; the rule answers 403.")
        .limit("Five authorities for each account; only authorities (CA:TRUE), never a certificate alone.")
        .limit_if(
            !order.pinned(),
            "The rule compares the whole subject: where a certificate says more than its common name, write \
             the subject as the dashboard shows it.",
        )
        .limit_if(
            order.self_signed_leaf(),
            "This certificate is self-signed and no authority: it cannot be installed.",
        )
        .limit("It checks the revocation of its own certificates only.")
}
