//! Layer 4: everything that a person or a script can ask for, whichever way it comes.
//!
//! The command line hands a [`Request`] to the daemon's socket when one runs, and to a [`Service`] of its
//! own when none does: the same value, the same code, the same [`Reply`].

mod adoption;
mod audit;
mod backup;
mod deliveries;
mod error;
mod exchange;
mod gateways;
mod identities;
mod issuers;
mod keyring;
mod ledger;
mod login;
mod opening;
mod outlook;
mod probe_history;
mod probing;
mod reinstate;
mod request;
mod rotations;
mod standing;
mod status;
mod views;
mod who;
mod wiring;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Notify;

pub use audit::{AuditFilter, AuditPage, AuditReply, AuditRequest, AuditVerdict};
pub use backup::{BackupRequest, BackupTo, BackupView};
pub(crate) use error::chain as with_causes;
pub use error::{ErrorKind, ServiceError};
pub use gateways::{
    Candidate, CandidateView, GatewayEntry, GatewayFile, GatewayList, GatewayOrder, GatewayView,
    Surroundings, gateway_list, gateway_view,
};
pub use keyring::{
    CostView, KeyringReply, KeyringRequest, RekeyState, RekeyView, SlotChanged, SlotView,
    SlotsView, TokenView,
};
pub use login::LoginRequest;
pub use probe_history::{DestinationHistoryView, ProbeHistoryView};
pub use request::{GenerationSlot, IdentityAdd, IdentityAdopt, Reply, Request, Statement};
pub use standing::{LeaderView, Standing, StandingView};
pub use status::Advanced;
pub use views::{
    AdoptedView, ConnectorView, DestinationView, EventView, GenerationView, IdentityView,
    InboxView, LetterView, PemView, RenewView, RotationView, StatusView, Totals,
};
pub use who::{claims_of_process, command, login_of};
pub use wiring::{SystemClock, system_clock};

use self::ledger::Ledger;
use crate::{
    config::Config,
    delivery::ConnectorHub,
    model::{
        Clock, IdentityName,
        audit::{Action, Actor, Author},
    },
    records::{Leadership, Records},
    rotation::{Observer, Silent},
};

/// What a fault that is shown in `status` is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FaultSource {
    /// The configuration on disk; the one before it is in force.
    Configuration,
    /// Identities that readers of files should have, and have not.
    Files,
    /// Identities that could not be laid out for connectors at our socket.
    Seats,
    /// What hinders the old master key from being given up.
    MasterKey,
}

/// One open store with its configuration, and everything that can be asked of it.
pub struct Service {
    records: Arc<Records>,
    config: ArcSwap<Config>,
    hub: Arc<ConnectorHub>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    faults: Mutex<BTreeMap<FaultSource, Vec<String>>>,
    since: Option<Timestamp>,
    /// What it does at its own pace.
    itself: Author,
    /// One rotation is driven by one task at a time.
    driving: Mutex<BTreeMap<IdentityName, Arc<tokio::sync::Mutex<()>>>>,
    /// Something happened after which rotations should be looked at again.
    changed: Notify,
    /// How far replacing the master key is, since this service began.
    rekey: Mutex<Option<RekeyView>>,
    rekey_begun: Notify,
}

impl Service {
    /// A service over open records. `since` is when the daemon started; `None` in a program that ends at once.
    pub fn new(
        records: Records,
        config: Config,
        clock: Arc<dyn Clock>,
        since: Option<Timestamp>,
    ) -> Self {
        let (records, itself) = (Arc::new(records), Author::new(who::itself()));
        let ledger = Ledger {
            records: records.clone(),
            clock: clock.clone(),
            author: itself.clone(),
        };
        let hub = ConnectorHub::new(clock.clone(), Arc::new(ledger));
        Self {
            records,
            config: ArcSwap::from_pointee(config),
            hub,
            clock,
            observer: Arc::new(Silent),
            faults: Mutex::default(),
            since,
            itself,
            driving: Mutex::default(),
            changed: Notify::new(),
            rekey: Mutex::default(),
            rekey_begun: Notify::new(),
        }
    }

    /// Tells `observer` of every fact from now on.
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Puts another configuration in force, and takes back the faults of the one before. One that the audit log
    /// cannot tell of is not put in force.
    pub fn reconfigure(&self, config: Config) -> Result<(), ServiceError> {
        self.tell_configuration(&config)?;
        self.config.store(Arc::new(config));
        self.set_faults(FaultSource::Configuration, Vec::new());
        self.seat_connectors();
        self.changed.notify_one();
        Ok(())
    }

    /// Shows what is wrong, in the place of what was wrong there before.
    pub fn set_faults(&self, source: FaultSource, faults: Vec<String>) {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(source, faults);
    }

    fn faults(&self) -> Vec<String> {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .flatten()
            .cloned()
            .collect()
    }

    /// The author of what the program does by itself.
    pub fn itself(&self) -> &Author {
        &self.itself
    }

    fn ledger(&self, author: Author) -> Ledger {
        Ledger {
            records: self.records.clone(),
            clock: self.clock.clone(),
            author,
        }
    }

