//! What the audit log tells of opening and closing, and of the configuration in force.

use super::{Service, ServiceError};
use crate::{
    config::Config,
    model::audit::{Action, Actor, Author, ConfigurationFile, Digest, Tries},
    pki::digest_of,
    records::{Batch, RecordsError},
};

impl Service {
    /// Tells that the store was opened, and with which configuration: a daemon at once, a command together with
    /// the first thing that it changes. A run that changes nothing leaves no trace.
    pub fn tell_opened(&self, by: &Author, failed: Option<Tries>) -> Result<(), RecordsError> {
        let (now, config) = (self.clock.now(), self.config());
        let mut told = Vec::new();
        if let Some(failed) = failed {
            told.push(Action::UnlockFailed(failed));
        }
        told.push(Action::StoreOpened {
            daemon: self.since.is_some(),
            version: env!("CARGO_PKG_VERSION").into(),
            store: config.store.path.display().to_string().into(),
        });
        let in_force = in_force(&config);
        if self.records.told_configuration()? != Some(in_force.0) {
            told.push(in_force.1);
        }
        if self.since.is_some() {
            let batch = told.into_iter().fold(Batch::new(), Batch::tell);
            self.records.commit(by, now, batch)?;
        } else {
            for action in told {
                self.records.record_with_next(by, now, action);
            }
        }
        Ok(())
    }

    /// Tells of somebody who was not listened to at the control socket.
    pub fn tell_turned_away(&self, who: Actor, tries: Tries) -> Result<(), RecordsError> {
        let action = Action::PeerTurnedAway(tries);
        self.records
            .record(&Author::new(who), self.clock.now(), action)
            .map(drop)
    }

    /// Tells that a daemon closes the store in good order.
    pub fn tell_closed(&self, by: &Author) {
        let told = self
            .records
            .record(by, self.clock.now(), Action::StoreClosed);
        if let Err(error) = told {
            tracing::error!(
                "that the store is closed could not be written to the audit log: {error}"
            );
        }
    }

    /// Tells that another configuration is in force.
    pub(super) fn tell_configuration(&self, config: &Config) -> Result<(), ServiceError> {
        let (digest, action) = in_force(config);
        if self.records.told_configuration()? != Some(digest) {
            self.records
                .record(&self.itself, self.clock.now(), action)?;
        }
        Ok(())
    }

    /// Signs what has waited long enough in the audit log.
    pub fn sign_log_when_due(&self) {
        if let Err(error) = self
            .records
            .sign_log_when_due(&self.itself, self.clock.now())
        {
            tracing::error!("the audit log could not be signed: {error}");
        }
    }
}

fn in_force(config: &Config) -> (Digest, Action) {
    let mut all = String::new();
    let mut files = Vec::new();
    for (path, digest) in &config.sources {
        let path = path.display().to_string();
        all.push_str(&format!("{digest}  {path}\n"));
        files.push(ConfigurationFile {
            path: path.into(),
            digest: *digest,
        });
    }
    let digest = digest_of(all.as_bytes());
    (digest, Action::ConfigurationInForce { digest, files })
}
