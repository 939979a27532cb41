//! A directory with everything that an operator would have written: configuration, policy, anchors, key file.
//! It is gone when the story ends.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::DemoError;

/// Our own mailbox.
pub(super) const OPS: &str = "ops@vendor.example";
/// The contact at the partner.
pub(super) const JIRA_SEC: &str = "jira-sec@acme.example";
/// What is rotated.
pub(super) const IDENTITY: &str = "jira-align";
/// By what it is certified.
pub(super) const ISSUER: &str = "local-ca";
/// By what rules.
pub(super) const POLICY: &str = "in-a-hurry";
/// What presents it.
pub(super) const CONNECTOR: &str = "align-1";

/// Everybody in this story answers at once, so waiting is counted in seconds. Nothing else differs from the
/// policies that are shipped.
const POLICY_TEXT: &str = r#"
name = "in-a-hurry"
description = "A partner who answers within seconds: for the demonstration only"

[key]
algorithm = "ecdsa-p256"

[certificate]
validity = "30d"

[gates]
acknowledgement = "required"
probe = "required"

[lead-time]
issuance = "1s"
delivery = "1s"
partner-answer = "1s"
change-window = "0s"
soak = "1s"
margin = "1s"

[exchange]
code-lifetime = "1h"

[probe]
every = "1s"
controls = true
verbs = true

[activation]
canary = "0s"
drain = "10s"
confirm-within = "30s"

[retire]
proof = "refused"
every = "1s"

[retry]
first = "1s"
most = "2s"
"#;

/// The directory.
pub(super) struct Home(TempDir);

impl Home {
    /// An empty one, for us alone.
    pub(super) fn new() -> Result<Self, DemoError> {
        tempfile::Builder::new()
            .prefix("countersign-demo-")
            .tempdir()
            .map(Self)
            .map_err(|source| file("make a directory in", &std::env::temp_dir(), source))
    }

    /// Writes down what an operator would: who the partner is, where they are reached, what verifies them.
    pub(super) fn furnish(&self, surroundings: &Surroundings<'_>) -> Result<(), DemoError> {
        self.write("servers.pem", surroundings.anchor_pem)?;
        self.write("jira-sec.pem", surroundings.contact_pem)?;
        let policies = self.path("policies");
        fs::create_dir(&policies).map_err(|source| file("make", &policies, source))?;
        self.write(&format!("policies/{POLICY}.toml"), POLICY_TEXT)?;
        self.write("countersign.toml", &configuration(surroundings))
    }

    /// The configuration.
    pub(super) fn configuration(&self) -> PathBuf {
        self.path("countersign.toml")
    }

    /// The key file of the store.
    pub(super) fn key_file(&self) -> PathBuf {
        self.path("store.key")
    }

    /// The store.
    pub(super) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Removes everything.
    pub(super) fn leave(self) -> Result<(), DemoError> {
        let path = self.0.path().to_owned();
        self.0
            .close()
            .map_err(|source| file("remove", &path, source))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let path = self.path(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut open| open.write_all(text.as_bytes()))
            .map_err(|source| file("write", &path, source))
    }
}

/// What the configuration has to say of the peers.
pub(super) struct Surroundings<'a> {
    /// What verifies both servers.
    pub(super) anchor_pem: &'a str,
    /// The S/MIME certificate of the contact.
    pub(super) contact_pem: &'a str,
    /// The mail server.
    pub(super) mail: SocketAddr,
    /// The gateway.
    pub(super) gateway: SocketAddr,
    /// The URL of Jira.
    pub(super) jira: &'a str,
}

fn configuration(around: &Surroundings<'_>) -> String {
    let Surroundings {
        mail,
        gateway,
        jira,
        ..
    } = around;
    format!(
        r#"
[store]
path = "store"
key-file = "store.key"

[daemon]
runtime = "run"

[ops]
name = "Vendor Operations"

[mail]
from = "{OPS}"
host = "{}"
port = {}
security = "starttls"
server-name = "localhost"
anchors = "servers.pem"

[issuer.{ISSUER}]
kind = "local-ca"
approved-domains = ["vendor.example"]

[partner.acme]
title = "Acme"

[[partner.acme.contact]]
name = "Jira Sec"
email = "{JIRA_SEC}"
role = "jira-sec"
certificate = "jira-sec.pem"

[partner.acme.production]
identity = "{IDENTITY}"
endpoint = "{jira}"
resolve = ["{gateway}"]
anchors = "servers.pem"
gateway = "nginx"
pin = "certificate"

[connector.{CONNECTOR}]
destination = "acme/production"
delivery = {{ kind = "socket" }}

[policies]
directory = "policies"
"#,
        mail.ip(),
        mail.port()
    )
}

fn file(operation: &'static str, path: &Path, source: io::Error) -> DemoError {
    DemoError::File {
        operation,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, demo::tls::ServerAuthority};

    #[test]
    fn what_is_written_is_a_configuration_and_is_gone_afterwards() {
        let anchor = ServerAuthority::new(jiff::Timestamp::UNIX_EPOCH).unwrap();
        let home = Home::new().unwrap();
        home.furnish(&Surroundings {
            anchor_pem: anchor.anchor_pem(),
            contact_pem: anchor.anchor_pem(),
            mail: "127.0.0.1:25".parse().unwrap(),
            gateway: "127.0.0.1:443".parse().unwrap(),
            jira: "https://localhost:443",
        })
        .unwrap();
        let config = Config::load(&home.configuration()).unwrap();
        assert!(config.policies.contains_key(&POLICY.parse().unwrap()));
        let scope = config.scope_of(&IDENTITY.parse().unwrap());
        assert_eq!((scope.destinations.len(), scope.connectors.len()), (1, 1));
        assert_eq!(config.store.path, home.store());
        let path = home.configuration();
        home.leave().unwrap();
        assert!(!path.parent().unwrap().exists());
    }
}
