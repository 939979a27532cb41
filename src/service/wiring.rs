//! From the configuration to what a rotation acts with.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Service, ServiceError, error::chain};
use crate::{
    config::{Config, MailConfig, MailSecurity},
    delivery::Sinks,
    exchange::{Fence, Security, Sender, SmtpMailer, SmtpSettings},
    model::{GenerationNumber, Identity, Lapse, audit::Author},
    pki::{Credentials, PrivateKey},
    probe::{ProbeLimits, TlsProber},
    records::Leadership,
    rotation::{Driver, Setting},
};

/// How long a mail server may take for one step of the conversation.
const MAIL_TIMEOUT: Lapse = Lapse::seconds(60);

/// What a driver acts with, put together for one activation.
pub(super) struct Ports {
    pub(super) setting: Setting,
    pub(super) mailer: Option<SmtpMailer>,
    pub(super) prober: TlsProber,
    pub(super) sinks: Sinks,
}

impl Service {
    /// What the configuration in force says about an identity.
    pub(super) fn setting(&self, identity: &Identity) -> Result<Setting, ServiceError> {
        let config = self.config();
        let place = config.path.display();
        let policy = config.policies.get(&identity.policy).ok_or_else(|| {
            ServiceError::failed(format!(
                "{} lives by the policy {}, which is not there",
                identity.name, identity.policy
            ))
            .hint(format!(
                "put {}.toml into the policy directory of {place}",
                identity.policy
            ))
        })?;
        let issuer = config.issuers.get(&identity.issuer).ok_or_else(|| {
            ServiceError::failed(format!(
                "{} is certified by {}, which is not in {place}",
                identity.name, identity.issuer
            ))
            .hint(format!("add [issuer.{}]", identity.issuer))
        })?;
        Ok(Setting {
            policy: policy.clone(),
            issuer: issuer.clone(),
            partners: config.partners.clone(),
            sender: config.mail.as_ref().map(|mail| sender(&config, mail)),
            message_id_host: config
                .mail
                .as_ref()
                .map(|mail| mail.message_id_host.clone())
                .unwrap_or_default(),
            scope: config.scope_of(&identity.name),
        })
    }

    pub(super) fn ports(&self, by: &Author, identity: &Identity) -> Result<Ports, ServiceError> {
        let config = self.config();
        let mailer = config.mail.as_ref().map(mailer).transpose()?;
        let mailer = mailer.map(|mailer| mailer.within(self.fence()));
        let sinks = config
            .connectors
            .iter()
            .map(|(name, c)| (name.clone(), c.sink.clone()))
            .collect();
        Ok(Ports {
            setting: self.setting(identity)?,
            mailer,
            prober: TlsProber::new(ProbeLimits::default()),
            sinks: Sinks {
                sinks,
                hub: self.hub().clone(),
                exports: Arc::new(self.ledger(by.clone())),
            },
        })
    }

    pub(super) fn driver<'a>(
        &'a self,
        by: &'a Author,
        ports: &'a Ports,
    ) -> Driver<'a, SmtpMailer, TlsProber, Sinks> {
        Driver {
            author: by,
            records: &self.records,
            setting: &ports.setting,
            mailer: ports.mailer.as_ref(),
            prober: &ports.prober,
            publisher: &ports.sinks,
            clock: self.clock.as_ref(),
            observer: self.observer.as_ref(),
        }
    }

    /// What says whether it is still ours to act, where that can change.
    fn fence(&self) -> Option<Arc<dyn Fence>> {
        let leadership = self.records.leadership()?;
        Some(Arc::new(Lead(leadership)))
    }

    pub(super) fn credentials(
        &self,
        identity: &Identity,
        generation: GenerationNumber,
    ) -> Result<Credentials, ServiceError> {
        let name = &identity.name;
        let gone = || {
            ServiceError::failed(format!(
                "generation {generation} of {name} has no private key"
            ))
        };
        let record = self
            .records
            .generation(name, generation)?
            .ok_or_else(gone)?
            .value;
        let key = self
            .records
            .private_key(name, generation)?
            .ok_or_else(gone)?;
        let key = PrivateKey::from_pkcs8(key).map_err(|error| ServiceError::from_error(&error))?;
        let chain = record
            .chain
            .into_iter()
            .map(|certificate| certificate.0)
            .collect();
        Credentials::new(chain, key).map_err(|error| ServiceError::from_error(&error))
    }
}

#[derive(Debug)]
struct Lead(Leadership);

impl Fence for Lead {
    fn is_open(&self) -> bool {
        self.0.standing().is_ok()
    }
}

fn sender(config: &Config, mail: &MailConfig) -> Sender {
    Sender {
        name: config.ops_name.clone(),
        email: mail.from.clone(),
        reply_to: config.reply_to.clone(),
        organization: config.ops_organization.clone(),
    }
}

fn mailer(mail: &MailConfig) -> Result<SmtpMailer, ServiceError> {
    let credentials = match &mail.login {
        None => None,
        Some((user, file)) => {
            let password = std::fs::read_to_string(file)
                .map(Zeroizing::new)
                .map_err(|error| {
                    ServiceError::failed(format!(
                        "the mail password cannot be read from {}: {error}",
                        file.display()
                    ))
                    .hint("name a file that only this user can read in mail.password-file")
                })?;
            Some((
                user.clone(),
                Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned()),
            ))
        }
    };
    let settings = SmtpSettings {
        host: mail.host.clone(),
        port: mail.port,
        security: match mail.security {
            MailSecurity::ImplicitTls => Security::ImplicitTls,
            MailSecurity::Starttls => Security::StartTls,
        },
        anchors: mail.anchors.clone(),
        public_roots: mail.anchors.is_empty(),
        server_name: mail.server_name.clone(),
        credentials,
        hello_name: mail.message_id_host.clone(),
        timeout: MAIL_TIMEOUT.unsigned(),
    };
    SmtpMailer::new(settings).map_err(|error| ServiceError::failed(chain(&error)))
}

/// The clock of the machine: the one place that asks it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl crate::model::Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the edge where time comes in")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// The clock of the machine.
pub fn system_clock() -> Arc<dyn crate::model::Clock> {
    Arc::new(SystemClock)
}
