//! Traefik: `tls.options` in the dynamic configuration. It compares neither names nor fingerprints, so it is given the
//! certificates themselves, and no authority.

use super::{
    order::{METHODS, Order},
    sheet::{Bundle, Sheet},
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let any = |function: &str, words: &[&str]| {
        let words: Vec<_> = words
            .iter()
            .map(|word| format!("{function}(`{word}`)"))
            .collect();
        format!("({})", words.join(" ||\n        "))
    };
    let mut sheet = Sheet::new(order.product);
    sheet.bundle = Bundle::Certificates;
    sheet
        .step(format!(
            "Save as /etc/traefik/countersign/clients.pem: {}, without an authority. Go takes a certificate \
             for its own anchor, and so nobody else of the same authority comes in.",
            match order.present {
                Some(_) => "both certificates themselves",
                None => "the certificate itself",
            }
        ))
        .lines(
            "Into the dynamic configuration; `jira` is your service:",
            "countersign.yaml",
            format!(
                "tls:\n  \
                   options:\n    \
                     countersign:\n      \
                       minVersion: VersionTLS12\n      \
                       clientAuth:\n        \
                         caFiles: [/etc/traefik/countersign/clients.pem]\n        \
                         clientAuthType: RequireAndVerifyClientCert\n\
                 http:\n  \
                   routers:\n    \
                     countersign:\n      \
                       rule: >-\n        \
                         Host(`{}`) &&\n        \
                         {} &&\n        \
                         {}\n      \
                       service: jira\n      \
                       tls:\n        \
                         options: countersign",
                order.host,
                any("PathPrefix", order.paths()),
                any("Method", &METHODS)
            ),
        )
        .limit(
            "Two routers of one host with different tls options: Traefik falls back to the default options, \
             which ask for no certificate. Our probe tries a stranger's for that reason.",
        )
        .limit(
            "It compares neither names nor fingerprints: with an authority in clients.pem everybody whom it \
             certifies comes in. A new certificate is work here even when the authority stays.",
        )
        .limit("It reads clients.pem when the dynamic configuration changes, not when the file does.")
        .limit("It checks no revocation.")
}
