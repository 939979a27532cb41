//! Names that may stand in file names, Message-IDs, URLs and log lines without being quoted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest name, that of a DNS label.
const LONGEST: usize = 63;

/// A text that is no name.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "`{text}` is no name of {what}: use 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit"
)]
pub struct InvalidName {
    /// What it should have named.
    pub what: &'static str,
    /// What was given.
    pub text: String,
}

fn checked(what: &'static str, text: &str) -> Result<String, InvalidName> {
    let fine = !text.is_empty()
        && text.len() <= LONGEST
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if fine {
        Ok(text.to_owned())
    } else {
        Err(InvalidName {
            what,
            text: super::one_line(text),
        })
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                checked($what, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

names! {
    /// A running program that presents an identity.
    ConnectorName = "a connector";
    /// The client as partners know it (SPIFFE: workload identity); outlives its keys.
    IdentityName = "an identity";
    /// What certifies our keys.
    IssuerName = "an issuer";
    /// An organisation that verifies our identity (RFC 5280: relying party).
    PartnerName = "a partner";
    /// A named list of rules.
    PolicyName = "a policy";
}

/// Test or production: never mixed, never inferred from a URL.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentKind {
    /// Comes first: whatever is proven, is proven here before production.
    Test,
    /// Where the work is done.
    Production,
}

impl EnvironmentKind {
    /// The word used in configuration and letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for EnvironmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EnvironmentKind {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text {
            "test" => Ok(Self::Test),
            "production" => Ok(Self::Production),
            _ => Err(InvalidName {
                what: "an environment (`test` or `production`)",
                text: super::one_line(text),
            }),
        }
    }
}

/// A partner's environment: where an identity is to be trusted. Written `partner/environment`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    /// Test before production in every ordered list.
    pub environment: EnvironmentKind,
    /// Whose environment.
    pub partner: PartnerName,
}

impl Destination {
    /// The environment of that partner.
    pub fn new(partner: PartnerName, environment: EnvironmentKind) -> Self {
        Self {
            environment,
            partner,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.partner, self.environment))
    }
}

impl FromStr for Destination {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (partner, environment) = text.split_once('/').ok_or_else(|| InvalidName {
            what: "a destination (`partner/test` or `partner/production`)",
            text: super::one_line(text),
        })?;
        Ok(Self::new(partner.parse()?, environment.parse()?))
    }
}

impl TryFrom<String> for Destination {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_climb_or_inject_is_refused() {
        for bad in [
            "",
            "../x",
            "a b",
            "a\r\nBcc: x",
            "-a",
            "A",
            "a/b",
            "ä",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<PartnerName>().is_err(), "{bad:?}");
        }
        assert!("acme-2".parse::<PartnerName>().is_ok());
    }

    #[test]
    fn a_destination_reads_back_and_test_comes_first() {
        let production: Destination = "acme/production".parse().unwrap();
        let test: Destination = "zeta/test".parse().unwrap();
        assert_eq!(
            production.to_string().parse::<Destination>().unwrap(),
            production
        );
        assert!(test < production);
    }
}
