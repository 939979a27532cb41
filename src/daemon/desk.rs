//! Where the daemon's state is kept and changed: by who asks at the control socket, and by nobody else.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use super::{
    attempts::Attempts,
    following::{Following, Turn},
    keyring::SecretFrame,
    state::{self, Sealed, State},
    strangers::Strangers,
};
use crate::{
    config::Config,
    model::{
        Clock,
        audit::{Actor, Author, Tries},
    },
    records::{Ended, Records, Unlock},
    service::{
        FaultSource, KeyringReply, KeyringRequest, Reply, Request, Service, ServiceError,
        SlotsView, StandingView,
    },
};

const TOLD_TO_CLOSE: &str = "it was told to close the store (`countersign store seal`)";

/// The state of the daemon, and how it changes.
pub(super) struct Desk {
    states: watch::Sender<State>,
    clock: Arc<dyn Clock>,
    since: Timestamp,
    /// Held by who opens or closes the store.
    turn: Mutex<Attempts>,
    strangers: StdMutex<Strangers>,
    /// How often a store was opened and closed again, all of it.
    closed: watch::Sender<u64>,
    /// What opens a store that we may come to follow: kept while we lead.
    heirloom: StdMutex<Option<Arc<Unlock>>>,
}

impl Desk {
    pub(super) fn new(state: State, clock: Arc<dyn Clock>) -> Self {
        let since = clock.now();
        Self {
            states: watch::Sender::new(state),
            clock,
            since,
            turn: Mutex::default(),
            strangers: StdMutex::default(),
            closed: watch::Sender::new(0),
            heirloom: StdMutex::default(),
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

    /// Takes the service away, if there is one, because the daemon ends.
    pub(super) fn retire(&self) -> Option<Arc<Service>> {
        let service = self.state().service()?;
        self.enter(State::Sealed(Arc::new(Sealed {
            config: Config::clone(&service.config()),
            since: self.clock.now(),
            why: "it is ending".to_owned(),
            opens: Vec::new(),
        })));
        Some(service)
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

    /// Somebody was not listened to. The audit log is told, now or when there is one.
    pub(super) fn turned_away(&self, actor: Actor) {
        let now = self.clock.now();
        self.strangers().came(actor, now);
        if let Some(service) = self.state().service() {
            let due = self.strangers().due(now);
            tell(&service, due);
        }
    }

    /// Tells the audit log of all who were not listened to and are not told of yet.
    pub(super) fn tell_of_strangers(&self, service: &Service) {
        let untold = self.strangers().all(self.clock.now());
        tell(service, untold);
    }

    fn strangers(&self) -> std::sync::MutexGuard<'_, Strangers> {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        let place = self.state().token_place();
        let mut secrets = secrets
            .iter()
            .map(|frame| Unlock::decode(frame, place.as_ref()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(state::unknown_secret)?;
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
        if store.database.is_some() {
            return self.follow(&sealed.config, secret, &mut attempts).await;
        }
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
        self.tell_of_strangers(&service);
        *attempts = Attempts::default();
        self.enter(State::Serving(Arc::new(service)));
        info!("the store is open");
        Ok(KeyringReply::Unlocked {
            schema: 1,
            already: false,
        })
    }

    /// A secret for a store that machines share: whoever leads, it has to open it.
    async fn follow(
        &self,
        config: &Config,
        secret: Unlock,
        attempts: &mut Attempts,
    ) -> Result<KeyringReply, ServiceError> {
        let (path, secret) = (config.store.path.clone(), Arc::new(secret));
        let key = secret.clone();
        let tried = tokio::task::spawn_blocking(move || Records::try_secret(&path, &key)).await;
        let tried = tried.map_err(|error| {
            ServiceError::failed(format!("the secret could not be tried: {error}"))
        })?;
        if let Err(error) = tried {
            if error.is_wrong_secret() {
                attempts.failed(self.clock.now());
                warn!("a secret was tried that does not open the store; it stays sealed");
            }
            return Err(error.into());
        }
        *attempts = Attempts::default();
        let following = Following::new(config.clone(), self.clock.now(), secret, None);
        self.enter(State::Following(Arc::new(following)));
        Ok(KeyringReply::Unlocked {
            schema: 1,
            already: false,
        })
    }

    /// Our turn has come; or what we have opens nothing any more.
    pub(super) fn take_over(&self, following: &Following, turn: Turn) {
        match turn {
            Turn::Ours(records) => {
                let term = records.leadership().map(|leadership| leadership.epoch());
                *self.heirloom() = Some(following.secret.clone());
                let service = self.serve(&following.config, *records);
                if let Err(error) = service.tell_opened(service.itself(), None) {
                    warn!(error = %error, "the take-over could not be written down; it is tried again");
                    return;
                }
                self.tell_of_strangers(&service);
                info!(term, "this machine leads");
                self.enter(State::Serving(Arc::new(service)));
            }
            Turn::Shut(why) => {
                warn!("sealed: {why}");
                self.enter(State::Sealed(Arc::new(Sealed {
                    opens: Records::openers(&following.config.store.path).unwrap_or_default(),
                    config: following.config.clone(),
                    since: self.clock.now(),
                    why,
                })));
            }
        }
    }

    /// We do not lead any more: nothing is taken on from here, and what is under way is let go.
    pub(super) fn step_down(&self, config: &Config, ended: &Ended) {
        warn!("this machine does not lead any more, and stops: {ended}");
        let (now, why) = (
            self.clock.now(),
            format!("this machine led before: {ended}"),
        );
        let state = match self.heirloom().take() {
            Some(secret) => {
                let following = Following::new(config.clone(), now, secret, Some(why));
                State::Following(Arc::new(following))
            }
            None => State::Sealed(Arc::new(Sealed {
                config: config.clone(),
                since: now,
                why,
                opens: Vec::new(),
            })),
        };
        self.enter(state);
    }

    fn heirloom(&self) -> std::sync::MutexGuard<'_, Option<Arc<Unlock>>> {
        self.heirloom.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let State::Following(following) = self.state() {
            self.enter(State::Sealed(Arc::new(Sealed {
                opens: Records::openers(&following.config.store.path).unwrap_or_default(),
                config: following.config.clone(),
                since: self.clock.now(),
                why: TOLD_TO_CLOSE.to_owned(),
            })));
            return Ok(KeyringReply::Sealed {
                schema: 1,
                already: false,
            });
        }
        let State::Serving(service) = self.state() else {
            return Ok(KeyringReply::Sealed {
                schema: 1,
                already: true,
            });
        };
        let config = Config::clone(&service.config());
        let opens = service.openers();
        self.tell_of_strangers(&service);
        service.tell_closed(by);
        drop(service);
        let mut closed = self.closed.subscribe();
        closed.mark_unchanged();
        self.enter(State::Sealed(Arc::new(Sealed {
            config,
            since: self.clock.now(),
            why: TOLD_TO_CLOSE.to_owned(),
            opens,
        })));
        // A standby that is sealed is none.
        self.heirloom().take();
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

fn tell(service: &Service, strangers: Vec<(Actor, Tries)>) {
    for (who, tries) in strangers {
        if let Err(error) = service.tell_turned_away(who, tries) {
            tracing::error!(
                "that somebody was turned away could not be written to the audit log: {error}"
            );
        }
    }
}
