//! Apigee: Edge verifies against truststores, X against the trust configuration of Google's load balancer.

use super::{
    order::Order,
    sheet::{Bundle, Sheet},
};

pub(super) fn edge(order: &Order<'_>) -> Sheet {
    let (variable, words) = if order.pinned() {
        let pins: Vec<String> = order.both().map(|(_, c)| c.sha1.to_string()).collect();
        ("tls.client.cert.fingerprint", pins)
    } else {
        ("tls.client.s.dn", order.names())
    };
    let unknown: Vec<String> = words
        .iter()
        .map(|word| match order.pinned() {
            true => format!("{variable} !=\n      \"{word}\""),
            // The whole subject: a part of it could stand in somebody else's.
            false => format!("{variable} !=\n      \"CN={word}\""),
        })
        .collect();
    Sheet::new(order.product)
        .step(format!(
            "Create a new truststore and put every authority in as an alias of its own, the present \
             generation's too: {}.",
            order.anchors_in_words()
        ))
        .step(
            "Point the reference that the virtual host uses (TrustStore ref://...) at the new truststore. No \
             restart is needed. A virtual host that names its truststore directly needs Apigee's support.",
        )
        .lines(
            "The virtual host then says:",
            "virtual-host.json",
            "{\n  \
               \"propagateTLSInformation\": {\n    \
                 \"clientProperties\": true,\n    \
                 \"connectionProperties\": true\n  \
               },\n  \
               \"sSLInfo\": {\n    \
                 \"enabled\": \"true\",\n    \
                 \"clientAuthEnabled\": \"true\",\n    \
                 \"trustStore\": \"ref://countersign-trust\"\n  \
               }\n\
             }",
        )
        .lines(
            "First in the proxy's PreFlow, for the truststore admits whomever the authority certifies:",
            "preflow-step.xml",
            format!(
                "<Step>\n  \
                   <Condition>\n    {}\n  </Condition>\n  \
                   <Name>RaiseFault-Unknown-Certificate</Name>\n\
                 </Step>",
                unknown.join(" and\n    ")
            ),
        )
        .step(format!(
            "In the proxy: base path /rest{}, one flow without a condition on the method, and neither \
             VerifyAPIKey nor an OAuth policy.",
            match order.oauth {
                true => " (and another proxy for /plugins/servlet/oauth)",
                false => "",
            }
        ))
        .limit_if(
            !order.pinned(),
            "The condition compares the whole subject: where a certificate says more than its common name, write \
             the subject as a trace shows it.",
        )
        .limit("It checks no revocation.")
        .limit_if(
            order.self_signed(),
            "Edge Cloud takes no self-signed certificate: this one cannot be installed.",
        )
}

pub(super) fn x(order: &Order<'_>) -> Sheet {
    let mut sheet = Sheet::new(order.product);
    let trusted = if order.pinned() {
        sheet.bundle = Bundle::Certificates;
        let one = |which: &str| {
            format!(
                "- pemCertificate: |\n    \
                   -----BEGIN CERTIFICATE-----\n    \
                   the {which} certificate itself\n    \
                   -----END CERTIFICATE-----"
            )
        };
        let all: Vec<_> = order.both().map(|(which, _)| one(which)).collect();
        format!("allowlistedCertificates:\n{}", all.join("\n"))
    } else {
        "trustStores:\n\
         - trustAnchors:\n  \
           - pemCertificate: |\n      \
               -----BEGIN CERTIFICATE-----\n      \
               each root, an entry of its own\n      \
               -----END CERTIFICATE-----\n  \
           intermediateCas:\n  \
           - pemCertificate: |\n      \
               -----BEGIN CERTIFICATE-----\n      \
               each intermediate authority, an entry of its own\n      \
               -----END CERTIFICATE-----"
            .to_owned()
    };
    sheet = if order.pinned() {
        sheet.step(
            "The TrustConfig lists the certificates themselves. They are taken whoever issued them, expired \
             ones too: the present one has to be taken out when we write that it may go.",
        )
    } else {
        sheet.step(format!(
            "The TrustConfig holds the authorities, the present generation's too: {}.",
            order.anchors_in_words()
        ))
    };
    sheet = sheet
        .lines(
            "gcloud certificate-manager trust-configs import countersign --location=global --source=:",
            "trust-config.yaml",
            trusted,
        )
        .lines(
            "gcloud network-security server-tls-policies import countersign --location=global --source=; then \
             name it in the load balancer's target HTTPS proxy:",
            "server-tls-policy.yaml",
            "mtlsPolicy:\n  \
               clientValidationMode: REJECT_INVALID\n  \
               clientValidationTrustConfig:\n    \
                 projects/PROJECT/locations/global/trustConfigs/countersign",
        )
        .step(format!(
            "In the Apigee proxy: base path /rest{}, one flow without a condition on the method, and neither \
             VerifyAPIKey nor an OAuth policy.",
            match order.oauth {
                true => " (and another proxy for /plugins/servlet/oauth)",
                false => "",
            }
        ));
    if !order.pinned() {
        let names: Vec<_> = order
            .names()
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect();
        sheet = sheet.step(format!(
            "The load balancer compares no names: have it send {{client_cert_dnsname_sans}} as a header, which it \
             overwrites if the client sends one, and raise a fault in the proxy unless it names {}.",
            names.join(" or ")
        ));
    }
    sheet.limit("It checks no revocation.")
}
