//! Apigee: Edge verifies against truststores, X against the trust configuration of Google's load balancer.

use super::{
    order::Order,
    sheet::{Sheet, Tried},
};

pub(super) fn edge(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(Tried::Written)
        .step(format!(
            "Create a new truststore and put both generations in, each as an alias of its own: {}.",
            order.anchors_in_words()
        ))
        .step(
            "Point the reference that the virtual host uses (TrustStore ref://...) at the new truststore. No \
             restart is needed. A virtual host that names its truststore directly needs Apigee's support.",
        )
        .lines(
            "The virtual host then says:",
            "virtual-host-ssl-info.json",
            "\"sSLInfo\": {\n  \
               \"enabled\": \"true\",\n  \
               \"clientAuthEnabled\": \"true\",\n  \
               \"trustStore\": \"ref://countersign-trust\"\n\
             }",
        )
        .step(format!(
            "In the proxy: base path /rest{}, one flow without a condition on the method, and neither \
             VerifyAPIKey nor an OAuth policy. Compare {} by a condition on {}.",
            if order.oauth {
                " (and one for /plugins/servlet/oauth)"
            } else {
                ""
            },
            if order.pinned() {
                format!(
                    "the fingerprint ({})",
                    order.list(" or ", |c| c.sha1.to_string())
                )
            } else {
                format!("the name ({})", order.names().join(", "))
            },
            if order.pinned() {
                "tls.client.cert.fingerprint (the virtual host has propagateTLSInformation)"
            } else {
                "tls.client.s.dn (the virtual host has propagateTLSInformation)"
            }
        ))
        .limit("It checks no revocation.");
    match order.self_signed() {
        true => sheet.limit("Edge Cloud takes no self-signed certificate: this one cannot be installed."),
        false => sheet,
    }
}

pub(super) fn x(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(Tried::Written);
    let sheet = if order.pinned() {
        sheet.step(
            "In the TrustConfig, list both certificates themselves under allowlistedCertificates \
             (pemCertificate each). They are taken whoever issued them, expired ones too; remove the old one \
             when we write that it may go.",
        )
    } else {
        sheet.step(format!(
            "In the TrustConfig, trustStores: trust anchors and intermediate authorities from {}.",
            order.anchors_in_words()
        ))
    };
    let sheet = sheet
        .lines(
            "The load balancer's ServerTlsPolicy:",
            "server-tls-policy.yaml",
            "name: countersign\n\
             mtlsPolicy:\n  \
               clientValidationMode: REJECT_INVALID\n  \
               clientValidationTrustConfig: projects/PROJECT/locations/global/trustConfigs/countersign",
        )
        .step(
            "In the Apigee proxy: base path /rest, one flow without a condition on the method, and neither \
             VerifyAPIKey nor an OAuth policy.",
        );
    let sheet = if order.pinned() {
        sheet
    } else {
        sheet.limit(format!(
            "The load balancer compares no names: forward client_cert_dnsname_sans as a header, and \
             refuse in the proxy whoever is not {}.",
            order.names().join(", ")
        ))
    };
    sheet.limit("It checks no revocation.")
}
