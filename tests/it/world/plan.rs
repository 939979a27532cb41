//! What an installation looks like: `countersign.toml`, its policy, its identity.

use std::net::SocketAddr;

use super::IDENTITY;

/// Days are seconds here; the gates are those of the shipped policies.
const POLICY: &str = r#"
name = "quick"
description = "Seconds instead of days"
[key]
algorithm = "ecdsa-p256"
allowed = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072"]
[certificate]
validity = "30d"
max-validity = "398d"
min-remaining = "1d"
[lead-time]
issuance = "1s"
delivery = "1s"
partner-answer = "1s"
change-window = "1s"
soak = "1s"
margin = "1s"
[exchange]
respond-within = "1d"
remind-every = "1d"
reminders = 2
code-lifetime = "1d"
[probe]
every = "1s"
controls = true
verbs = true
[activation]
canary = "0s"
drain = "20s"
confirm-within = "180s"
[retire]
proof = "refused"
every = "1s"
[retry]
first = "1s"
most = "2s"
"#;

/// What makes rotations go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drive {
    /// The daemon.
    Daemon,
    /// The daemon, and each one dies at its first append to a journal.
    DyingDaemon,
    /// `renew`, again and again.
    Cron,
    /// The same, and every run is killed at its first append to a journal.
    Killed,
    /// The daemons of two machines that share a store.
    #[cfg_attr(not(feature = "fault-injection"), allow(dead_code))]
    Pair,
}

/// A store in a database, for the machines `left` and `right`.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// The host, as the configuration names it.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// More lines of `[store.postgres]`.
    pub(crate) more: String,
}

/// What is configured. Change what matters, then make a world of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What makes rotations go on.
    pub(crate) drive: Drive,
    /// The kind of the issuer `own`, which certifies the identity: local-ca, self-signed or partner-ca.
    pub(crate) issuer: &'static str,
    /// The gateway's product, as letters are to be written for it. The gateway is nginx in any case.
    pub(crate) gateway: &'static str,
    /// Whether gateway and connector speak TLS 1.3; else TLS 1.2.
    pub(crate) tls13: bool,
    /// The kind of the identity's keys.
    pub(crate) key: &'static str,
    /// The contact's address.
    pub(crate) contact: String,
    /// Whether the contact's certificate is on file, so that letters are encrypted.
    pub(crate) encrypted: bool,
    /// The tables of the connectors.
    pub(crate) connectors: String,
    /// The text of the policy `quick`.
    pub(crate) policy: String,
    /// Where the store lies, if two machines share it.
    pub(crate) shared: Option<Shared>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            drive: Drive::Daemon,
            issuer: "local-ca",
            gateway: "nginx",
            tls13: false,
            key: "ecdsa-p256",
            contact: "sec@acme.test".to_owned(),
            encrypted: true,
            connectors: Self::connector("poller", "kind = \"socket\""),
            policy: POLICY.to_owned(),
            shared: None,
        }
    }
}

impl Plan {
    /// The table of a connector.
    pub(crate) fn connector(name: &str, delivery: &str) -> String {
        format!(
            "[connector.{name}]\ndestination = \"{}\"\n[connector.{name}.delivery]\n{delivery}\n",
            super::DESTINATION
        )
    }

    /// The issuer of the identity: `ca` certifies the signer in any case.
    pub(crate) fn issuer_name(&self) -> &'static str {
        if self.issuer == "local-ca" {
            "ca"
        } else {
            "own"
        }
    }

    /// The command that adds the identity.
    pub(crate) fn identity_add(&self) -> Vec<&str> {
        vec![
            "identity",
            "add",
            IDENTITY,
            "--issuer",
            self.issuer_name(),
            "--policy",
            "quick",
            "--name",
            "connector.align.test",
            "--key",
            self.key,
        ]
    }

    /// What is said about the store of a machine.
    fn store(&self, machine: &str) -> String {
        let Some(Shared { host, port, more }) = &self.shared else {
            return "[store]\npath = \"store\"\nkey-file = \"store.key\"".to_owned();
        };
        format!(
            r#"
[store]
path = "{machine}-store"
key-file = "store.key"
engine = "postgres"
[store.postgres]
host = "{host}"
port = {port}
password-file = "database.password"
machine = "{machine}"
{more}
[daemon]
runtime = "{machine}-run"
"#
        )
    }

    /// The text of `countersign.toml`, of the machine of this name if there are several.
    pub(crate) fn configuration(
        &self,
        gateway: SocketAddr,
        mail: SocketAddr,
        machine: &str,
    ) -> String {
        let own = match self.issuer {
            "local-ca" => String::new(),
            kind => {
                format!("[issuer.own]\nkind = \"{kind}\"\napproved-domains = [\"align.test\"]\n")
            }
        };
        format!(
            r#"
{store}
[ops]
name = "Align Ops"
organization = "Align"
[mail]
from = "ops@align.test"
host = "127.0.0.1"
port = {mail_port}
security = "starttls"
server-name = "mail.test"
anchors = "mail-root.pem"
[policies]
directory = "policies"
[issuer.ca]
kind = "local-ca"
approved-domains = ["align.test"]
{own}
[partner.acme]
title = "Acme Inc."
[[partner.acme.contact]]
name = "Jo Doe"
email = "{contact}"
role = "jira-sec"
{certificate}
[partner.acme.production]
identity = "{IDENTITY}"
endpoint = "https://gateway.test:{port}"
anchors = "gateway-root.pem"
gateway = "{product}"
tls13 = {tls13}
resolve = ["{gateway}"]
{connectors}
"#,
            store = self.store(machine),
            mail_port = mail.port(),
            contact = self.contact,
            certificate = if self.encrypted {
                "certificate = \"contact.pem\""
            } else {
                ""
            },
            port = gateway.port(),
            product = self.gateway,
            tls13 = self.tls13,
            connectors = self.connectors,
        )
    }
}
