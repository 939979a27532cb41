//! Who mends what, and how: in the words of the product that stands in front of Jira, of which `crate::gateway` knows.

use crate::{
    gateway::words,
    model::{GatewayProduct, Role},
};

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
    /// Our certificate is trusted there together with an intermediate that was not sent.
    Intermediate,
    /// Our certificate is trusted there without what was sent above it.
    LeafAlone,
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
            Self::Request
            | Self::Anchors
            | Self::Certificate
            | Self::Intermediate
            | Self::KeyType
            | Self::LeafAlone
            | Self::Present => Role::Ops,
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
                    words(gateway).ask
                );
            }
            Self::AskEarly => {
                return format!(
                    "have the client certificate asked for in the first handshake, for the whole site: {}",
                    words(gateway).ask
                );
            }
            Self::Trust => {
                return format!(
                    "trust the certificate that was presented: {}",
                    words(gateway).trust
                );
            }
            Self::Certificate => {
                "issue a certificate that is within its validity, not revoked, and has clientAuth among its extended key usages; then offer it"
            }
            Self::Intermediate => {
                "present the certificate together with that intermediate: import or adopt it with its whole chain, or have the gateway's side install the intermediate beside its root"
            }
            Self::LeafAlone => {
                "present the certificate without the intermediates above it: import or adopt it with a chain that the gateway knows"
            }
            Self::Clock => {
                "set the gateway's clock, and renew the revocation lists that it reads: OpenSSL says of a list that is out of date what it says of a certificate"
            }
            Self::KeyType => {
                "issue with a kind of key that the gateway takes: RSA is taken everywhere, ECDSA P-256 nearly so"
            }
            Self::Present => "probe with an identity",
            Self::Strangers => {
                return format!(
                    "have client certificates verified, not only asked for: {}",
                    words(gateway).ask
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
                    words(gateway).methods
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
