//! The socket to which connectors hold a connection: identities go down, reports come up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_connector::protocol::{
    FromConnector, FromDaemon, LineError, Lines, PROTOCOL, Push, SecretPem,
};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tracing::{error, info, warn};

use super::{
    error::DeliveryError,
    exports::{Export, Exports},
    handover::Handover,
    report,
};
use crate::model::{
    AppliedBy, Clock, ConnectorName, ConnectorReport, Fingerprint, Lapse,
    audit::{ExportOutcome, Receiver},
    one_line,
};

/// Connections at once; more are made to wait.
const CONNECTIONS: usize = 256;

/// How long a new connection may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);

/// What is known of one connector.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HubState {
    /// The last report of each connection that it holds; several when processes share the name.
    pub connections: BTreeMap<u64, Option<ConnectorReport>>,
    /// The last report of all, even when its connection has ended.
    pub last: Option<ConnectorReport>,
}

/// The seats of all connectors. Seats exist for those that the configuration names; others are turned away.
pub struct ConnectorHub {
    seats: Mutex<BTreeMap<ConnectorName, Arc<Seat>>>,
    clock: Arc<dyn Clock>,
    exports: Arc<dyn Exports>,
    count: AtomicU64,
}

struct Seat {
    identity: watch::Sender<Option<Arc<Handover>>>,
    state: watch::Sender<HubState>,
}

impl std::fmt::Debug for ConnectorHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorHub").finish_non_exhaustive()
    }
}

impl ConnectorHub {
    /// A hub without seats.
    pub fn new(clock: Arc<dyn Clock>, exports: Arc<dyn Exports>) -> Arc<Self> {
        Arc::new(Self {
            seats: Mutex::default(),
            clock,
            exports,
            count: AtomicU64::new(0),
        })
    }

    /// Makes a seat for each of `connectors`, keeps those that stay, and lets the others go.
    pub fn seat(&self, connectors: impl IntoIterator<Item = ConnectorName>) {
        let mut seats = self.lock();
        let mut old = std::mem::take(&mut *seats);
        for connector in connectors {
            let seat = old.remove(&connector).unwrap_or_else(|| {
                Arc::new(Seat {
                    identity: watch::Sender::new(None),
                    state: watch::Sender::new(HubState::default()),
                })
            });
            seats.insert(connector, seat);
        }
    }

    /// Lays out the identity that a connector is to have, without waiting for anything.
    pub fn lay_out(&self, connector: &ConnectorName, handover: Handover) {
        if let Some(seat) = self.seat_of(connector) {
            // The same again would make the connector drain for nothing.
            seat.identity.send_if_modified(|laid| {
                let same = laid
                    .as_ref()
                    .is_some_and(|laid| laid.fingerprint == handover.fingerprint);
                if !same {
                    *laid = Some(Arc::new(handover));
                }
                !same
            });
        }
    }

    /// What is known of a connector; `None` when it has no seat.
    pub fn state(&self, connector: &ConnectorName) -> Option<HubState> {
        Some(self.seat_of(connector)?.state.borrow().clone())
    }

    /// Hands an identity over and waits until it is in use and the old one gone.
    pub(super) async fn hand_over(
        &self,
        connector: &ConnectorName,
        handover: Handover,
    ) -> Result<AppliedBy, DeliveryError> {
        // Without a daemon nobody has a seat: that is no fault of the configuration.
        let seat = self
            .seat_of(connector)
            .ok_or_else(|| DeliveryError::NotConnected {
                connector: connector.clone(),
            })?;
        let (fingerprint, limit) = (handover.fingerprint, handover.confirm_within);
        self.lay_out(connector, handover);
        let mut states = seat.state.subscribe();
        let seen = tokio::time::timeout(
            limit.unsigned(),
            states.wait_for(|state| applied(state, &fingerprint)),
        )
        .await;
        let state = match seen {
            Ok(Ok(state)) => state.clone(),
            _ => seat.state.borrow().clone(),
        };
        if state.connections.is_empty() {
            return Err(DeliveryError::NotConnected {
                connector: connector.clone(),
            });
        }
        let behind = state
            .connections
            .values()
            .find(|report| !is_in_use(report.as_ref(), &fingerprint));
        match (behind, state.last) {
            (None, Some(report)) => Ok(AppliedBy::Reported { report }),
            (behind, _) => Err(not_seen(
                connector,
                limit,
                behind.and_then(Option::as_ref),
                &fingerprint,
            )),
        }
    }

