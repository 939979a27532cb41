//! Azure: API Management compares thumbprints by policy; Application Gateway verifies chains.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
    spelling,
};

pub(super) fn api_management(order: &Order<'_>) -> Sheet {
    let known = if order.pinned() {
        let pins = order.list(", ", |c| {
            format!("&quot;{}&quot;", spelling(order.product, c).text)
        });
        format!("!(new [] {{ {pins} }}).Contains(context.Request.Certificate.Thumbprint)")
    } else {
        let names: Vec<_> = order
            .names()
            .iter()
            .map(|name| format!("&quot;{name}&quot;"))
            .collect();
        format!(
            "!context.Request.Certificate.Verify()\n        \
             || !(new [] {{ {} }}).Contains(context.Request.Certificate.GetNameInfo(X509NameType.DnsName, false))",
            names.join(", ")
        )
    };
    Sheet::new(Tried::Written)
        .step("On the custom domain: Negotiate client certificate = on.")
        .lines(
            "Into the inbound policy of the API; thumbprints are upper case, without colons and blanks:",
            "inbound-policy.xml",
            format!(
                "<choose>\n  \
                   <when condition=\"@(context.Request.Certificate == null\n        \
                     || {known})\">\n    \
                     <return-response>\n      \
                       <set-status code=\"403\" reason=\"Invalid client certificate\" />\n    \
                     </return-response>\n  \
                   </when>\n\
                 </choose>"
            ),
        )
        .step(format!(
            "Operations of the API: {} on /rest/*{}, no subscription key required.",
            METHODS.join(", "),
            if order.oauth {
                " and on /plugins/servlet/oauth/*"
            } else {
                ""
            }
        ))
        .step(format!(
            "Where Verify() or the chain is used, upload as a CA certificate: {}.",
            order.anchors_in_words()
        ))
        .limit(
            "Thumbprints in the policy must be upper case; copied from Windows' certificate dialog they may \
             begin with an invisible character.",
        )
        .limit("Without \"Negotiate client certificate\" it asks late, and bodies over some 60 KB hang or fail.")
}

pub(super) fn application_gateway(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(Tried::Written)
        .step(format!(
            "Upload as a trusted client CA certificate: {}. Each file holds exactly one root with all of its \
             intermediates; the present generation's chain stays beside the new one.",
            order.anchors_in_words()
        ))
        .lines(
            "An SSL profile with both, for the listener of Jira:",
            "ssl-profile.ps1",
            "$new = New-AzApplicationGatewayTrustedClientCertificate -Name countersign-new -CertificateFile clients.pem\n\
             $auth = New-AzApplicationGatewayClientAuthConfiguration -VerifyClientCertIssuerDN\n\
             New-AzApplicationGatewaySslProfile -Name countersign -TrustedClientCertificates $new `\n  \
               -ClientAuthConfiguration $auth",
        )
        .step(format!(
            "It compares the issuer, not the certificate: add a rewrite rule or a WAF custom rule that refuses \
             whoever's {} is not {}.",
            if order.pinned() {
                "{var_client_certificate_fingerprint}"
            } else {
                "{var_client_certificate_subject}"
            },
            if order.pinned() {
                order.list(" or ", |c| c.sha1.to_string())
            } else {
                order.names().join(" or ")
            }
        ))
        .limit("A certificate alone, without an authority in the file, is refused by the upload.")
        .limit("Every refusal is answered with status 400; the access log says why (sslClientVerify).")
        .limit("Revocation is checked by OCSP only where it is switched on.");
    match order.self_signed() && !order.new.is_ca {
        true => sheet.limit(
            "A self-signed certificate is taken only when it is an authority (basicConstraints CA:TRUE), \
             which this one is not: it cannot be installed.",
        ),
        false => sheet,
    }
}
