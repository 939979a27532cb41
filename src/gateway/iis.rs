//! IIS and ARR: required for the site, and negotiated in the first handshake by http.sys.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let conditions: Vec<_> = if order.pinned() {
        order
            .both()
            .map(|(_, c)| spelling::grouped(&spelling::serial(c), "-"))
            .map(|serial| condition("{CERT_SERIALNUMBER}", &format!("^{serial}$")))
            .collect()
    } else {
        // Windows quotes values that hold commas: nothing quoted may stand before the name.
        order
            .names()
            .iter()
            .map(|name| name.replace('.', "[.]").replace('*', "[*]"))
            .map(|name| condition("{CERT_SUBJECT}", &format!("^([^&quot;]*, )?CN={name}(,|$)")))
            .collect()
    };
    Sheet::new(order.product)
        .step(format!(
            "Into the store of the machine: {}. Roots go to LocalMachine\\Root, and only self-signed ones may lie \
             there (otherwise everybody is refused with 403.16); intermediates go to LocalMachine\\CA.",
            order.anchors_in_words()
        ))
        .lines(
            "Have the certificate asked for in the first handshake; asked for late, our side cannot answer:",
            "http-sys.cmd",
            format!(
                "netsh http update sslcert ^\n  \
                   hostnameport={}:443 ^\n  \
                   certhash=SERVERTHUMBPRINT certstorename=MY ^\n  \
                   appid={{4dc3e181-e14b-4a21-b022-59fc669b0914}} ^\n  \
                   clientcertnegotiation=enable",
                order.host
            ),
        )
        .lines(
            "For the site:",
            "web.config",
            format!(
                "<configuration>\n \
                   <system.webServer>\n  \
                     <security>\n   \
                       <access sslFlags=\"Ssl, SslNegotiateCert, SslRequireCert\" />\n  \
                     </security>\n  \
                     <rewrite>\n   \
                       <rules>\n    \
                         <rule name=\"countersign\" stopProcessing=\"true\">\n     \
                           <match url=\".*\" />\n     \
                           <conditions>\n      \
                             {}\n     \
                           </conditions>\n     \
                           <action type=\"CustomResponse\" statusCode=\"403\"\n      \
                             statusReason=\"Unknown certificate\" />\n    \
                         </rule>\n   \
                       </rules>\n  \
                     </rewrite>\n \
                   </system.webServer>\n\
                 </configuration>",
                conditions.join("\n      ")
            ),
        )
        .step(format!(
            "Let {} through on {}: see Request Filtering, and WebDAV, which takes PUT and DELETE for itself.",
            METHODS.join(", "),
            order.paths_in_words()
        ))
        .limit_if(
            order.pinned(),
            "Rules see no thumbprint. Compare {CERT_SERIALNUMBER} in a trace of a failed request with the rule \
             before you rely on it: the order of its bytes was not seen.",
        )
        .limit("Revocation is checked by default, and a list that cannot be fetched refuses everybody (403.13).")
}

/// Of the conditions of a rule all have to hold: whoever is none of these is refused.
fn condition(input: &str, pattern: &str) -> String {
    format!("<add input=\"{input}\" negate=\"true\"\n       pattern=\"{pattern}\" />")
}
