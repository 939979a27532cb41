//! The other end of the control socket.

use std::{io, path::Path};

use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::{
    model::audit::Actor,
    service::{Reply, Request, ServiceError},
};

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// It answered with a refusal.
    #[error(transparent)]
    Refused(#[from] ServiceError),
    /// The conversation broke off; the request may have been carried out.
    #[error("the daemon broke off; it may have carried the request out")]
    Http(#[from] hyper::Error),
    /// It broke off while secrets were handed over.
    #[error("the daemon broke off while secrets were handed over")]
    BrokenOff(#[source] io::Error),
    /// It does not take secrets.
    #[error("the daemon takes no secrets; is it of another version?")]
    NoUpgrade,
    /// It could not be reached.
    #[error("the daemon cannot be reached")]
    Connect(#[source] io::Error),
    /// It spoke another language: another version of countersign.
    #[error("the daemon's answer is not understood; is it of another version?")]
    Json(#[from] serde_json::Error),
}

/// Whether a daemon answers at the socket.
pub async fn is_running(socket: &Path) -> bool {
    UnixStream::connect(socket).await.is_ok()
}

/// With what `actor` claims of itself.
pub(super) fn claiming(
    call: hyper::http::request::Builder,
    actor: &Actor,
) -> hyper::http::request::Builder {
    match actor.claims.sudo_uid {
        Some(uid) => call.header(super::control::SUDO_UID, uid),
        None => call,
    }
}

/// Asks the daemon. Who asks it learns from the kernel; what `actor` claims is handed on as a claim.
pub async fn call(socket: &Path, actor: &Actor, request: &Request) -> Result<Reply, ClientError> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(ClientError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = Full::new(Bytes::from(serde_json::to_vec(request)?));
    let call = hyper::Request::post("/v1/call")
        .header(header::HOST, "countersign")
        .header(header::CONTENT_TYPE, "application/json");
    let call = claiming(call, actor)
        .body(body)
        .expect("method, path and headers are constants and a number");
    let response = sender.send_request(call).await?;
    let accepted = response.status().is_success();
    let answer = response.into_body().collect().await?.to_bytes();
    if accepted {
        Ok(serde_json::from_slice(&answer)?)
    } else {
        let refusal: ServiceError = serde_json::from_slice(&answer).unwrap_or_else(|_| {
            ServiceError::failed(crate::model::one_line(&String::from_utf8_lossy(&answer)))
        });
        Err(refusal.into())
    }
}
