//! Envoy, and Istio's gateway, which is one: the validation context compares fingerprints itself.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        format!(
            "      verify_certificate_hash:\n{}",
            order.each(|which, c| format!(
                "      - \"{}\"  # {which}",
                spelling(order.product, c).text
            ))
        )
    } else {
        let names = order.names();
        let names: Vec<_> = names
            .iter()
            .map(|name| format!("      - san_type: DNS\n        matcher: {{ exact: \"{name}\" }}"))
            .collect();
        format!("      match_typed_subject_alt_names:\n{}", names.join("\n"))
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
    Sheet::new(Tried::Loaded)
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
                     trusted_ca: {{ filename: /etc/envoy/countersign/clients.pem }}\n{}",
                dedented(&known)
            ),
        )
        .lines(
            "Routes of the virtual host; `jira` is your cluster:",
            "countersign-routes.yaml",
            routes.join("\n"),
        )
        .limit(format!(
            "While the key stays the same, verify_certificate_spki needs no change: {}.",
            order.list(", ", spelling::public_key)
        ))
        .limit("It checks no revocation unless a crl is set in the validation context.")
}

/// By two blanks: the same lines stand one level higher in Istio's and one lower in Envoy's files.
fn dedented(text: &str) -> String {
    text.lines()
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn istio(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        format!(
            "      verifyCertificateHash:\n{}",
            order.each(|which, c| format!(
                "      - {}  # {which}",
                spelling(order.product, c).text
            ))
        )
    } else {
        let names: Vec<_> = order
            .names()
            .iter()
            .map(|name| format!("      - \"{name}\""))
            .collect();
        format!("      subjectAltNames:\n{}", names.join("\n"))
    };
    let paths: Vec<_> = order.paths().iter().map(|p| format!("\"{p}*\"")).collect();
    let methods: Vec<_> = METHODS.iter().map(|m| format!("\"{m}\"")).collect();
    Sheet::new(Tried::Written)
        .step(format!(
            "Into the key ca.crt of the secret jira-credential-cacert, in the namespace of the gateway: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "The Gateway:",
            "gateway.yaml",
            format!(
                "apiVersion: networking.istio.io/v1\n\
                 kind: Gateway\n\
                 metadata: {{ name: jira, namespace: istio-system }}\n\
                 spec:\n  \
                   selector: {{ istio: ingressgateway }}\n  \
                   servers:\n  \
                   - hosts: [\"{}\"]\n    \
                     port: {{ number: 443, name: https, protocol: HTTPS }}\n    \
                     tls:\n      \
                       mode: MUTUAL\n      \
                       credentialName: jira-credential\n      \
                       minProtocolVersion: TLSV1_2\n{known}",
                order.host
            ),
        )
        .lines(
            "What is let through:",
            "authorization-policy.yaml",
            format!(
                "apiVersion: security.istio.io/v1\n\
                 kind: AuthorizationPolicy\n\
                 metadata: {{ name: jira, namespace: istio-system }}\n\
                 spec:\n  \
                   selector: {{ matchLabels: {{ istio: ingressgateway }} }}\n  \
                   action: ALLOW\n  \
                   rules:\n  \
                   - to:\n    \
                     - operation:\n        \
                         hosts: [\"{}\"]\n        \
                         paths: [{}]\n        \
                         methods: [{}]",
                order.host,
                paths.join(", "),
                methods.join(", ")
            ),
        )
        .limit("Other hosts of the same gateway need rules of their own once there is an ALLOW policy.")
        .limit("It checks no revocation unless a crl is set in the secret.")
}
