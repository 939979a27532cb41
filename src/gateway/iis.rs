//! IIS and ARR: required for the site, and negotiated in the first handshake by http.sys.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let pattern = if order.pinned() {
        order.list("|", |c| spelling(order.product, c).text)
    } else {
        order.names().join("|").replace('.', "\\.").replace('*', "\\*")
    };
    let input = if order.pinned() {
        "{CERT_THUMBPRINT}"
    } else {
        "{CERT_SUBJECT}"
    };
    Sheet::new(Tried::Written)
        .step(format!(
            "Into the store of the machine: {}. Roots go to LocalMachine\\Root, and only self-signed ones may lie \
             there (otherwise everybody is refused with 403.16); intermediates go to LocalMachine\\CA.",
            order.anchors_in_words()
        ))
        .lines(
            "Have the certificate asked for in the first handshake; asked for late, our side cannot answer:",
            "http-sys.cmd",
            format!(
                "netsh http update sslcert hostnameport={}:443 certhash=SERVERTHUMBPRINT ^\n  \
                   appid={{4dc3e181-e14b-4a21-b022-59fc669b0914}} certstorename=MY clientcertnegotiation=enable",
                order.host
            ),
        )
        .lines(
            "For the site:",
            "web.config",
            format!(
                "<configuration>\n  \
                   <system.webServer>\n    \
                     <security>\n      \
                       <access sslFlags=\"Ssl, SslNegotiateCert, SslRequireCert\" />\n    \
                     </security>\n    \
                     <rewrite>\n      \
                       <rules>\n        \
                         <rule name=\"countersign\" stopProcessing=\"true\">\n          \
                           <match url=\".*\" />\n          \
                           <conditions>\n            \
                             <add input=\"{input}\" pattern=\"{pattern}\" negate=\"true\" />\n          \
                           </conditions>\n          \
                           <action type=\"CustomResponse\" statusCode=\"403\" statusReason=\"Unknown certificate\" />\n        \
                         </rule>\n      \
                       </rules>\n    \
                     </rewrite>\n  \
                   </system.webServer>\n\
                 </configuration>"
            ),
        )
        .step(format!(
            "Let {} through on /rest/: see Request Filtering, and WebDAV, which takes PUT and DELETE for itself.",
            METHODS.join(", ")
        ))
        .limit("Revocation is checked by default, and a list that cannot be fetched refuses everybody (403.13).")
}
