//! What is to be installed, and where.

use crate::model::{CertificateFacts, GatewayProduct, PinType};

/// The methods that the connector uses.
pub(super) const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// Everything that a sheet is made from.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What stands in front of Jira.
    pub product: GatewayProduct,
    /// What it compares.
    pub pin: PinType,
    /// The host name under which it is called.
    pub host: &'a str,
    /// The generation that is to be trusted.
    pub new: &'a CertificateFacts,
    /// The one that is presented today and stays trusted for now.
    pub present: Option<&'a CertificateFacts>,
    /// What the gateway verifies the chain with.
    pub anchors: Anchors<'a>,
    /// Whether OAuth 1.0a is used, which has paths of its own.
    pub oauth: bool,
}

/// The certificates at which the chain may end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Anchors<'a> {
    /// A file of ours holds all of them, those of the present generation included.
    All {
        /// Its name.
        file: &'a str,
    },
    /// A file of ours holds those of the new generation; what is installed already stays beside them.
    New {
        /// Its name.
        file: &'a str,
    },
    /// The partner's own authority issued the certificate, and the partner has it.
    Theirs {
        /// The issuer as RFC 4514 text.
        issuer: &'a str,
    },
}

/// A name that cannot stand in a configuration.
#[derive(Debug, Clone, Eq, PartialEq, thiserror::Error)]
#[error("`{name}` cannot be written into a gateway's configuration: it is not a host name")]
pub struct UnfitName {
    /// The name, made fit to be shown.
    pub name: String,
}

impl<'a> Order<'a> {
    /// The new generation and, beside it, the present one.
    pub(super) fn both(&self) -> impl Iterator<Item = (&'static str, &'a CertificateFacts)> {
        std::iter::once(("new", self.new)).chain(self.present.map(|p| ("present", p)))
    }

    /// A line for each generation.
    pub(super) fn each(&self, line: impl Fn(&str, &CertificateFacts) -> String) -> String {
        self.both()
            .map(|(which, certificate)| line(which, certificate))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The generations' words with something between them.
    pub(super) fn list(&self, between: &str, word: impl Fn(&CertificateFacts) -> String) -> String {
        self.both()
            .map(|(_, certificate)| word(certificate))
            .collect::<Vec<_>>()
            .join(between)
    }

    /// The certificates are their own authorities.
    pub(super) fn self_signed(&self) -> bool {
        self.new.self_issued
    }

    /// The very certificates are compared, not their authority and name.
    pub(super) fn pinned(&self) -> bool {
        self.pin == PinType::Certificate
    }

    /// Names of the certificates, each once.
    pub(super) fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self
            .both()
            .flat_map(|(_, certificate)| certificate.dns_names.iter().map(String::as_str))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Beginnings of the paths that are let through.
    pub(super) fn paths(&self) -> &'static [&'static str] {
        match self.oauth {
            true => &["/rest/", "/plugins/servlet/oauth/"],
            false => &["/rest/"],
        }
    }

    /// What goes into the gateway's file of authorities, in words.
    pub(super) fn anchors_in_words(&self) -> String {
        let why = match self.self_signed() {
            true => "a self-signed certificate is its own authority",
            false => "authorities up to the root; the certificate itself is no anchor",
        };
        match self.anchors {
            Anchors::All { file } => format!("{file} ({why})"),
            Anchors::New { file } if self.present.is_some() => {
                format!("{file} ({why}), added to what is there, which stays")
            }
            Anchors::New { file } => format!("{file} ({why})"),
            Anchors::Theirs { issuer } => format!(
                "the certificates of {} and its root",
                crate::model::one_line(issuer)
            ),
        }
    }

    pub(super) fn check(&self) -> Result<(), UnfitName> {
        let unfit = |name: &&str| !is_host_name(name);
        match std::iter::once(self.host).chain(self.names()).find(unfit) {
            Some(name) => Err(UnfitName {
                name: crate::model::one_line(name),
            }),
            None => Ok(()),
        }
    }
}

/// Letters, digits and hyphens between dots, perhaps with a wildcard in front; or an address.
fn is_host_name(name: &str) -> bool {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let bracketed = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']'));
    if bracketed.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()) {
        return true;
    }
    !bare.is_empty()
        && bare.len() <= 253
        && bare.split('.').all(|label| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        })
}
