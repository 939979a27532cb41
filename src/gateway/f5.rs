//! F5 BIG-IP: a client-ssl profile, and an iRule that compares.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        let serials: Vec<_> = order
            .both()
            .map(|(_, c)| format!("    \"{}\"", spelling(order.product, c).text))
            .collect();
        format!(
            "  set serial [X509::serial_number [SSL::cert 0]]\n  \
               if {{ [lsearch -exact {{\n{}\n  }} [string toupper $serial]] < 0 }} {{ reject }}",
            serials.join("\n")
        )
    } else {
        let names: Vec<_> = order
            .names()
            .iter()
            .map(|name| format!("    \"CN={name}\""))
            .collect();
        // A quoted or escaped value could hold what looks like another.
        format!(
            "  set subject [X509::subject [SSL::cert 0]]\n  \
               set known 0\n  \
               foreach part [split $subject \",\"] {{\n    \
                 if {{ [lsearch -exact {{\n{}\n    }} [string trim $part]] >= 0 }} {{ set known 1 }}\n  \
               }}\n  \
               if {{ [string first \"\\\\\" $subject] >= 0 }} {{ set known 0 }}\n  \
               if {{ [string first \"\\\"\" $subject] >= 0 }} {{ set known 0 }}\n  \
               if {{ !$known }} {{ reject }}",
            names.join("\n")
        )
    };
    Sheet::new(order.product)
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
            format!("when CLIENTSSL_CLIENTCERT {{\n{known}\n}}"),
        )
        .step(format!(
            "Where a security policy (ASM, Advanced WAF) is attached: allow {} on {}; it blocks PUT and DELETE \
             unless told otherwise, often with status 200.",
            METHODS.join(", "),
            order.paths_in_words()
        ))
        .limit("Without the iRule, everybody whom the authority certifies comes in.")
        .limit("It checks no revocation unless the profile has crl-file or an OCSP responder.")
}
