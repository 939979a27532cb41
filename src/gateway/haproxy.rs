//! HAProxy: verified on the bind line, compared in the frontend.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let mut sheet = Sheet::new(order.product).step(format!(
        "Save as /etc/haproxy/jira/clients.pem: {}.",
        order.anchors_in_words()
    ));
    let known = if order.pinned() {
        sheet = sheet.lines(
            "Save as /etc/haproxy/jira/pins:",
            "pins",
            order.each(|which, c| format!("# {which}\n{}", spelling(order.product, c).text)),
        );
        "acl jira_known ssl_c_der,sha2(256),hex -m str -f /etc/haproxy/jira/pins".to_owned()
    } else {
        let names = order.names();
        // Conditions of one name add up: any of them will do.
        let lines: Vec<_> = names
            .iter()
            .map(|name| format!("acl jira_known ssl_c_s_dn(CN) -m str {name}"))
            .collect();
        lines.join("\n")
    };
    sheet
        .step(
            "On the bind line of the frontend for Jira, beside ssl and crt: \
             ca-file /etc/haproxy/jira/clients.pem verify required.",
        )
        .lines(
            "Into that frontend; its default_backend is Jira:",
            "countersign-frontend.cfg",
            format!(
                "{known}\n\
                 acl jira_path path_beg {}\n\
                 acl jira_method method {}\n\
                 http-request deny deny_status 403 unless jira_known\n\
                 http-request deny deny_status 404 unless jira_path\n\
                 http-request deny deny_status 405 unless jira_method",
                order.paths().join(" "),
                METHODS.join(" ")
            ),
        )
        .step("Then haproxy -c -f haproxy.cfg, and a reload.")
        .limit("It checks no revocation unless crl-file is set on the bind line.")
}
