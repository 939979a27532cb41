//! Apache httpd: `mod_ssl`. The certificate is required at server level: inside a Location it would be asked for late.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let quoted = |words: Vec<String>| {
        let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        words.join(", ")
    };
    let known = if order.pinned() {
        let serials = order.both().map(|(_, c)| spelling::serial(c)).collect();
        format!(
            "Require expr %{{SSL_CLIENT_M_SERIAL}} in {{ {} }}",
            quoted(serials)
        )
    } else {
        let names = order.names().iter().map(|n| (*n).to_owned()).collect();
        format!(
            "Require expr %{{SSL_CLIENT_SAN_DNS_0}} in {{ {} }}",
            quoted(names)
        )
    };
    let paths: Vec<_> = order
        .paths()
        .iter()
        .map(|path| path.trim_matches('/'))
        .collect();
    Sheet::new(Tried::Loaded)
        .step(format!(
            "Save as /etc/apache2/countersign/clients.pem: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "Into the VirtualHost that answers for Jira, never into a Directory or Location:",
            "countersign.conf",
            format!(
                "SSLCACertificateFile /etc/apache2/countersign/clients.pem\n\
                 SSLVerifyClient require\n\
                 SSLVerifyDepth 3\n\
                 SSLOptions +StdEnvVars\n\
                 <Location \"/\">\n  \
                   Require all denied\n\
                 </Location>\n\
                 <LocationMatch \"^/({})/\">\n  \
                   <RequireAll>\n    \
                     {known}\n    \
                     Require method {}\n  \
                   </RequireAll>\n\
                 </LocationMatch>",
                paths.join("|"),
                METHODS.join(" ")
            ),
        )
        .step("Then apachectl configtest, and a graceful reload.")
        .limit(
            "It knows no fingerprints of client certificates: a certificate is told by its serial number, \
             which is unique within the authorities in clients.pem.",
        )
        .limit("It checks no revocation unless SSLCARevocationCheck is set.")
}
