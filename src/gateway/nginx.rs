//! nginx: `ngx_http_ssl_module`. Whoever cannot be verified is answered 400, after a complete handshake.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    Sheet::new(Tried::Loaded)
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
        let lines: Vec<_> = order
            .names()
            .iter()
            .map(|name| format!("  \"~(^|,)CN={}(,|$)\" 1;", escaped(name)))
            .collect();
        ("$ssl_client_s_dn", lines.join("\n"))
    };
    format!("map {variable} $countersign_known {{\n  default 0;\n{lines}\n}}")
}

/// For a regular expression.
pub(super) fn escaped(name: &str) -> String {
    name.replace('.', "\\.").replace('*', "\\*")
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
