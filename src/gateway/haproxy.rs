//! HAProxy: verified on the bind line, compared in the frontend.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(Tried::Loaded).step(format!(
        "Save as /etc/haproxy/countersign/clients.pem: {}.",
        order.anchors_in_words()
    ));
    let known = if order.pinned() {
        "acl countersign_known ssl_c_der,sha2(256),hex -m str -f /etc/haproxy/countersign/pins.lst"
            .to_owned()
    } else {
        format!(
            "acl countersign_known ssl_c_s_dn(CN) -m str {}",
            order.names().join(" ")
        )
    };
    let sheet = if order.pinned() {
        sheet.lines(
            "Save as /etc/haproxy/countersign/pins.lst:",
            "pins.lst",
            order.each(|_, c| spelling(order.product, c).text),
        )
    } else {
        sheet
    };
    sheet
        .step(
            "On the bind line of the frontend for Jira, beside ssl and crt: \
             ca-file /etc/haproxy/countersign/clients.pem verify required.",
        )
        .lines(
            "Into that frontend; its default_backend is Jira:",
            "countersign-frontend.cfg",
            format!(
                "{known}\n\
                 acl countersign_path path_beg {}\n\
                 acl countersign_method method {}\n\
                 http-request deny deny_status 403 unless countersign_known\n\
                 http-request deny deny_status 404 unless countersign_path\n\
                 http-request deny deny_status 405 unless countersign_method",
                order.paths().join(" "),
                METHODS.join(" ")
            ),
        )
        .step("Then haproxy -c -f haproxy.cfg, and a reload.")
        .limit("It checks no revocation unless crl-file is set on the bind line.")
}
