//! Azure: API Management compares thumbprints by policy; Application Gateway verifies chains.

use super::{
    order::{METHODS, Order},
    sheet::Sheet,
    spelling,
};

pub(super) fn api_management(order: &Order<'_>) -> Sheet {
    let (test, words, field) = if order.pinned() {
        let pins: Vec<String> = order
            .both()
            .map(|(_, c)| spelling(order.product, c).text)
            .collect();
        ("", pins, "Thumbprint")
    } else {
        (
            "\n    || !context.Request.Certificate.Verify()",
            order.names(),
            "GetNameInfo(\n        X509NameType.DnsName, false)",
        )
    };
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("&quot;{word}&quot;"))
        .collect();
    Sheet::new(order.product)
        .step("On the custom domain: Negotiate client certificate = on.")
        .lines(
            "Into the inbound policy of the API; thumbprints are upper case, without colons and blanks:",
            "inbound-policy.xml",
            format!(
                "<choose>\n  \
                   <when condition=\"@(context.Request.Certificate == null{test}\n    \
                     || !(new [] {{\n      {} }}).Contains(\n      \
                       context.Request.Certificate.{field}))\">\n    \
                     <return-response>\n      \
                       <set-status code=\"403\" reason=\"Invalid client certificate\" />\n    \
                     </return-response>\n  \
                   </when>\n\
                 </choose>",
                words.join(",\n      ")
            ),
        )
        .step(format!(
            "Operations of the API: {} on /rest/*{}, no subscription key required.",
            METHODS.join(", "),
            match order.oauth {
                true => " and on /plugins/servlet/oauth/*",
                false => "",
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
        .limit("Thumbprints alone check no revocation.")
}

pub(super) fn application_gateway(order: &Order<'_>) -> Sheet {
    let generations: Vec<&str> = order.both().map(|(which, _)| which).collect();
    let trusted: Vec<_> = generations
        .iter()
        .map(|which| {
            format!(
                "${which} = New-AzApplicationGatewayTrustedClientCertificate `\n  \
                   -Name countersign-{which} -CertificateFile chain-{which}.pem"
            )
        })
        .collect();
    let variables: Vec<_> = generations
        .iter()
        .map(|which| format!("${which}"))
        .collect();
    Sheet::new(order.product)
        .step(format!(
            "Upload as trusted client CA certificates: {}. Each file holds exactly one root with all of its \
             intermediates, so that every generation has a file of its own.",
            order.anchors_in_words()
        ))
        .lines(
            "An SSL profile with all of them, for the listener of Jira:",
            "ssl-profile.ps1",
            format!(
                "{}\n\
                 $auth = New-AzApplicationGatewayClientAuthConfiguration `\n  \
                   -VerifyClientCertIssuerDN\n\
                 New-AzApplicationGatewaySslProfile -Name countersign `\n  \
                   -TrustedClientCertificates {} `\n  \
                   -ClientAuthConfiguration $auth",
                trusted.join("\n"),
                variables.join(", ")
            ),
        )
        .step(format!(
            "It compares the issuer, not the certificate: have a rewrite rule send {{var_{}}} to what stands \
             behind, and refuse there whoever is not {}.",
            match order.pinned() {
                true => "client_certificate_fingerprint",
                false => "client_certificate_subject",
            },
            match order.pinned() {
                true => order.list(" or ", |c| c.sha1.to_string()),
                false => order
                    .names()
                    .iter()
                    .map(|name| format!("CN={name}"))
                    .collect::<Vec<_>>()
                    .join(" or "),
            }
        ))
        .limit("A certificate alone, without an authority in the file, is refused by the upload.")
        .limit("Every refusal is answered with status 400; the access log says why (sslClientVerify).")
        .limit("Revocation is checked by OCSP only where it is switched on.")
        .limit_if(
            order.self_signed_leaf(),
            "A self-signed certificate is taken only when it is an authority (basicConstraints CA:TRUE), \
             which this one is not: it cannot be installed.",
        )
}
