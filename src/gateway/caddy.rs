//! Caddy: verified in the site's `tls`, compared by a matcher.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let (field, words) = if order.pinned() {
        let pins: Vec<String> = order
            .both()
            .map(|(_, c)| spelling(order.product, c).text)
            .collect();
        ("fingerprint", pins)
    } else {
        ("san.dns_names.0", order.names())
    };
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let known = format!(
        "expression `{{http.request.tls.client.{field}}} in [\n    {}]`",
        quoted.join(",\n    ")
    );
    let paths: Vec<_> = order.paths().iter().map(|p| format!("{p}*")).collect();
    Sheet::new(order.product)
        .step(format!(
            "Save the root alone, out of {}, as /etc/caddy/countersign/anchor-new.pem{}. Of a file with several \
             certificates, Caddy 2.6 reads the first and passes over the rest without a word.",
            order.anchors_in_words(),
            match order.present {
                Some(_) => ", and the present generation's as anchor-present.pem beside it",
                None => "",
            }
        ))
        .lines(
            "Into the site's tls { } directive, beside its certificate:",
            "countersign-tls.caddy",
            format!(
                "client_auth {{\n  \
                   mode require_and_verify\n{}\n\
                 }}",
                order.each(|which, _| format!(
                    "  trusted_ca_cert_file /etc/caddy/countersign/anchor-{which}.pem"
                ))
            ),
        )
        .lines(
            "Into the site, in the place of its reverse_proxy; `jira:8080` is your Jira:",
            "countersign-site.caddy",
            format!(
                "@countersign {{\n  \
                   path {}\n  \
                   method {}\n  \
                   {known}\n\
                 }}\n\
                 handle @countersign {{\n  \
                   reverse_proxy jira:8080\n\
                 }}\n\
                 handle {{\n  \
                   respond 403\n\
                 }}",
                paths.join(" "),
                METHODS.join(" ")
            ),
        )
        .step("Then caddy validate, and caddy reload.")
        .limit("It checks no revocation.")
}
