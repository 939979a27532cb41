//! One certificate, many spellings: each product compares and shows fingerprints in its own.

use serde::{Deserialize, Serialize};

use crate::model::{CertificateFacts, GatewayProduct as Product};

/// A fingerprint as a product spells it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Spelling {
    /// What the spelling is called.
    pub name: String,
    /// The fingerprint.
    pub text: String,
}

/// The fingerprint of a certificate as this product spells it.
pub fn spelling(product: Product, certificate: &CertificateFacts) -> Spelling {
    let (name, text) = match product {
        Product::AzureApiManagement | Product::Iis => (
            "SHA-1 thumbprint, upper case, no colons",
            certificate.sha1.upper(),
        ),
        Product::Nginx => ("SHA-1, lower case", certificate.sha1.to_string()),
        Product::Haproxy => (
            "SHA-256, upper case, no colons",
            certificate.fingerprint.to_string().to_uppercase(),
        ),
        Product::Caddy | Product::Cloudflare | Product::Envoy | Product::Istio => (
            "SHA-256, lower case, no colons",
            certificate.fingerprint.to_string(),
        ),
        Product::Apache | Product::AwsAlb | Product::AwsApiGateway => {
            ("serial number, upper case", serial(certificate))
        }
        Product::F5 => (
            "serial number, with colons",
            grouped(&serial(certificate), ":"),
        ),
        Product::ApigeeEdge
        | Product::ApigeeX
        | Product::AzureApplicationGateway
        | Product::Kong
        | Product::Traefik
        | Product::Other => (
            "SHA-1, as many consoles show it",
            certificate.sha1.colon_upper(),
        ),
    };
    Spelling {
        name: name.to_owned(),
        text,
    }
}

/// As OpenSSL prints it: an even number of upper-case digits.
pub(super) fn serial(certificate: &CertificateFacts) -> String {
    certificate.serial.to_string().to_uppercase()
}

/// `0A1B` as `0A:1B`.
pub(super) fn grouped(digits: &str, between: &str) -> String {
    let pairs: Vec<_> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect();
    pairs.join(between)
}
