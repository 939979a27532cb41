//! Raw to resolved: reads what the text points at, and collects every fault.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Config, ConfigFaults, ConnectorConfig, MailConfig, MailSecurity, StoreConfig, UnlockSource,
    files::{DEFAULT_RUNTIME, directory_of},
    raw::{
        RawConfig, RawConnector, RawDelivery, RawEnvironment, RawFiles, RawIssuer, RawMail,
        RawPartner, RawReload, RawSocket, RawStore,
    },
};
use crate::{
    delivery::{FileSink, Reload, Sink},
    model::{
        Contact, Destination, Environment, EnvironmentKind, Issuer, IssuerKind, IssuerName, Lapse,
        Partner, PartnerName, PolicyName, Role, audit::Digest,
    },
    pki::{self, digest_of},
    policy::{self, Policy},
    records::BackupRecipients,
};

/// The policies that the program brings along.
const SHIPPED: [(&str, &str); 3] = [
    (
        "authority-pinned",
        include_str!("../../policies/authority-pinned.toml"),
    ),
    (
        "jira-connector",
        include_str!("../../policies/jira-connector.toml"),
    ),
    (
        "strict-change-control",
        include_str!("../../policies/strict-change-control.toml"),
    ),
];

/// No configuration, anchor or policy file is larger than this many bytes.
const LARGEST: u64 = 1 << 20;

/// The policies that the program brings along, read.
pub(super) fn shipped() -> BTreeMap<PolicyName, Policy> {
    SHIPPED
        .iter()
        .filter_map(|(stem, text)| Policy::from_toml(stem, text).ok())
        .map(|p| (p.name.clone(), p))
        .collect()
}

pub(super) fn load(path: &Path) -> Result<Config, ConfigFaults> {
    let fail = |faults| ConfigFaults {
        path: path.to_owned(),
        faults,
    };
    let text = read(path).map_err(|fault| fail(vec![fault]))?;
    let raw: RawConfig =
        toml::from_str(&text).map_err(|error| fail(vec![policy::place(&text, &error)]))?;
    let mut resolving = Resolving {
        directory: directory_of(path),
        faults: Vec::new(),
        sources: BTreeMap::from([(path.to_owned(), digest_of(text.as_bytes()))]),
    };
    let config = resolving.config(path, raw);
    if resolving.faults.is_empty() {
        Ok(config)
    } else {
        Err(fail(resolving.faults))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let fault = |error: std::io::Error| format!("{}: {error}", path.display());
    let length = fs::metadata(path).map_err(fault)?.len();
    if length > LARGEST {
        return Err(format!(
            "{}: {length} bytes are more than the {LARGEST} that are read",
            path.display()
        ));
    }
    fs::read_to_string(path).map_err(fault)
}

pub(super) struct Resolving<'a> {
    directory: &'a Path,
    faults: Vec<String>,
    sources: BTreeMap<PathBuf, Digest>,
}

