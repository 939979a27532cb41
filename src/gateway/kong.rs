//! Kong: the plugin `mtls-auth` (Enterprise), with consumers for names.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let names: Vec<_> = order
        .names()
        .iter()
        .map(|name| format!("  - subject_name: \"{name}\""))
        .collect();
    let paths: Vec<_> = order
        .paths()
        .iter()
        .map(|path| format!("\"{path}\""))
        .collect();
    Sheet::new(order.product)
        .step(format!(
            "POST /ca_certificates, each certificate on its own; note the ids: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "The route, its plugins and the consumer (declarative configuration):",
            "kong.yaml",
            format!(
                "_format_version: \"3.0\"\n\
                 services:\n\
                 - name: jira\n  \
                   url: http://jira:8080\n  \
                   routes:\n  \
                   - name: countersign\n    \
                     hosts: [\"{host}\"]\n    \
                     snis: [\"{host}\"]\n    \
                     paths: [{}]\n    \
                     methods: [{}]\n    \
                     strip_path: false\n    \
                     plugins:\n    \
                     - name: mtls-auth\n      \
                       config:\n        \
                         ca_certificates: [ID, ID]\n        \
                         revocation_check_mode: SKIP\n    \
                     - name: acl\n      \
                       config: {{ allow: [countersign] }}\n\
                 consumers:\n\
                 - username: countersign\n  \
                   mtls_auth_credentials:\n{}\n  \
                   acls:\n  \
                   - group: countersign",
                paths.join(", "),
                METHODS.join(", "),
                names.join("\n"),
                host = order.host
            ),
        )
        .limit("Without the ACL, mtls-auth lets in whoever has a certificate of the authority and any consumer.")
        .limit(
            "It compares names, not fingerprints: an older certificate with the same name is accepted until it \
             expires or its authority is removed. That it is refused after its removal cannot be had here.",
        )
        .limit("It checks revocation only with revocation_check_mode: STRICT.")
        .limit_if(
            order.self_signed_leaf(),
            "It takes only authorities (CA:TRUE): this self-signed certificate cannot be installed.",
        )
}
