//! Short words for reports, by product: how it is made to ask, to trust, and to let the methods through.

use crate::model::GatewayProduct as Product;

/// What to look at in a product. Each completes a sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Words {
    /// How it comes to require a client certificate in the first handshake, and to verify it.
    pub ask: &'static str,
    /// How it comes to trust one.
    pub trust: &'static str,
    /// What decides there which methods and paths pass.
    pub methods: &'static str,
}

/// The words for a product.
pub const fn words(product: Product) -> Words {
    let (ask, trust, methods) = match product {
        Product::Apache => (
            "`SSLVerifyClient require` and `SSLCACertificateFile` for the virtual host, not inside a Location or Directory",
            "its issuing chain up to the root in `SSLCACertificateFile`, and its serial number or names in `Require expr` where they are compared; then reload",
            "see `<Limit>`, `<LimitExcept>`, `Require method` and `AllowMethods`",
        ),
        Product::ApigeeEdge => (
            "`clientAuthEnabled` with a truststore on the virtual host",
            "its chain as an alias of the truststore to which the virtual host refers",
            "see the proxy's base path and conditional flows",
        ),
        Product::ApigeeX => (
            "a ServerTlsPolicy with `REJECT_INVALID` and a TrustConfig on the load balancer",
            "its chain in the trust stores of the TrustConfig, or itself under `allowlistedCertificates`",
            "see the proxy's base path and conditional flows, and the load balancer's URL map",
        ),
        Product::AwsAlb => (
            "mutual authentication of the listener in verify mode, with a trust store",
            "its issuing chain up to the root in the bundle of the trust store",
            "see the listener's rules on paths and methods",
        ),
        Product::AwsApiGateway => (
            "`mutualTlsAuthentication` with a truststore on the custom domain, and the execute-api endpoint disabled",
            "its issuing chain up to the root in the truststore, a new version of which the custom domain names",
            "route ANY /rest/{proxy+}: a missing route is answered 403 \"Missing Authentication Token\"",
        ),
        Product::AzureApiManagement => (
            "\"Negotiate client certificate\" on the custom domain, and a policy that compares the thumbprint",
            "its thumbprint, SHA-1 in upper case without colons, in the policy, or the `.cer` uploaded",
            "define operations for all four methods on `/rest/*`",
        ),
        Product::AzureApplicationGateway => (
            "an SSL profile with trusted client CA certificates on the listener",
            "its issuing chain, one root with all its intermediates to a file, among the SSL profile's trusted client CA certificates",
            "see the WAF policy: its rules on methods, and exclusions for `/rest/`",
        ),
        Product::Caddy => (
            "`client_auth` with `mode require_and_verify` in the site's `tls`",
            "its issuing chain up to the root in `trusted_ca_cert_file`, and its SHA-256 in lower case where fingerprints are compared; then reload",
            "see the matchers on `method` and `path`",
        ),
        Product::Cloudflare => (
            "the host name associated with the CA, and a custom rule that blocks whoever is not `cf.tls_client_auth.cert_verified`",
            "its issuing authority uploaded and associated with the host name, and its SHA-256 in lower case in the custom rule",
            "see the custom rules, bot rules and challenges for `/rest/`",
        ),
        Product::Envoy => (
            "`require_client_certificate: true` and a validation context in the listener's TLS context",
            "its issuing chain in `trusted_ca`, and its SHA-256 in `verify_certificate_hash`",
            "see the routes' `:method` matchers and RBAC rules",
        ),
        Product::F5 => (
            "`peer-cert-mode require` in the client-ssl profile",
            "its issuing chain up to the root in the bundle of the client-ssl profile, and its serial number or name in the iRule",
            "see the security policy (ASM, Advanced WAF): allowed methods and URLs",
        ),
        Product::Haproxy => (
            "`verify required` and `ca-file` on the bind line",
            "its issuing chain up to the root (or itself, when it is self-signed) in `ca-file`, and where fingerprints are compared its fingerprint in upper case; then reload",
            "see `http-request deny` rules on `method`",
        ),
        Product::Iis => (
            "`SslNegotiateCert, SslRequireCert` for the whole site, and `clientcertnegotiation=enable` for http.sys",
            "its root in LocalMachine\\Root, its intermediates in LocalMachine\\CA, and its thumbprint or name in the rule",
            "see Request Filtering (verbs) and WebDAV, which takes PUT and DELETE for itself",
        ),
        Product::Istio => (
            "`mode: MUTUAL` for the server of the Gateway",
            "its issuing chain in the secret's `ca.crt`, and its SHA-256 in `verifyCertificateHash`",
            "see AuthorizationPolicies and the VirtualService's matches on methods",
        ),
        Product::Kong => (
            "the plugin `mtls-auth` (Enterprise) on the route, and `snis` that bring the request for a certificate into the handshake",
            "its issuing authorities under `/ca_certificates` and in the plugin's `ca_certificates`, and its name at the consumer",
            "see the route's `methods` and `paths`",
        ),
        Product::Nginx => (
            "`ssl_verify_client on` with `ssl_client_certificate` in the server block; with `optional_no_ca`, a rule that answers 403 to every fingerprint that is not listed",
            "its issuing chain up to the root (or itself, when it is self-signed) in `ssl_client_certificate`, and where fingerprints are compared its SHA-1 in lower case; then reload",
            "see `limit_except` and `if ($request_method …)`",
        ),
        Product::Traefik => (
            "`clientAuthType: RequireAndVerifyClientCert` in the tls options of every router of this host; where two routers of one host differ, the default options hold, which ask for nothing",
            "itself, or its issuing chain, in the `caFiles` of the tls options",
            "see the routers' `Method` and `PathPrefix` rules",
        ),
        Product::Other => (
            "require and verify a client certificate for the whole site",
            "install its issuing chain up to the root, and its fingerprint where fingerprints are compared",
            "see its rules on methods",
        ),
    };
    Words {
        ask,
        trust,
        methods,
    }
}