impl Resolving<'_> {
    fn config(&mut self, path: &Path, raw: RawConfig) -> Config {
        let policy_directory = raw.policies.directory.map(|p| self.path(p));
        let policies = self.policies(policy_directory.as_deref());
        let partners: BTreeMap<_, _> = raw
            .partner
            .into_iter()
            .map(|(name, partner)| (name.clone(), self.partner(name, partner)))
            .collect();
        let connectors = raw
            .connector
            .into_iter()
            .filter_map(|(name, connector)| {
                let place = format!("connector.{name}");
                self.known(&place, &connector.destination, &partners);
                Some((name, self.connector(&place, connector)?))
            })
            .collect();
        let issuers = raw
            .issuer
            .into_iter()
            .map(|(name, issuer)| {
                let place = format!("issuer.{name}");
                (name.clone(), self.issuer(&place, name, issuer))
            })
            .collect();
        Config {
            path: path.to_owned(),
            store: self.store(raw.store),
            backup_recipients: self.recipients(raw.backup.recipients),
            runtime: self.path(raw.daemon.runtime.unwrap_or_else(|| DEFAULT_RUNTIME.into())),
            ops_name: self.line("ops.name", raw.ops.name),
            ops_organization: raw
                .ops
                .organization
                .map(|text| self.line("ops.organization", text)),
            reply_to: raw.ops.reply_to,
            mail: raw.mail.map(|mail| self.mail(mail)),
            issuers,
            partners,
            connectors,
            policies,
            policy_directory,
            sources: std::mem::take(&mut self.sources),
        }
    }

    pub(super) fn fault(&mut self, place: &str, fault: impl std::fmt::Display) {
        self.faults.push(format!("{place}: {fault}"));
    }

    pub(super) fn path(&self, path: PathBuf) -> PathBuf {
        self.directory.join(path)
    }

    /// A text that is put into letters: one line, no control characters.
    fn line(&mut self, place: &str, text: String) -> String {
        if text.is_empty() || text.chars().any(char::is_control) || text.len() > 200 {
            self.fault(place, "1 to 200 characters on one line are wanted");
        }
        text
    }

    pub(super) fn anchors(&mut self, place: &str, path: PathBuf) -> Vec<Vec<u8>> {
        let path = self.path(path);
        let certificates = fs::read(&path)
            .map_err(|error| format!("{}: {error}", path.display()))
            .and_then(|bytes| {
                self.sources.insert(path.clone(), digest_of(&bytes));
                pki::pem::certificates_from_pem(&bytes)
                    .map_err(|error| format!("{}: {error}", path.display()))
            });
        match certificates {
            Ok(certificates) => certificates,
            Err(fault) => {
                self.fault(place, fault);
                Vec::new()
            }
        }
    }

    fn store(&mut self, raw: RawStore) -> StoreConfig {
        let credential = raw
            .credential
            .map(|name| self.credential("store.credential", &name));
        let token = raw.token.map(|token| self.token(token));
        let said = [
            raw.passphrase_file
                .map(|path| UnlockSource::PassphraseFile(self.path(path))),
            credential.map(UnlockSource::Credential),
            raw.key_file
                .map(|path| UnlockSource::KeyFile(self.path(path))),
        ];
        let mut said = said.into_iter().flatten();
        // A token beside one of these is there for those who ask for it.
        let unlock = said.next().unwrap_or_else(|| {
            let token = token.clone().map(UnlockSource::Token);
            token.unwrap_or(UnlockSource::Terminal)
        });
        if said.next().is_some() {
            self.fault(
                "store",
                "choose one of passphrase-file, credential and key-file",
            );
        }
        let (engine, database) = self.engine(raw.engine, raw.postgres);
        let path = self.path(raw.path.unwrap_or_else(|| "store".into()));
        let witness = raw.witness.map(|witness| self.path(witness));
        if witness
            .as_ref()
            .is_some_and(|witness| witness.starts_with(&path))
        {
            let fault = "it lies in the store: whoever puts an old store in place would put it there as well";
            self.fault("store.witness", fault);
        }
        StoreConfig {
            path,
            unlock,
            token,
            engine,
            database,
            witness,
        }
    }

    fn recipients(&mut self, names: Vec<String>) -> Vec<String> {
        if let Err(error) = BackupRecipients::parse(&names) {
            self.fault("backup.recipients", error);
        }
        names
    }

    fn mail(&mut self, raw: RawMail) -> MailConfig {
        let anchors = match (raw.anchors, raw.public_roots) {
            (Some(path), false) => self.anchors("mail.anchors", path),
            (None, true) => Vec::new(),
            _ => {
                self.fault("mail", "say by whom the server's certificate is verified: anchors = \"ca.pem\", or public-roots = true");
                Vec::new()
            }
        };
        let login = match (raw.user, raw.password_file) {
            (Some(user), Some(file)) => Some((user, self.path(file))),
            (None, None) => None,
            _ => {
                self.fault("mail", "user and password-file go together");
                None
            }
        };
        let port = raw.port.unwrap_or(match raw.security {
            MailSecurity::ImplicitTls => 465,
            MailSecurity::Starttls => 587,
        });
        MailConfig {
            message_id_host: raw
                .message_id_host
                .unwrap_or_else(|| raw.from.domain().to_owned()),
            from: raw.from,
            host: self.line("mail.host", raw.host),
            port,
            security: raw.security,
            server_name: raw.server_name,
            anchors,
            login,
        }
    }

    fn issuer(&mut self, place: &str, name: IssuerName, raw: RawIssuer) -> Issuer {
        let no_domain = |domain: &String| {
            domain.is_empty() || domain.starts_with('.') || domain.contains(['*', ' ', '/'])
        };
        if raw.approved_domains.is_empty() || raw.approved_domains.iter().any(no_domain) {
            self.fault(
                place,
                "approved-domains: name at least one domain in which names may lie, like `align.example`",
            );
        }
        if raw.anchors.is_some() && raw.kind != IssuerKind::PartnerCa {
            self.fault(
                place,
                "anchors: only a partner's authority has roots that we do not make ourselves",
            );
        }
        Issuer {
            name,
            kind: raw.kind,
            approved_domains: raw.approved_domains,
            anchors: raw
                .anchors
                .map(|path| self.anchors(place, path))
                .unwrap_or_default(),
        }
    }

    fn partner(&mut self, name: PartnerName, raw: RawPartner) -> Partner {
        let place = format!("partner.{name}");
        let contacts: Vec<_> = raw
            .contact
            .into_iter()
            .map(|contact| Contact {
                name: self.line(&format!("{place}.contact.name"), contact.name),
                email: contact.email,
                role: contact.role,
                phone: contact
                    .phone
                    .map(|phone| self.line(&format!("{place}.contact.phone"), phone)),
                certificate: contact.certificate.and_then(|path| {
                    self.anchors(&format!("{place}.contact.certificate"), path)
                        .into_iter()
                        .next()
                }),
            })
            .collect();
        let mut environments = BTreeMap::new();
        for (kind, environment) in [
            (EnvironmentKind::Test, raw.test),
            (EnvironmentKind::Production, raw.production),
        ] {
            if let Some(environment) = environment {
                let resolved = self.environment(&format!("{place}.{kind}"), environment);
                environments.insert(kind, resolved);
            }
        }
        if !environments.is_empty() && !contacts.iter().any(|contact| contact.role == Role::JiraSec)
        {
            self.fault(
                &place,
                "nobody has the role jira-sec: to whom should certificates be offered?",
            );
        }
        Partner {
            title: self.line(&format!("{place}.title"), raw.title),
            name,
            contacts,
            environments,
        }
    }

    fn environment(&mut self, place: &str, raw: RawEnvironment) -> Environment {
        let odd = |c: char| c.is_control() || matches!(c, ' ' | '?' | '#' | '@');
        if !raw.endpoint.starts_with("https://") || raw.endpoint.chars().any(odd) {
            self.fault(
                place,
                "endpoint: an https:// URL is wanted, without user, query or fragment",
            );
        }
        Environment {
            identity: raw.identity,
            endpoint: raw.endpoint.trim_end_matches('/').to_owned(),
            anchors: self.anchors(&format!("{place}.anchors"), raw.anchors),
            gateway: raw.gateway,
            pin: raw.pin,
            oauth: raw.oauth,
            tls13: raw.tls13,
            resolve: raw.resolve,
        }
    }

    fn known(
        &mut self,
        place: &str,
        destination: &Destination,
        partners: &BTreeMap<PartnerName, Partner>,
    ) {
        let known = partners
            .get(&destination.partner)
            .is_some_and(|partner| partner.environments.contains_key(&destination.environment));
        if !known {
            self.fault(place, format!("destination: there is no {destination}"));
        }
    }

    fn connector(&mut self, place: &str, raw: RawConnector) -> Option<ConnectorConfig> {
        let sink = match raw.delivery {
            RawDelivery::Socket(RawSocket {}) => Sink::Socket,
            RawDelivery::Bundle(files) => Sink::Bundle(self.files(place, files)?),
            RawDelivery::Directory(files) => Sink::Directory(self.files(place, files)?),
        };
        Some(ConnectorConfig {
            destination: raw.destination,
            sink,
        })
    }

    fn files(&mut self, place: &str, raw: RawFiles) -> Option<FileSink> {
        let mode = match raw.mode.as_deref().map(|text| u32::from_str_radix(text, 8)) {
            None => 0o600,
            Some(Ok(mode)) if mode & !0o660 == 0 && mode & 0o400 != 0 => mode,
            Some(_) => {
                self.fault(place, "delivery.mode: an octal number within 0660 is wanted: a key is for nobody else");
                return None;
            }
        };
        let reload = raw.reload.and_then(|reload| self.reload(place, reload));
        Some(FileSink {
            path: self.path(raw.path),
            owner: raw.owner,
            group: raw.group,
            mode,
            reload,
            report: raw.report.map(|p| self.path(p)),
        })
    }

    fn reload(&mut self, place: &str, raw: RawReload) -> Option<Reload> {
        match (raw.command, raw.signal, raw.pid_file) {
            (Some(argv), None, None) if !argv.is_empty() => Some(Reload::Command {
                argv,
                limit: raw.limit.unwrap_or(Lapse::seconds(30)),
            }),
            (None, Some(signal), Some(pid_file)) if raw.limit.is_none() => Some(Reload::Signal {
                signal,
                pid_file: self.path(pid_file),
            }),
            _ => {
                self.fault(
                    place,
                    "delivery.reload: either command = [\"program\", …], or signal = \"HUP\", \"USR1\" or \"USR2\" with pid-file",
                );
                None
            }
        }
    }

    fn policies(&mut self, directory: Option<&Path>) -> BTreeMap<PolicyName, Policy> {
        let mut policies = BTreeMap::new();
        for (name, text) in SHIPPED {
            self.policy(&mut policies, name, name, text);
        }
        let Some(directory) = directory else {
            return policies;
        };
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.fault(
                    "policies.directory",
                    format!("{}: {error}", directory.display()),
                );
                return policies;
            }
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default()
                .to_owned();
            // Editors leave hidden files beside the one that they write.
            if path.extension().is_none_or(|e| e != "toml") || stem.starts_with('.') {
                continue;
            }
            match read(&path) {
                Ok(text) => {
                    self.policy(&mut policies, &path.display().to_string(), &stem, &text);
                    self.sources.insert(path, digest_of(text.as_bytes()));
                }
                Err(fault) => self.faults.push(fault),
            }
        }
        policies
    }

    fn policy(
        &mut self,
        policies: &mut BTreeMap<PolicyName, Policy>,
        place: &str,
        stem: &str,
        text: &str,
    ) {
        match Policy::from_toml(stem, text) {
            Ok(policy) => {
                policies.insert(policy.name.clone(), policy);
            }
            Err(faults) => self.faults.extend(
                faults
                    .faults
                    .into_iter()
                    .map(|fault| format!("{place}: {fault}")),
            ),
        }
    }
}
