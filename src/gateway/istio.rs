//! Istio's ingress gateway: an Envoy, configured by a Gateway and an AuthorizationPolicy.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        format!(
            "      verifyCertificateHash:\n{}",
            order.each(|which, c| format!(
                "      # {which}\n      - {}",
                spelling(order.product, c).text
            ))
        )
    } else {
        let names = order.names();
        let names: Vec<_> = names
            .iter()
            .map(|name| format!("      - \"{name}\""))
            .collect();
        format!("      subjectAltNames:\n{}", names.join("\n"))
    };
    let paths: Vec<_> = order.paths().iter().map(|p| format!("\"{p}*\"")).collect();
    let methods: Vec<_> = METHODS.iter().map(|m| format!("\"{m}\"")).collect();
    Sheet::new(order.product)
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
