//! Caddy: verified in the site's `tls`, compared by a matcher.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        let pins = order.list(", ", |c| format!("\"{}\"", spelling(order.product, c).text));
        format!("expression `{{http.request.tls.client.fingerprint}} in [{pins}]`")
    } else {
        let names = order.names();
        let names: Vec<_> = names
            .iter()
            .map(|name| format!("{{http.request.tls.client.san.dns_names.0}} == \"{name}\""))
            .collect();
        format!("expression `{}`", names.join(" || "))
    };
    let paths: Vec<_> = order.paths().iter().map(|p| format!("{p}*")).collect();
    Sheet::new(Tried::Loaded)
        .step(format!(
            "Save as /etc/caddy/countersign/clients.pem: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "Into the site's tls { } directive, beside its certificate:",
            "countersign-tls.caddy",
            "client_auth {\n  \
               mode require_and_verify\n  \
               trusted_ca_cert_file /etc/caddy/countersign/clients.pem\n\
             }",
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
