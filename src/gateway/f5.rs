//! F5 BIG-IP: a client-ssl profile, and an iRule that compares.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        let serials = order.list(" ", |c| format!("\"{}\"", colons(&spelling::serial(c))));
        format!("set serial [X509::serial_number [SSL::cert 0]]\n  if {{ [lsearch -nocase {{{serials}}} $serial] < 0 }} {{ reject }}")
    } else {
        let names: Vec<_> = order
            .names()
            .iter()
            .map(|name| format!("[string match \"*CN={name}*\" $subject]"))
            .collect();
        format!(
            "set subject [X509::subject [SSL::cert 0]]\n  if {{ !({}) }} {{ reject }}",
            names.join(" || ")
        )
    };
    Sheet::new(Tried::Written)
        .step(format!(
            "Import as the certificate bundle countersign-clients.crt: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "The client-ssl profile of the virtual server:",
            "client-ssl.tmsh",
            "tmsh modify ltm profile client-ssl PROFILE \\\n  \
               peer-cert-mode require ca-file countersign-clients.crt \\\n  \
               client-cert-ca countersign-clients.crt authenticate-depth 3",
        )
        .lines(
            "An iRule on the virtual server:",
            "countersign.tcl",
            format!("when CLIENTSSL_CLIENTCERT {{\n  {known}\n}}"),
        )
        .step(format!(
            "Where a security policy (ASM, Advanced WAF) is attached: allow {} on /rest/*{}; it blocks PUT and DELETE \
             unless told otherwise, often with status 200.",
            METHODS.join(", "),
            if order.oauth {
                " and /plugins/servlet/oauth/*"
            } else {
                ""
            }
        ))
        .limit("It checks no revocation unless the profile has crl-file or an OCSP responder.")
}

/// `0a1b` as `0a:1b`, which is how iRules give serial numbers.
fn colons(digits: &str) -> String {
    let pairs: Vec<_> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect();
    pairs.join(":")
}
