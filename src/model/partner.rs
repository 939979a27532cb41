//! The other side: an organisation, its people by role, and its environments.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{EnvironmentKind, GatewayProduct, IdentityName, PartnerName};

/// The four roles of the onboarding.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The partner's security and network owner: installs our certificate at the gateway.
    JiraSec,
    /// The partner's Jira administrator: owns the proxy account and Jira's logs.
    JiraMgr,
    /// Configures the connector.
    JiraAlignAdmin,
    /// Us.
    Ops,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::JiraSec => "Jira Sec",
            Self::JiraMgr => "Jira Mgr",
            Self::JiraAlignAdmin => "Jira Align Admin",
            Self::Ops => "Ops",
        })
    }
}

/// A mailbox address (RFC 5321 §4.1.2), ASCII, kept in lower case.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is no e-mail address.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "`{text}` is no e-mail address: `name@domain` is wanted, without display name, quotes or spaces"
)]
pub struct InvalidEmailAddress {
    /// What was given.
    pub text: String,
}

impl FromStr for EmailAddress {
    type Err = InvalidEmailAddress;
    fn from_str(text: &str) -> Result<Self, InvalidEmailAddress> {
        let word = |part: &str, extra: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.ends_with('.')
                && !part.contains("..")
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        match text.rsplit_once('@') {
            Some((local, domain))
                if text.len() <= 254
                    && word(local, ".!#$%&'*+/=?^_`{|}~-")
                    && word(domain, ".-") =>
            {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(InvalidEmailAddress {
                text: super::one_line(text),
            }),
        }
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidEmailAddress;
    fn try_from(text: String) -> Result<Self, InvalidEmailAddress> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

/// A person or mailbox on file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact {
    /// How letters address them.
    pub name: String,
    /// Where letters go and acknowledgements come from.
    pub email: EmailAddress,
    /// What they answer for.
    pub role: Role,
    /// For reading a fingerprint back; never taken from a mail.
    pub phone: Option<String>,
    /// Their S/MIME certificate, DER: letters are encrypted to it and signed replies verified with it.
    pub certificate: Option<Vec<u8>>,
}

/// What the gateway compares: decides whether a rotation needs work by the partner.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinType {
    /// The very certificate: every rotation is their work.
    Certificate,
    /// Our issuing authority and our name.
    Authority,
}

/// An environment at a partner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Environment {
    /// The identity that it is to trust.
    pub identity: IdentityName,
    /// Base URL of Jira as the connector calls it, `https` only.
    pub endpoint: String,
    /// Trust anchors for the *server's* chain, DER. Never empty, never the system's.
    pub anchors: Vec<Vec<u8>>,
    /// What stands in front.
    pub gateway: GatewayProduct,
    /// What it compares.
    pub pin: PinType,
    /// Whether OAuth 1.0a is used, which has paths outside `/rest/`.
    pub oauth: bool,
    /// Whether the connector may speak TLS 1.3; the Jira connector may not.
    pub tls13: bool,
    /// Addresses to dial instead of what DNS says, for endpoints behind split DNS.
    pub resolve: Vec<std::net::SocketAddr>,
}

/// An organisation that verifies our identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partner {
    /// Our name for it.
    pub name: PartnerName,
    /// How letters call it.
    pub title: String,
    /// The people on file.
    pub contacts: Vec<Contact>,
    /// Its environments.
    pub environments: BTreeMap<EnvironmentKind, Environment>,
}

impl Partner {
    /// Those who answer for `role`.
    pub fn contacts_for(&self, role: Role) -> impl Iterator<Item = &Contact> {
        self.contacts
            .iter()
            .filter(move |contact| contact.role == role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_could_inject_a_header_is_refused() {
        for bad in [
            "a@b\r\nBcc: c@d",
            "\"x y\"@b.c",
            "a b@c.d",
            "@b",
            "a@",
            "a..b@c.d",
            "a@b>,<c@d",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
        let sec: EmailAddress = "Jira.Sec+keys@Acme.example".parse().unwrap();
        assert_eq!(
            (sec.as_str(), sec.domain()),
            ("jira.sec+keys@acme.example", "acme.example")
        );
    }
}
