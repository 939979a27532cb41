//! Where the daemon's state is kept and changed: by who asks at the control socket, and by nobody else.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use super::{
    attempts::Attempts,
    keyring::SecretFrame,
    state::{self, Sealed, State},
};
use crate::{
    config::Config,
    model::{
        Clock,
        audit::{Actor, Author},
    },
    records::{Records, Unlock},
    service::{
        FaultSource, KeyringReply, KeyringRequest, Reply, Request, Service, ServiceError,
        SlotsView, StandingView,
    },
};

/// The state of the daemon, and how it changes.
pub(super) struct Desk {
    states: watch::Sender<State>,
    clock: Arc<dyn Clock>,
    since: Timestamp,
    /// Held by who opens or closes the store.
    turn: Mutex<Attempts>,
    /// How often a store was opened and closed again, all of it.
    closed: watch::Sender<u64>,
}

impl Desk {
    pub(super) fn new(state: State, clock: Arc<dyn Clock>) -> Self {
        let since = clock.now();
        Self {
            states: watch::Sender::new(state),
            clock,
            since,
            turn: Mutex::default(),
            closed: watch::Sender::new(0),
        }
    }

    /// What the daemon is.
    pub(super) fn state(&self) -> State {
        self.states.borrow().clone()
    }

    /// The states from now on.
    pub(super) fn states(&self) -> watch::Receiver<State> {
        self.states.subscribe()
    }

    /// Puts the daemon into another state.
    pub(super) fn enter(&self, state: State) {
        self.states.send_replace(state);
    }

    /// Nobody holds the service of a state that was left any more: its store is closed.
    pub(super) fn note_closed(&self) {
        self.closed.send_modify(|times| *times += 1);
    }

    /// What `status` says when there is no service.
    pub(super) fn standing(&self) -> Option<StandingView> {
        self.state().standing(self.since, self.clock.now())
    }

    /// The service; a refusal when there is none.
    pub(super) fn serving(&self) -> Result<Arc<Service>, ServiceError> {
        match (self.state().service(), self.standing()) {
            (Some(service), _) => Ok(service),
            (None, Some(view)) => Err(state::refusal(&view)),
            // Opened between the two looks.
            (None, None) => Err(ServiceError::locked("the store is just being opened")
                .hint("run the command again")),
        }
    }

    /// Answers a request: by the service when there is one, and in its place when there is none.
    pub(super) async fn answer(
        &self,
        actor: Actor,
        request: Request,
    ) -> Result<Reply, ServiceError> {
        match (self.state().service(), self.standing()) {
            (Some(service), _) => service.handle(actor, request).await,
            (None, Some(view)) => state::answer_for(view, &request),
            // Opened between the two looks.
            (None, None) => Err(ServiceError::locked("the store is just being opened")
                .hint("run the command again")),
        }
    }

