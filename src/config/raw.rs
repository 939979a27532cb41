//! The text of `countersign.toml`, word for word.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{MailSecurity, token::RawToken};
use crate::delivery::ReloadSignal;
use crate::model::{
    ConnectorName, Destination, EmailAddress, GatewayProduct, IdentityName, IssuerKind, IssuerName,
    Lapse, PartnerName, PinType, Role,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawConfig {
    #[serde(default)]
    pub(super) store: RawStore,
    #[serde(default)]
    pub(super) backup: RawBackup,
    #[serde(default)]
    pub(super) daemon: RawDaemon,
    pub(super) ops: RawOps,
    pub(super) mail: Option<RawMail>,
    #[serde(default)]
    pub(super) issuer: BTreeMap<IssuerName, RawIssuer>,
    #[serde(default)]
    pub(super) partner: BTreeMap<PartnerName, RawPartner>,
    #[serde(default)]
    pub(super) connector: BTreeMap<ConnectorName, RawConnector>,
    #[serde(default)]
    pub(super) policies: RawPolicies,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawStore {
    pub(super) path: Option<PathBuf>,
    pub(super) passphrase_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) credential: Option<String>,
    pub(super) token: Option<RawToken>,
    pub(super) witness: Option<PathBuf>,
    pub(super) engine: Option<RawEngine>,
    pub(super) postgres: Option<RawPostgres>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawEngine {
    Redb,
    Sled,
    Postgres,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPostgres {
    pub(super) host: RawHosts,
    pub(super) port: Option<u16>,
    pub(super) database: Option<String>,
    pub(super) user: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) anchors: Option<PathBuf>,
    pub(super) machine: Option<String>,
    pub(super) lease: Option<Lapse>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawHosts {
    One(String),
    Several(Vec<String>),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawBackup {
    #[serde(default)]
    pub(super) recipients: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawDaemon {
    pub(super) runtime: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawOps {
    pub(super) name: String,
    pub(super) organization: Option<String>,
    pub(super) reply_to: Option<EmailAddress>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawMail {
    pub(super) from: EmailAddress,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) security: MailSecurity,
    pub(super) server_name: Option<String>,
    pub(super) anchors: Option<PathBuf>,
    #[serde(default)]
    pub(super) public_roots: bool,
    pub(super) user: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) message_id_host: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawIssuer {
    pub(super) kind: IssuerKind,
    pub(super) approved_domains: Vec<String>,
    pub(super) anchors: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPartner {
    pub(super) title: String,
    #[serde(default)]
    pub(super) contact: Vec<RawContact>,
    pub(super) test: Option<RawEnvironment>,
    pub(super) production: Option<RawEnvironment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawContact {
    pub(super) name: String,
    pub(super) email: EmailAddress,
    pub(super) role: Role,
    pub(super) phone: Option<String>,
    pub(super) certificate: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawEnvironment {
    pub(super) identity: IdentityName,
    pub(super) endpoint: String,
    pub(super) anchors: PathBuf,
    pub(super) gateway: GatewayProduct,
    #[serde(default = "certificate")]
    pub(super) pin: PinType,
    #[serde(default)]
    pub(super) oauth: bool,
    #[serde(default)]
    pub(super) tls13: bool,
    #[serde(default)]
    pub(super) resolve: Vec<SocketAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawConnector {
    pub(super) destination: Destination,
    pub(super) delivery: RawDelivery,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub(super) enum RawDelivery {
    Socket(RawSocket),
    Bundle(RawFiles),
    Directory(RawFiles),
}

/// A socket has nothing to be said about it; what is said all the same is a mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSocket {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawFiles {
    pub(super) path: PathBuf,
    pub(super) owner: Option<u32>,
    pub(super) group: Option<u32>,
    pub(super) mode: Option<String>,
    pub(super) reload: Option<RawReload>,
    pub(super) report: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawReload {
    pub(super) command: Option<Vec<String>>,
    pub(super) limit: Option<Lapse>,
    pub(super) signal: Option<ReloadSignal>,
    pub(super) pid_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPolicies {
    pub(super) directory: Option<PathBuf>,
}

fn certificate() -> PinType {
    PinType::Certificate
}
