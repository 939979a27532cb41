//! Who mends what, and how: in the words of the product that stands in front of Jira.

use crate::model::{GatewayProduct, Role};

/// What there is to mend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Matter {
    /// Our own request cannot be made.
    Request,
    /// The name does not resolve.
    Name,
    /// The port does not answer, or only to others.
    Port,
    /// No common TLS version or suite.
    Parameters,
    /// The server's chain is bad for everybody.
    ServerChain,
    /// The server's chain ends at none of our anchors.
    Anchors,
    /// No certificate is asked for.
    Ask,
    /// The certificate is asked for after the handshake.
    AskEarly,
    /// Our certificate is not trusted there.
    Trust,
    /// Our certificate is unfit: expired, revoked, not for clients.
    Certificate,
    /// Our certificate is within its period, and the gateway thinks otherwise.
    Clock,
    /// Our key is of a kind that the gateway takes no signatures from.
    KeyType,
    /// There was nothing to present.
    Present,
    /// Anybody is let in.
    Strangers,
    /// Another authentication at the gateway.
    SecondAuthentication,
    /// The path, or the request, is not let through.
    Route,
    /// Not every method is let through.
    Methods,
    /// Single sign-on or a login page answers.
    SingleSignOn,
    /// The gateway does not reach Jira.
    Behind,
    /// Only the gateway's log can tell.
    Log,
}

impl Matter {
    /// Who can mend it.
    pub(super) fn owner(self) -> Role {
        match self {
            Self::Request | Self::Anchors | Self::Certificate | Self::KeyType | Self::Present => {
                Role::Ops
            }
            Self::SingleSignOn => Role::JiraMgr,
            _ => Role::JiraSec,
        }
    }

    /// What the owner should do.
    pub(super) fn remedy(self, gateway: GatewayProduct) -> String {
        let text = match self {
            Self::Request => {
                "correct the endpoint, its anchors or the identity in the configuration"
            }
            Self::Name => {
                "publish the endpoint's name in public DNS, or tell us the address to dial"
            }
            Self::Port => {
                "let our egress addresses through the firewall to this port, and make sure that the gateway listens there"
            }
            Self::Parameters => {
                "enable TLS 1.2 with one of ECDHE-RSA or ECDHE-ECDSA with AES-128-GCM or AES-256-GCM"
            }
            Self::ServerChain => {
                "install a server certificate that is valid, names this host and comes with its intermediates"
            }
            Self::Anchors => {
                "compare the issuer that was seen with the anchors of this environment; if it is a TLS-inspecting proxy, have the endpoint exempted, for mutual TLS cannot pass one"
            }
            Self::Ask => {
                return format!(
                    "have client certificates required in the handshake: {}",
                    ask(gateway)
                );
            }
            Self::AskEarly => {
                return format!(
                    "have the client certificate asked for in the first handshake, for the whole site: {}",
                    ask(gateway)
                );
            }
            Self::Trust => {
                return format!(
                    "trust the certificate that was presented: {}",
                    trust(gateway)
                );
            }
            Self::Certificate => {
                "issue a certificate that is within its validity, not revoked, and has clientAuth among its extended key usages; then offer it"
            }
            Self::Clock => {
                "set the gateway's clock, and renew the revocation lists that it reads: OpenSSL says of a list that is out of date what it says of a certificate"
            }
            Self::KeyType => {
                "issue with another kind of key: ECDSA P-256 or RSA are taken nearly everywhere"
            }
            Self::Present => "probe with an identity",
            Self::Strangers => {
                return format!(
                    "have client certificates verified, not only asked for: {}",
                    ask(gateway)
                );
            }
            Self::SecondAuthentication => {
                "remove the gateway's own authentication from /rest/**: beyond the handshake it must ask for nothing"
            }
            Self::Route => {
                "let GET, POST, PUT and DELETE on /rest/** through to Jira, and exempt it from request filters"
            }
            Self::Methods => {
                return format!(
                    "let GET, POST, PUT and DELETE on /rest/** through to Jira: {}",
                    methods(gateway)
                );
            }
            Self::SingleSignOn => {
                "exempt /rest/** from single sign-on, which a connector cannot answer"
            }
            Self::Behind => {
                "look at the gateway's connection to Jira: address, port, and Jira's own certificate"
            }
            Self::Log => "look for the probe's id in the gateway's log and say what it did",
        };
        text.to_owned()
    }
}

fn ask(gateway: GatewayProduct) -> &'static str {
    match gateway {
        GatewayProduct::Nginx => {
            "`ssl_verify_client on` with `ssl_client_certificate` in the server block; with `optional_no_ca`, a rule that answers 403 to every fingerprint that is not listed"
        }
        GatewayProduct::Haproxy => "`verify required` and `ca-file` on the bind line",
        GatewayProduct::Apache => {
            "`SSLVerifyClient require` and `SSLCACertificateFile` for the virtual host, not inside a Location or Directory"
        }
        GatewayProduct::Envoy => {
            "`require_client_certificate: true` and a validation context in the listener's TLS context"
        }
        GatewayProduct::Apigee => {
            "`clientAuthEnabled` with a truststore on the virtual host (Edge), or a TrustConfig that rejects on the load balancer (X)"
        }
        GatewayProduct::AzureApiManagement => {
            "\"Negotiate client certificate\" on the custom domain, and a policy that compares the thumbprint"
        }
        GatewayProduct::Other => "require and verify a client certificate for the whole site",
    }
}

fn trust(gateway: GatewayProduct) -> &'static str {
    match gateway {
        GatewayProduct::Nginx => {
            "its issuing chain up to the root (or itself, when it is self-signed) in `ssl_client_certificate`, and where fingerprints are compared its SHA-1 in lower case; then reload"
        }
        GatewayProduct::Haproxy => {
            "its issuing chain up to the root (or itself, when it is self-signed) in `ca-file`, and where fingerprints are compared its fingerprint in upper case; then reload"
        }
        GatewayProduct::Apache => {
            "its issuing chain up to the root in `SSLCACertificateFile`, and its names in `Require expr` where they are compared; then reload"
        }
        GatewayProduct::Envoy => {
            "its issuing chain in `trusted_ca`, or its SHA-256 in `verify_certificate_hash`"
        }
        GatewayProduct::Apigee => {
            "its chain in the truststore to which the virtual host refers (Edge), or in the TrustConfig or its allow-list (X)"
        }
        GatewayProduct::AzureApiManagement => {
            "its thumbprint, SHA-1 in upper case without colons, in the policy, or the `.cer` uploaded"
        }
        GatewayProduct::Other => {
            "install its issuing chain up to the root, and its fingerprint where fingerprints are compared"
        }
    }
}

fn methods(gateway: GatewayProduct) -> &'static str {
    match gateway {
        GatewayProduct::Nginx => "see `limit_except` and `if ($request_method …)`",
        GatewayProduct::Haproxy => "see `http-request deny` rules on `method`",
        GatewayProduct::Apache => "see `<Limit>`, `<LimitExcept>` and `AllowMethods`",
        GatewayProduct::Envoy => "see the routes' `:method` matchers and RBAC rules",
        GatewayProduct::Apigee => "see the proxy's conditional flows",
        GatewayProduct::AzureApiManagement => "define operations for all four methods on `/rest/*`",
        GatewayProduct::Other => "see its rules on methods",
    }
}
