//! The identities that are presented, each good or bad in one way.

use countersign_peers::{Algorithm, Authority, Identity, Purpose, Request, Validity};

/// The name that gateways which look at names let in.
pub(super) const LISTED_NAME: &str = "connector.test";

/// In what an identity is good or bad.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Nothing,
    Good,
    UnderIntermediate,
    DualUse,
    UsageUnstated,
    ServerOnly,
    Expired,
    NotYetValid,
    Revoked,
    IntermediateMissing,
    Untrusted,
    SelfSigned,
    SelfSignedAuthority,
    /// Good, but where fingerprints or names are listed its own is missing.
    Unlisted,
}

impl Kind {
    pub(super) const ALL: [Self; 14] = [
        Self::Nothing,
        Self::Good,
        Self::UnderIntermediate,
        Self::DualUse,
        Self::UsageUnstated,
        Self::ServerOnly,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::IntermediateMissing,
        Self::Untrusted,
        Self::SelfSigned,
        Self::SelfSignedAuthority,
        Self::Unlisted,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Good => "good",
            Self::UnderIntermediate => "good, with its intermediate",
            Self::DualUse => "for clients and servers",
            Self::UsageUnstated => "no extended key usage",
            Self::ServerOnly => "for servers only",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::Revoked => "revoked",
            Self::IntermediateMissing => "intermediate not sent",
            Self::Untrusted => "of another authority",
            Self::SelfSigned => "self-signed",
            Self::SelfSignedAuthority => "self-signed, CA",
            Self::Unlisted => "good, not listed",
        }
    }

    /// Which keys it is tried with.
    fn keys(self) -> &'static [Algorithm] {
        match self {
            Self::Nothing => &[Algorithm::EcdsaP256],
            Self::Good => &[Algorithm::EcdsaP256, Algorithm::Rsa2048, Algorithm::Ed25519],
            _ => &[Algorithm::EcdsaP256, Algorithm::Rsa2048],
        }
    }

    fn request(self, algorithm: Algorithm) -> Request {
        let name = match self {
            Self::Unlisted => "another.test",
            _ => LISTED_NAME,
        };
        let purpose = match self {
            Self::DualUse => Purpose::ClientAndServer,
            Self::UsageUnstated => Purpose::Unstated,
            Self::ServerOnly => Purpose::Server,
            _ => Purpose::Client,
        };
        let mut request = Request::new(purpose, name);
        request.algorithm = algorithm;
        request.validity = match self {
            Self::Expired => Validity::Expired,
            Self::NotYetValid => Validity::NotYet,
            _ => Validity::Valid,
        };
        request.authority = self == Self::SelfSignedAuthority;
        request
    }
}

/// One identity, or none.
pub(super) struct Client {
    pub(super) kind: Kind,
    pub(super) key: Algorithm,
    pub(super) identity: Option<Identity>,
}

pub(super) fn key_name(key: Algorithm) -> &'static str {
    match key {
        Algorithm::EcdsaP256 => "P-256",
        Algorithm::Rsa2048 => "RSA",
        Algorithm::Ed25519 => "Ed25519",
    }
}

/// Every identity, with the authorities that certified them.
pub(super) struct Clients {
    pub(super) root: Authority,
    pub(super) issuing: Authority,
    pub(super) all: Vec<Client>,
}

impl Clients {
    pub(super) fn new() -> Self {
        let root = Authority::root("client root");
        let issuing = root.intermediate("client issuing CA");
        let other = Authority::root("another root");
        let identity = |kind: Kind, key| {
            let request = kind.request(key);
            match kind {
                Kind::Nothing => None,
                Kind::UnderIntermediate => Some(issuing.issue(&request)),
                Kind::IntermediateMissing => Some(issuing.issue(&request).without_intermediates()),
                Kind::Untrusted => Some(other.issue(&request)),
                Kind::SelfSigned | Kind::SelfSignedAuthority => Some(request.self_signed()),
                _ => Some(root.issue(&request)),
            }
        };
        let all = Kind::ALL
            .into_iter()
            .flat_map(|kind| kind.keys().iter().map(move |key| (kind, *key)))
            .map(|(kind, key)| Client {
                kind,
                key,
                identity: identity(kind, key),
            })
            .collect();
        Self { root, issuing, all }
    }

    /// The lists of both authorities.
    pub(super) fn revocation_lists(&self, validity: Validity) -> String {
        let revoked: Vec<_> = self
            .all
            .iter()
            .filter(|client| client.kind == Kind::Revoked)
            .filter_map(|client| client.identity.as_ref())
            .collect();
        self.root.revocation_list(&revoked, validity) + &self.issuing.revocation_list(&[], validity)
    }

    /// What stands in lists, each in a spelling of the gateway's own.
    pub(super) fn listed(&self, spell: fn(&Identity) -> String) -> Vec<String> {
        self.all
            .iter()
            .filter(|client| client.kind != Kind::Unlisted)
            .filter_map(|client| client.identity.as_ref().map(spell))
            .collect()
    }
}