    /// Answers a request about the store's secrets.
    pub(super) async fn answer_keyring(
        &self,
        actor: Actor,
        request: KeyringRequest,
        secrets: Vec<SecretFrame>,
    ) -> Result<KeyringReply, ServiceError> {
        let mut secrets = secrets
            .iter()
            .map(|frame| Unlock::decode(frame))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                ServiceError::failed("a secret came in a form that is not understood")
                    .hint("use the countersign of the daemon's version")
            })?;
        match request {
            KeyringRequest::Unlock => {
                let secret = secrets.pop().ok_or_else(|| {
                    ServiceError::failed("no secret came with the request to open the store")
                })?;
                self.unlock(&Author::new(actor).on("store-unlock"), secret)
                    .await
            }
            KeyringRequest::Seal => self.seal(&Author::new(actor).on("store-seal")).await,
            request => match (self.state().service(), self.standing()) {
                (Some(service), _) => {
                    // Deriving a key from a passphrase takes a while on purpose.
                    let handled = tokio::task::spawn_blocking(move || {
                        service.handle_keyring(actor, request, secrets)
                    });
                    handled.await.map_err(|error| {
                        ServiceError::failed(format!("the daemon failed at this request: {error}"))
                    })?
                }
                (None, view) => self.keyring_without_service(view, &request),
            },
        }
    }

    /// Slots can be read without a secret, and nothing else can be done with them.
    fn keyring_without_service(
        &self,
        view: Option<StandingView>,
        request: &KeyringRequest,
    ) -> Result<KeyringReply, ServiceError> {
        match (self.state(), request, view) {
            (State::Sealed(sealed), KeyringRequest::Slots, _) => {
                let slots = Records::slots_in(&sealed.config.store.path)?;
                Ok(KeyringReply::Slots(SlotsView::stated(&slots)))
            }
            (_, _, Some(view)) => Err(state::refusal(&view)),
            (_, _, None) => Err(ServiceError::locked("the store is just being opened")
                .hint("run the command again")),
        }
    }

    async fn unlock(&self, by: &Author, secret: Unlock) -> Result<KeyringReply, ServiceError> {
        let mut attempts = self.turn.lock().await;
        let State::Sealed(sealed) = self.state() else {
            return Ok(KeyringReply::Unlocked {
                schema: 1,
                already: true,
            });
        };
        if let Some(wait) = attempts.wait(self.clock.now()) {
            return Err(ServiceError::locked(
                "the last secret was wrong, and the next may not be tried yet",
            )
            .hint(format!("wait {wait}, then run the command again")));
        }
        let store = sealed.config.store.clone();
        // Deriving a key from a passphrase takes a while on purpose.
        let opened = tokio::task::spawn_blocking(move || {
            Records::open(&store.path, &secret)?.witnessed(store.witness.as_deref())
        })
        .await;
        let opened = opened.map_err(|error| {
            ServiceError::failed(format!("the store could not be opened: {error}"))
        })?;
        let records = match opened {
            Ok(records) => records,
            Err(error) => {
                if error.is_wrong_secret() {
                    attempts.failed(self.clock.now());
                    warn!("a secret was tried that does not open the store; it stays sealed");
                } else {
                    warn!(error = %error, "the store could not be opened; it stays sealed");
                }
                return Err(error.into());
            }
        };
        let service = self.serve(&sealed.config, records);
        service.tell_opened(by, attempts.told())?;
        *attempts = Attempts::default();
        self.enter(State::Serving(Arc::new(service)));
        info!("the store is open");
        Ok(KeyringReply::Unlocked {
            schema: 1,
            already: false,
        })
    }

    /// The configuration may have changed while the store was sealed and nobody watched it.
    fn serve(&self, sealed: &Config, records: Records) -> Service {
        let (config, faults) = match Config::load(&sealed.path) {
            Ok(config) => (config, Vec::new()),
            Err(faults) => (sealed.clone(), vec![faults.to_string()]),
        };
        let service = Service::new(records, config, self.clock.clone(), Some(self.since));
        service.set_faults(FaultSource::Configuration, faults);
        service
    }

    async fn seal(&self, by: &Author) -> Result<KeyringReply, ServiceError> {
        let _turn = self.turn.lock().await;
        let State::Serving(service) = self.state() else {
            return Ok(KeyringReply::Sealed {
                schema: 1,
                already: true,
            });
        };
        let config = Config::clone(&service.config());
        let opens = service.openers();
        service.tell_closed(by);
        drop(service);
        let mut closed = self.closed.subscribe();
        closed.mark_unchanged();
        self.enter(State::Sealed(Arc::new(Sealed {
            config,
            since: self.clock.now(),
            why: "it was told to close the store (`countersign store seal`)".to_owned(),
            opens,
        })));
        info!("sealing: no more requests are taken, what is under way is let go");
        // Gone with the desk itself when the daemon is ending.
        let _ = closed.changed().await;
        info!("the store is sealed");
        Ok(KeyringReply::Sealed {
            schema: 1,
            already: false,
        })
    }
}
