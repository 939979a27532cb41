//! One certificate, many spellings: each product compares and shows fingerprints in its own.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::model::{CertificateFacts, GatewayProduct as Product};

/// A fingerprint as a product spells it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Spelling {
    /// What the spelling is called.
    pub name: &'static str,
    /// The fingerprint.
    pub text: String,
}

/// The fingerprint of a certificate as this product spells it.
pub fn spelling(product: Product, certificate: &CertificateFacts) -> Spelling {
    let (name, text) = match product {
        Product::AzureApiManagement | Product::Iis => {
            ("SHA-1 thumbprint, upper case, no colons", certificate.sha1.upper())
        }
        Product::Nginx => ("SHA-1, lower case", certificate.sha1.to_string()),
        Product::Haproxy => (
            "SHA-256, upper case, no colons",
            certificate.fingerprint.to_string().to_uppercase(),
        ),
        Product::Caddy | Product::Cloudflare | Product::Envoy | Product::Istio => (
            "SHA-256, lower case, no colons",
            certificate.fingerprint.to_string(),
        ),
        Product::Apache => ("serial number, upper case", serial(certificate)),
        Product::ApigeeX | Product::AwsAlb | Product::AwsApiGateway => (
            "SHA-256, as openssl shows it",
            certificate.fingerprint.colon_upper(),
        ),
        Product::ApigeeEdge
        | Product::AzureApplicationGateway
        | Product::F5
        | Product::Kong
        | Product::Traefik
        | Product::Other => (
            "SHA-1, as many consoles show it",
            certificate.sha1.colon_upper(),
        ),
    };
    Spelling { name, text }
}

/// As OpenSSL prints it: an even number of upper-case digits.
pub(super) fn serial(certificate: &CertificateFacts) -> String {
    certificate.serial.to_string().to_uppercase()
}

/// SHA-256 of the SubjectPublicKeyInfo in base64, as RFC 7469 §2.4 and Envoy write it.
pub(super) fn public_key(certificate: &CertificateFacts) -> String {
    STANDARD.encode(certificate.key_id.as_bytes())
}
