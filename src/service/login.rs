//! A probe that ends with a login at Jira. What is logged in with comes beside the request, is used once and is gone;
//! the audit log tells that it was asked for, and what became of it.

use serde::{Deserialize, Serialize};

use super::{GenerationSlot, Reply, Service, ServiceError, identities::in_slot, probing};
use crate::{
    model::{
        Check, Destination, IdentityName,
        audit::{Action, Actor, Author},
    },
    probe::Account,
};

/// What is probed before the login. The account is not in it: see [`Service::probe_and_log_in`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginRequest {
    /// What is presented.
    pub identity: IdentityName,
    /// Where.
    pub destination: Destination,
    /// Which of its generations.
    pub generation: GenerationSlot,
}

impl Service {
    /// Probes, and logs in once where every address has accepted the certificate and Jira has answered.
    pub async fn probe_and_log_in(
        &self,
        actor: Actor,
        request: LoginRequest,
        account: Account,
    ) -> Result<Reply, ServiceError> {
        let by = Author::new(actor).on("probe-login");
        let LoginRequest {
            identity,
            destination,
            generation,
        } = request;
        // What cannot be probed is not told of: nothing comes of it.
        let found = self.existing(&identity)?.value;
        probing::environment_of(&self.config(), &identity, &destination)?;
        in_slot(&found, generation)?;
        let method = account.method();
        // Before it is tried: what cannot be told is not done.
        let asked = self.records.record(
            &by,
            self.clock.now(),
            Action::LoginAsked {
                identity: identity.clone(),
                destination: destination.clone(),
                method: method.into(),
            },
        )?;
        let (report, number) = self
            .ask_further(&identity, &destination, generation, Some(account))
            .await?;
        let tried = report.findings.iter().find(|f| f.check == Check::Account);
        let ended = Action::LoginEnded {
            asked,
            identity: identity.clone(),
            destination: destination.clone(),
            method: method.into(),
            found: tried.map(|finding| finding.outcome),
        };
        if let Err(error) = self.records.record(&by, self.clock.now(), ended) {
            // It was tried, and whoever asked is told how it went.
            tracing::error!(%identity, %destination, "what became of a login could not be told to the audit log: {error}");
        }
        self.keep_probe(&by, &identity, &destination, generation, number, &report)?;
        Ok(Reply::Probe {
            schema: 1,
            report: Box::new(report),
        })
    }
}
