//! Envoy: the validation context compares fingerprints itself.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        format!(
            "    verify_certificate_hash:\n{}",
            order.each(|which, c| format!(
                "    # {which}\n    - \"{}\"",
                spelling(order.product, c).text
            ))
        )
    } else {
        let names = order.names();
        let names: Vec<_> = names
            .iter()
            .map(|name| format!("    - san_type: DNS\n      matcher: {{ exact: \"{name}\" }}"))
            .collect();
        format!("    match_typed_subject_alt_names:\n{}", names.join("\n"))
    };
    let methods = METHODS.join("|");
    let routes: Vec<_> = order
        .paths()
        .iter()
        .map(|path| {
            format!(
                "- match:\n    \
                     prefix: {path}\n    \
                     headers:\n    \
                     - name: \":method\"\n      \
                       string_match: {{ safe_regex: {{ regex: \"{methods}\" }} }}\n  \
                   route: {{ cluster: jira }}"
            )
        })
        .collect();
    Sheet::new(order.product)
        .step(format!(
            "Save as /etc/envoy/countersign/clients.pem: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "Into the DownstreamTlsContext of the listener for Jira, beside its certificate:",
            "countersign-tls.yaml",
            format!(
                "require_client_certificate: true\n\
                 common_tls_context:\n  \
                   validation_context:\n    \
                     trusted_ca: {{ filename: /etc/envoy/countersign/clients.pem }}\n{known}",
            ),
        )
        .lines(
            "The only routes of the virtual host; `jira` is your cluster:",
            "countersign-routes.yaml",
            routes.join("\n"),
        )
        .limit("It checks no revocation unless a crl is set in the validation context.")
}