    /// What time it is.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Waits until something happened after which rotations should be looked at again.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What opens the store, one phrase for each slot.
    pub fn openers(&self) -> Vec<String> {
        // A header that cannot be read any more is told of when somebody opens the store.
        Records::openers(self.records.store().dir()).unwrap_or_default()
    }

    /// Whether we still lead, if the store is one that machines share.
    pub fn leadership(&self) -> Option<Leadership> {
        self.records.leadership()
    }

    /// Where connectors are told of their identities.
    pub fn hub(&self) -> &Arc<ConnectorHub> {
        &self.hub
    }

    /// Answers a request. What it changes is told of in the audit log with what it changes; a refusal is told of
    /// when it would have changed something.
    pub async fn handle(&self, actor: Actor, request: Request) -> Result<Reply, ServiceError> {
        if request.is_read_only() {
            return self.answer(&Author::new(actor), request).await;
        }
        let by = Author::new(actor).on(request.name());
        let about = request.about();
        let answered = self.answer(&by, request).await;
        match &answered {
            Ok(_) => self.changed.notify_one(),
            // Why, the log has already, in the words of what was refused.
            Err(refusal) if refusal.told => {}
            Err(refusal) => self.tell_refusal(&by, about, refusal),
        }
        answered
    }

    async fn answer(&self, by: &Author, request: Request) -> Result<Reply, ServiceError> {
        Ok(match request {
            Request::Audit(request) => Reply::Audit(self.audit(by, request).await?),
            Request::Status => Reply::Status(self.status()?),
            Request::Renew => Reply::Renewed(self.renew(by).await?),
            Request::IdentityAdd(add) => Reply::Identity(self.add_identity(by, add).await?),
            Request::IdentityAdopt(adopt) => Reply::Adopted(self.adopt_identity(by, adopt)?),
            Request::IdentityList { after, limit } => {
                let (identities, next) = self.identities(after.as_ref(), limit)?;
                Reply::Identities {
                    schema: 1,
                    identities,
                    next,
                }
            }
            Request::IdentityShow { identity } => Reply::Identity(self.identity_view(&identity)?),
            Request::IdentityRequest { identity } => Reply::Pem(self.pending_request(&identity)?),
            Request::IdentityCertificate {
                identity,
                generation,
            } => Reply::Pem(self.certificate(&identity, generation)?),
            Request::IdentityImport { identity, file } => {
                Reply::Rotation(self.import(by, &identity, &file)?)
            }
            Request::IdentityReinstate {
                identity,
                by: stated,
                reason,
            } => {
                self.reinstate(by, &identity, &stated, reason.as_deref())
                    .await?;
                Reply::Identity(self.identity_view(&identity)?)
            }
            Request::IssuerCreate {
                issuer,
                common_name,
            } => Reply::Pem(self.create_authority(by, &issuer, &common_name)?),
            Request::IssuerShow { issuer } => Reply::Pem(self.authority_chain(&issuer)?),
            Request::IssuerCrl { issuer } => Reply::Pem(self.revocation_list(by, &issuer)?),
            Request::SignerCreate { issuer } => Reply::Pem(self.create_signer(by, &issuer)?),
            Request::SignerImport { key, chain } => {
                Reply::Pem(self.import_signer(by, &key, chain.as_bytes())?)
            }
            Request::SignerShow => Reply::Pem(self.signer_chain()?),
            Request::RotationStart { identity } => {
                Reply::Rotation(self.start_rotation(by, &identity)?)
            }
            Request::RotationShow { identity } => Reply::Rotation(self.show_rotation(&identity)?),
            Request::RotationWaive {
                identity,
                destination,
                gate,
                by: name,
                reason,
            } => Reply::Rotation(self.waive(by, &identity, &destination, gate, &name, &reason)?),
            Request::RotationDecide {
                identity,
                decision,
                by: name,
                reason,
            } => Reply::Rotation(self.decide(by, &identity, decision, &name, &reason)?),
            Request::ExchangeAcknowledge(statement) => {
                Reply::Rotation(self.acknowledge(by, statement)?)
            }
            Request::ExchangeReceive { mail } => Reply::Received(self.receive(by, &mail)?),
            Request::ExchangeStatus => Reply::Inbox {
                schema: 1,
                mails: self.inbox()?,
            },
            Request::ProbeHistory {
                identity,
                destination,
            } => Reply::ProbeHistory(self.probe_history(&identity, destination.as_ref())?),
            Request::GatewayRender(wanted) => Reply::Gateway(Box::new(self.gateway(&wanted)?)),
            Request::Probe {
                identity,
                destination,
                generation,
            } => Reply::Probe {
                schema: 1,
                report: Box::new(self.probe(by, &identity, &destination, generation).await?),
            },
        })
    }

    fn tell_refusal(&self, by: &Author, about: String, refusal: &ServiceError) {
        let action = Action::RequestRefused {
            about: about.into(),
            why: refusal.message.as_str().into(),
        };
        if let Err(error) = self.records.record(by, self.clock.now(), action) {
            // Nothing was done, so there is nothing to take back; whoever asked is told of the refusal.
            tracing::error!("a refusal could not be written to the audit log: {error}");
        }
    }
}
