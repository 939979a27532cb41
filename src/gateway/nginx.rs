//! nginx: `ngx_http_ssl_module`. Whoever cannot be verified is answered 400, after a complete handshake.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    Sheet::new(order.product)
        .step(format!(
            "Save as /etc/nginx/countersign/clients.pem: {}.",
            order.anchors_in_words()
        ))
        .lines("Into http { }:", "countersign-map.conf", map(order))
        .lines(
            "Into the server { } that answers for Jira; `jira` is your upstream:",
            "countersign-server.conf",
            server(order),
        )
        .step("Then nginx -t, and a reload.")
        .limit(
            "nginx lets everybody finish the handshake and answers 400 or 403 afterwards: only a request \
             shows whether a certificate is accepted.",
        )
        .limit("It checks no revocation unless ssl_crl or ssl_ocsp is set.")
}

fn map(order: &Order<'_>) -> String {
    let (variable, lines) = if order.pinned() {
        let line = |which: &str, c: &_| {
            let pin = spelling(order.product, c).text;
            format!("  \"{pin}\" 1;  # {which}")
        };
        ("$ssl_client_fingerprint", order.each(line))
    } else {
        let names = order.names();
        let lines: Vec<_> = names.iter().map(|name| named(name)).collect();
        ("$ssl_client_s_dn", lines.join("\n"))
    };
    format!("map {variable} $countersign_known {{\n  default 0;\n{lines}\n}}")
}

/// A whole common name. What stands before it may not hold a backslash: in `O=x\,CN=y` the name is a part of another
/// value. nginx itself takes one of each two backslashes away.
fn named(name: &str) -> String {
    let name = name.replace('.', "[.]").replace('*', "[*]");
    format!("  \"~^([^\\\\\\\\]*,)?CN={name}(,|$)\" 1;")
}

fn server(order: &Order<'_>) -> String {
    let mut text = String::from(
        "ssl_client_certificate /etc/nginx/countersign/clients.pem;\n\
         ssl_verify_client on;\n\
         ssl_verify_depth 3;\n\
         if ($countersign_known = 0) { return 403; }\n",
    );
    for path in order.paths() {
        text += &format!(
            "location {path} {{\n  \
               limit_except {} {{ deny all; }}\n  \
               client_max_body_size 50m;\n  \
               proxy_pass http://jira;\n\
             }}\n",
            METHODS.join(" ")
        );
    }
    text.trim_end().to_owned()
}
