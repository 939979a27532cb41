//! HTTP and JSON on the control socket, so that `curl --unix-socket` can ask too.
//!
//! `GET` never changes anything; what changes something is `POST /v1/call` with a request as JSON,
//! or `POST /v1/exchange/receive` with a mail as it is. Who asks is what the kernel says of the other end.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper::{body::Incoming, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::geteuid;
use serde::Deserialize;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tracing::warn;

use super::{backup, desk::Desk, keyring, login};
use crate::{
    model::{
        IdentityName,
        audit::{Actor, ActorKind},
    },
    service::{ErrorKind, Reply, Request, ServiceError, claims_of_process, login_of},
};

/// Conversations at once; more are made to wait.
const CONNECTIONS: usize = 64;

/// How long the head of a request may take to come.
const HEAD: Duration = Duration::from_secs(10);

/// The largest request, in bytes: a mail with attachments, written as JSON numbers.
const LARGEST: usize = 64 << 20;

/// A header in which our own command line says by whom `sudo` was called: a claim.
pub(super) const SUDO_UID: &str = "x-countersign-sudo-uid";

pub(super) async fn serve(desk: Arc<Desk>, listener: UnixListener) {
    let router = Router::new()
        .route("/v1/call", post(call))
        .route("/v1/exchange/receive", post(receive))
        .route(keyring::PATH, post(keyring))
        .route(backup::PATH, post(backup))
        .route(login::PATH, post(probe))
        .route("/v1/status", get(status))
        .route("/v1/identities", get(identities))
        .route("/v1/identities/{identity}", get(identity))
        .route("/v1/rotations/{identity}", get(rotation))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(desk.clone());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (desk, router) = (desk.clone(), router.clone());
                tokio::spawn(async move {
                    converse(&desk, router, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Descriptors may have run out: let some close before the next attempt.
                warn!(%error, "could not accept at the control socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(desk: &Desk, router: Router, stream: UnixStream) {
    let peer = match stream.peer_cred() {
        Ok(peer) => peer,
        Err(error) => return warn!(%error, "a peer without credentials was turned away"),
    };
    let actor = Actor {
        by: ActorKind::Peer,
        uid: peer.uid(),
        gid: peer.gid(),
        pid: peer.pid(),
        login: login_of(peer.uid()).map(Into::into),
        claims: claims_of_process(peer.pid(), None),
    };
    if ![geteuid().as_raw(), 0].contains(&peer.uid()) {
        warn!(user = peer.uid(), "turned away at the control socket");
        drop(stream);
        return desk.turned_away(actor);
    }
    let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        let mut actor = actor.clone();
        actor.claims.sudo_uid = claimed(request.headers());
        request.extensions_mut().insert(actor);
        async move {
            tower_service::Service::call(&mut router, request.map(axum::body::Body::new)).await
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a conversation at the control socket ended early");
    }
}

/// Who called `sudo` before calling us, if the peer says so.
fn claimed(headers: &HeaderMap) -> Option<u32> {
    headers.get(SUDO_UID)?.to_str().ok()?.parse().ok()
}

type Answer = Result<Json<Reply>, Refused>;

async fn call(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    Json(request): Json<Request>,
) -> Answer {
    answer(&desk, actor, request).await
}

/// A mail as it is (RFC 5322), for mail filters that speak HTTP.
async fn receive(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    mail: Bytes,
) -> Answer {
    answer(
        &desk,
        actor,
        Request::ExchangeReceive {
            mail: mail.to_vec(),
        },
    )
    .await
}

async fn status(State(desk): State<Arc<Desk>>, Extension(actor): Extension<Actor>) -> Answer {
    answer(&desk, actor, Request::Status).await
}

/// `?after=NAME&limit=N`
#[derive(Deserialize)]
struct Page {
    after: Option<IdentityName>,
    limit: Option<u32>,
}

async fn identities(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    Query(Page { after, limit }): Query<Page>,
) -> Answer {
    answer(&desk, actor, Request::IdentityList { after, limit }).await
}

async fn identity(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    Path(identity): Path<IdentityName>,
) -> Answer {
    answer(&desk, actor, Request::IdentityShow { identity }).await
}

async fn rotation(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    Path(identity): Path<IdentityName>,
) -> Answer {
    answer(&desk, actor, Request::RotationShow { identity }).await
}

/// Secrets do not come by HTTP: the conversation goes on as frames (see [`keyring`]).
async fn keyring(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    mut call: axum::extract::Request,
) -> Response {
    let Some(upgrade) = upgrade_to(&mut call, keyring::PROTOCOL) else {
        return Refused(
            ServiceError::failed("this is for secrets, which do not come by HTTP")
                .hint("countersign store --help"),
        )
        .into_response();
    };
    tokio::spawn(async move {
        let conversation = async {
            let mut stream = keyring::bare(upgrade.await.ok()?)?;
            let request = tokio::time::timeout(HEAD, keyring::read_request(&mut stream)).await;
            let (request, secrets) = request.ok()?.ok()?;
            let answer = desk.answer_keyring(actor, request, secrets).await;
            keyring::write_answer(&mut stream, answer).await.ok()
        };
        if conversation.await.is_none() {
            tracing::debug!("a conversation about secrets ended early");
        }
    });
    switching(keyring::PROTOCOL)
}

/// A backup is a stream with a secret before it and an answer after it (see [`backup`]).
async fn backup(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    mut call: axum::extract::Request,
) -> Response {
    let Some(upgrade) = upgrade_to(&mut call, backup::PROTOCOL) else {
        return Refused(
            ServiceError::failed("a backup is not sent by HTTP").hint("countersign store backup"),
        )
        .into_response();
    };
    tokio::spawn(async move {
        let conversation = async {
            let mut stream = keyring::bare(upgrade.await.ok()?)?;
            backup::answer(&desk, actor, &mut stream).await.ok()
        };
        if conversation.await.is_none() {
            warn!("a backup was not taken to its end by who asked for it");
        }
    });
    switching(backup::PROTOCOL)
}

/// An account at Jira is a secret, and comes as one (see [`login`]).
async fn probe(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    mut call: axum::extract::Request,
) -> Response {
    let Some(upgrade) = upgrade_to(&mut call, login::PROTOCOL) else {
        return Refused(
            ServiceError::failed("this is for an account at Jira, which does not come by HTTP")
                .hint("countersign probe IDENTITY --account FILE"),
        )
        .into_response();
    };
    tokio::spawn(async move {
        let conversation = async {
            let mut stream = keyring::bare(upgrade.await.ok()?)?;
            let request = tokio::time::timeout(HEAD, login::read_request(&mut stream)).await;
            let (request, account) = request.ok()?.ok()?;
            login::answer(&desk, actor, request, account, &mut stream)
                .await
                .ok()
        };
        if conversation.await.is_none() {
            tracing::debug!("a conversation about a login ended early");
        }
    });
    switching(login::PROTOCOL)
}

/// The conversation as it goes on, if the call asks for it to go on in this way.
fn upgrade_to(call: &mut axum::extract::Request, protocol: &str) -> Option<OnUpgrade> {
    let wanted = call.headers().get(header::UPGRADE)?;
    (wanted == protocol).then(|| hyper::upgrade::on(call))
}

/// Agrees to that.
fn switching(protocol: &'static str) -> Response {
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, protocol)];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Carried out in a task of its own: a caller who hangs up half way does not stop what was begun.
async fn answer(desk: &Arc<Desk>, actor: Actor, request: Request) -> Answer {
    let desk = desk.clone();
    let handled = tokio::spawn(async move { desk.answer(actor, request).await }).await;
    match handled {
        Ok(Ok(reply)) => Ok(Json(reply)),
        Ok(Err(error)) => Err(Refused(error)),
        Err(error) => Err(Refused(ServiceError::failed(format!(
            "the daemon failed at this request: {error}"
        )))),
    }
}

struct Refused(ServiceError);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            ErrorKind::Refused => StatusCode::CONFLICT,
            ErrorKind::Failed => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Locked => StatusCode::LOCKED,
        };
        (status, Json(self.0)).into_response()
    }
}
