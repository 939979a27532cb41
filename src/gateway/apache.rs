//! Apache httpd: `mod_ssl`. The certificate is required at server level: inside a Location it would be asked for late.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let (variable, words) = if order.pinned() {
        let serials: Vec<String> = order.both().map(|(_, c)| spelling::serial(c)).collect();
        ("SSL_CLIENT_M_SERIAL", serials)
    } else {
        ("SSL_CLIENT_SAN_DNS_0", order.names())
    };
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let known = format!(
        "Require expr %{{{variable}}} in {{ \\\n      {} }}",
        quoted.join(", \\\n      ")
    );
    let paths: Vec<_> = order
        .paths()
        .iter()
        .map(|path| path.trim_matches('/'))
        .collect();
    let sheet = Sheet::new(order.product)
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
        .step("Then apachectl configtest, and a graceful reload.");
    if order.pinned() {
        sheet.limit(
            "It knows no fingerprints of client certificates: a certificate is told by its serial number, \
             which is unique for each of the authorities in clients.pem.",
        )
    } else {
        sheet.limit("It compares the first dNSName of a certificate only.")
    }
    .limit("It checks no revocation unless SSLCARevocationCheck is set.")
}
