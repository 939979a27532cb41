//! What stands in front of a partner's Jira. How each product is configured is known to `crate::gateway`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A product; decides spellings, configurations and remedies.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayProduct {
    /// Apache httpd.
    Apache,
    /// Apigee Edge, hosted by Google; once, `apigee` alone meant it.
    #[serde(alias = "apigee")]
    ApigeeEdge,
    /// Apigee X, behind Google's load balancer.
    ApigeeX,
    /// AWS Application Load Balancer.
    AwsAlb,
    /// AWS API Gateway.
    AwsApiGateway,
    /// Azure API Management.
    AzureApiManagement,
    /// Azure Application Gateway v2.
    AzureApplicationGateway,
    /// Caddy.
    Caddy,
    /// Cloudflare.
    Cloudflare,
    /// Envoy.
    Envoy,
    /// F5 BIG-IP.
    F5,
    /// HAProxy.
    Haproxy,
    /// Microsoft IIS, with Application Request Routing.
    Iis,
    /// Istio's ingress gateway.
    Istio,
    /// Kong Gateway.
    Kong,
    /// nginx.
    Nginx,
    /// Traefik.
    Traefik,
    /// Anything else: what is needed is said in general words.
    Other,
}

impl GatewayProduct {
    /// All of them, by name; what is none of the others last.
    pub const ALL: [Self; 18] = [
        Self::Apache,
        Self::ApigeeEdge,
        Self::ApigeeX,
        Self::AwsAlb,
        Self::AwsApiGateway,
        Self::AzureApiManagement,
        Self::AzureApplicationGateway,
        Self::Caddy,
        Self::Cloudflare,
        Self::Envoy,
        Self::F5,
        Self::Haproxy,
        Self::Iis,
        Self::Istio,
        Self::Kong,
        Self::Nginx,
        Self::Traefik,
        Self::Other,
    ];

    /// As configurations and commands name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apache => "apache",
            Self::ApigeeEdge => "apigee-edge",
            Self::ApigeeX => "apigee-x",
            Self::AwsAlb => "aws-alb",
            Self::AwsApiGateway => "aws-api-gateway",
            Self::AzureApiManagement => "azure-api-management",
            Self::AzureApplicationGateway => "azure-application-gateway",
            Self::Caddy => "caddy",
            Self::Cloudflare => "cloudflare",
            Self::Envoy => "envoy",
            Self::F5 => "f5",
            Self::Haproxy => "haproxy",
            Self::Iis => "iis",
            Self::Istio => "istio",
            Self::Kong => "kong",
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Other => "other",
        }
    }
}

/// As people call it.
impl fmt::Display for GatewayProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Apache => "Apache httpd",
            Self::ApigeeEdge => "Apigee Edge",
            Self::ApigeeX => "Apigee X",
            Self::AwsAlb => "AWS Application Load Balancer",
            Self::AwsApiGateway => "AWS API Gateway",
            Self::AzureApiManagement => "Azure API Management",
            Self::AzureApplicationGateway => "Azure Application Gateway",
            Self::Caddy => "Caddy",
            Self::Cloudflare => "Cloudflare",
            Self::Envoy => "Envoy",
            Self::F5 => "F5 BIG-IP",
            Self::Haproxy => "HAProxy",
            Self::Iis => "IIS",
            Self::Istio => "Istio",
            Self::Kong => "Kong",
            Self::Nginx => "nginx",
            Self::Traefik => "Traefik",
            Self::Other => "the gateway",
        })
    }
}

/// A name that no product has.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "`{text}` is no gateway product: `countersign gateway list` names them, and `other` is for the rest"
)]
pub struct UnknownGateway {
    /// What was given.
    pub text: String,
}

impl FromStr for GatewayProduct {
    type Err = UnknownGateway;
    fn from_str(text: &str) -> Result<Self, UnknownGateway> {
        let text = if text == "apigee" {
            "apigee-edge"
        } else {
            text
        };
        Self::ALL
            .into_iter()
            .find(|product| product.name() == text)
            .ok_or_else(|| UnknownGateway {
                text: super::one_line(text),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_has_one_name_in_configurations_commands_and_records() {
        for product in GatewayProduct::ALL {
            let quoted = format!("\"{}\"", product.name());
            assert_eq!(serde_json::to_string(&product).unwrap(), quoted);
            assert_eq!(
                serde_json::from_str::<GatewayProduct>(&quoted).unwrap(),
                product
            );
            assert_eq!(product.name().parse::<GatewayProduct>().unwrap(), product);
        }
        assert!("big-ip".parse::<GatewayProduct>().is_err());
    }

    #[test]
    fn what_was_written_when_there_was_one_apigee_still_reads() {
        let read: GatewayProduct = serde_json::from_str("\"apigee\"").unwrap();
        assert_eq!(read, GatewayProduct::ApigeeEdge);
        assert_eq!("apigee".parse::<GatewayProduct>().unwrap(), read);
    }
}