    /// Serves the socket until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: &UnixListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        // They end with this task: who stops serving holds no key for anybody any more.
        let mut conversations = JoinSet::new();
        loop {
            while conversations.try_join_next().is_some() {}
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let hub = self.clone();
                    conversations.spawn(async move {
                        if let Err(error) = hub.converse(stream).await {
                            warn!(error = %one_line(&error.to_string()), "a connector's conversation ended");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    // Descriptors may have run out: let some close before the next attempt.
                    warn!(%error, "could not accept a connector");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn converse(&self, stream: UnixStream) -> Result<(), LineError> {
        let credentials = stream.peer_cred().map_err(LineError::Read)?;
        let peer = credentials.uid();
        let ours = geteuid().as_raw();
        let mut lines = Lines::new(stream);
        if peer != ours && peer != 0 {
            return refuse(
                &mut lines,
                format!("user {peer} may not have identities of user {ours}"),
            )
            .await;
        }
        let hello = tokio::time::timeout(INTRODUCTION, lines.read()).await;
        let Ok(Ok(Some(FromConnector::Hello {
            protocol,
            connector,
        }))) = hello
        else {
            return refuse(&mut lines, "a hello is expected first".to_owned()).await;
        };
        if protocol != PROTOCOL {
            return refuse(
                &mut lines,
                format!("protocol {PROTOCOL} is spoken here, not {protocol}"),
            )
            .await;
        }
        let seat = connector
            .parse()
            .ok()
            .and_then(|name: ConnectorName| Some((self.seat_of(&name)?, name)));
        let Some((seat, name)) = seat else {
            return refuse(
                &mut lines,
                format!("no connector `{}` is configured", one_line(&connector)),
            )
            .await;
        };
        info!(connector = %name, "connected");
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        seat.state.send_modify(|state| {
            state.connections.insert(number, None);
        });
        let receiver = Receiver::Socket {
            uid: peer,
            pid: credentials.pid(),
        };
        let ended = self
            .exchange(&name, number, &seat, &receiver, &mut lines)
            .await;
        seat.state.send_modify(|state| {
            state.connections.remove(&number);
        });
        info!(connector = %name, "disconnected");
        ended
    }

    /// Identities down, reports up, until either end has enough.
    async fn exchange(
        &self,
        name: &ConnectorName,
        number: u64,
        seat: &Seat,
        receiver: &Receiver,
        lines: &mut Lines<UnixStream>,
    ) -> Result<(), LineError> {
        let mut identity = seat.identity.subscribe();
        identity.mark_changed();
        loop {
            tokio::select! {
                message = lines.read() => match message? {
                    None => return Ok(()),
                    Some(FromConnector::Report(report)) => {
                        let report = report::heard(name, &report, self.clock.now());
                        seat.state.send_modify(|state| {
                            state.connections.insert(number, Some(report.clone()));
                            state.last = Some(report);
                        });
                    }
                    Some(_) => {}
                },
                // The seat is gone when the configuration no longer names the connector.
                changed = identity.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let laid = identity.borrow_and_update().clone();
                    if let Some(handover) = laid {
                        let export = Export::new(name, &handover, receiver.clone());
                        if !self.let_out(&export, &handover, lines).await? {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    /// Lets a key out to a connection, and has it written down before and after. Whether the conversation goes on.
    async fn let_out(
        &self,
        export: &Export,
        handover: &Handover,
        lines: &mut Lines<UnixStream>,
    ) -> Result<bool, LineError> {
        let begun = match self.exports.begin(export) {
            Ok(begun) => begun,
            Err(error) => {
                error!(connector = %export.connector, "its key is not handed over, since that cannot be written down: {error}");
                let reason = "the daemon cannot write to its store".to_owned();
                return refuse(lines, reason).await.map(|()| false);
            }
        };
        let written = lines.write(&FromDaemon::Identity(push(handover))).await;
        let outcome = match &written {
            Ok(()) => ExportOutcome::Delivered,
            Err(error) => ExportOutcome::Failed {
                why: error.to_string().into(),
            },
        };
        let noted = self.exports.end(begun, export, outcome);
        if let Err(error) = &noted {
            error!(connector = %export.connector, "that it has its key cannot be written down: {error}");
        }
        written.map(|()| noted.is_ok())
    }

    fn seat_of(&self, connector: &ConnectorName) -> Option<Arc<Seat>> {
        self.lock().get(connector).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ConnectorName, Arc<Seat>>> {
        // The map is whole between any two statements, so a panic elsewhere has not harmed it.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(handover: &Handover) -> Push {
    Push {
        generation: u64::from(handover.generation.count()),
        fingerprint: (*handover.fingerprint.as_bytes()).into(),
        bundle_pem: SecretPem::new(handover.bundle_pem.clone()),
        drain_seconds: handover.drain.unsigned().as_secs(),
    }
}

async fn refuse(lines: &mut Lines<UnixStream>, reason: String) -> Result<(), LineError> {
    warn!("a connector was turned away: {reason}");
    lines.write(&FromDaemon::Refused { reason }).await
}

fn applied(state: &HubState, fingerprint: &Fingerprint) -> bool {
    !state.connections.is_empty()
        && state
            .connections
            .values()
            .all(|report| is_in_use(report.as_ref(), fingerprint))
}

fn is_in_use(report: Option<&ConnectorReport>, fingerprint: &Fingerprint) -> bool {
    report.is_some_and(|report| report::in_use(report, fingerprint))
}

fn not_seen(
    connector: &ConnectorName,
    limit: Lapse,
    report: Option<&ConnectorReport>,
    fingerprint: &Fingerprint,
) -> DeliveryError {
    DeliveryError::NotSeenInUse {
        connector: connector.clone(),
        limit,
        seen: report::missing(report, fingerprint),
    }
}
