//! Layer 4: one `countersign.toml`, raw to resolved.
//!
//! A configuration is validated whole, with everything that it points at, and refused whole: what was in
//! force stays in force. It names where secrets are and never holds one.

mod database;
mod files;
mod raw;
mod resolve;
mod token;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

pub use files::{ConfigFiles, DEFAULT_PATH};
pub use token::TokenConfig;

use crate::{
    delivery::Sink,
    model::{
        ConnectorName, Destination, EmailAddress, Environment, IdentityName, Issuer, IssuerName,
        Partner, PartnerName, PolicyName, audit::Digest, rotation::Scope,
    },
    policy::Policy,
    records::{Database, EngineKind},
};

/// Why a configuration cannot be used: all faults at once, each naming its place.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct ConfigFaults {
    /// The file.
    pub path: PathBuf,
    /// One sentence each.
    pub faults: Vec<String>,
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cannot be used: {}",
            self.path.display(),
            self.faults.join("; ")
        )
    }
}

/// How a store is opened without a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnlockSource {
    /// A person at the terminal types the passphrase.
    Terminal,
    /// The passphrase stands in a file that only we can read.
    PassphraseFile(PathBuf),
    /// A service manager hands the passphrase over, in this file.
    Credential(PathBuf),
    /// The key lies in a file that only we can read.
    KeyFile(PathBuf),
    /// A private key on a PKCS#11 token.
    Token(TokenConfig),
}

/// Where the store is and how it opens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreConfig {
    /// Its directory.
    pub path: PathBuf,
    /// How it opens.
    pub unlock: UnlockSource,
    /// The token that may open it, now or when somebody asks; without one, no module is loaded.
    pub token: Option<TokenConfig>,
    /// What a new store is kept with.
    pub engine: EngineKind,
    /// The database in which it lies, for machines that share it; `None`: in its directory.
    pub database: Option<Database>,
    /// The file, elsewhere, that knows how far it has come.
    pub witness: Option<PathBuf>,
}

/// How connections to the mail server are protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailSecurity {
    /// TLS from the first byte (RFC 8314), usually port 465.
    ImplicitTls,
    /// STARTTLS, required (RFC 3207), usually port 587.
    Starttls,
}

/// How letters are sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MailConfig {
    /// Our address, and that of the signing certificate.
    pub from: EmailAddress,
    /// The submission server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Never in the clear.
    pub security: MailSecurity,
    /// The name that its certificate must bear; the host's when nothing is said.
    pub server_name: Option<String>,
    /// Trust anchors for its certificate, DER; empty: the public roots.
    pub anchors: Vec<Vec<u8>>,
    /// The account, with the file that holds its password.
    pub login: Option<(String, PathBuf)>,
    /// What stands after the `@` of our Message-IDs.
    pub message_id_host: String,
}

/// A running program that presents an identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectorConfig {
    /// Where it calls; the identity is the one that is named there.
    pub destination: Destination,
    /// How the identity reaches it.
    pub sink: Sink,
}

/// A resolved configuration: everything that it points at has been read and understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// Where the store is.
    pub store: StoreConfig,
    /// To whom backups are encrypted when nothing else is said: age recipients.
    pub backup_recipients: Vec<String>,
    /// Where sockets lie: a directory of our own.
    pub runtime: PathBuf,
    /// How letters sign off.
    pub ops_name: String,
    /// Our organisation, as partners know it.
    pub ops_organization: Option<String>,
    /// Where answers are read, if not at the address that we write from.
    pub reply_to: Option<EmailAddress>,
    /// `None`: letters cannot be sent.
    pub mail: Option<MailConfig>,
    /// What certifies our keys.
    pub issuers: BTreeMap<IssuerName, Issuer>,
    /// Who verifies our identities.
    pub partners: BTreeMap<PartnerName, Partner>,
    /// What presents them.
    pub connectors: BTreeMap<ConnectorName, ConnectorConfig>,
    /// The shipped policies and those of the policy directory.
    pub policies: BTreeMap<PolicyName, Policy>,
    /// Where policies of one's own lie.
    pub policy_directory: Option<PathBuf>,
    /// The files that it was read from, without those that hold secrets, and what each held.
    pub sources: BTreeMap<PathBuf, Digest>,
}

impl Config {
    /// Reads and resolves the file at `path` with everything that it points at.
    pub fn load(path: &Path) -> Result<Self, ConfigFaults> {
        resolve::load(path)
    }

    /// The policies that the program brings along.
    pub fn shipped_policies() -> BTreeMap<PolicyName, Policy> {
        resolve::shipped()
    }

    /// The environment behind a destination.
    pub fn environment(&self, destination: &Destination) -> Option<(&Partner, &Environment)> {
        let partner = self.partners.get(&destination.partner)?;
        Some((partner, partner.environments.get(&destination.environment)?))
    }

    /// Every place at which an identity is trusted, and which.
    pub fn places(&self) -> impl Iterator<Item = (&IdentityName, Destination)> {
        self.partners.values().flat_map(|partner| {
            partner.environments.iter().map(|(kind, environment)| {
                let destination = Destination::new(partner.name.clone(), *kind);
                (&environment.identity, destination)
            })
        })
    }

    /// Every destination that names the identity.
    pub fn destinations_of<'a>(
        &'a self,
        identity: &'a IdentityName,
    ) -> impl Iterator<Item = Destination> + 'a {
        self.places()
            .filter(move |(at, _)| *at == identity)
            .map(|(_, destination)| destination)
    }

    /// What a rotation of the identity has to reach.
    pub fn scope_of(&self, identity: &IdentityName) -> Scope {
        let mut destinations: Vec<_> = self.destinations_of(identity).collect();
        destinations.sort();
        let connectors = self
            .connectors
            .iter()
            .filter(|(_, connector)| destinations.contains(&connector.destination))
            .map(|(name, connector)| (name.clone(), connector.destination.clone()))
            .collect();
        Scope {
            destinations,
            connectors,
        }
    }
}
