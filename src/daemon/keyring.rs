//! Secrets over the control socket, kept out of HTTP.
//!
//! An HTTP library copies what it carries into buffers that nobody wipes. So a request about secrets begins
//! as HTTP, is upgraded (RFC 9110 §7.8), and goes on as frames on the bare socket: the request as JSON, then
//! each secret by itself, then the answer as JSON. Both ends read and write secrets from buffers that are
//! wiped. The kernel's copy in the socket is out of anybody's reach but root's.

use std::{io, path::Path};

use http_body_util::{BodyExt, Empty};
use hyper::{StatusCode, body::Bytes, client::conn::http1, header, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
};
use zeroize::Zeroizing;

use super::client::{ClientError, claiming};
use crate::{
    model::audit::Actor,
    service::{KeyringReply, KeyringRequest, ServiceError},
};

/// Where an upgrade is asked for.
pub(super) const PATH: &str = "/v1/keyring";

/// What is upgraded to.
pub(super) const PROTOCOL: &str = "countersign-keyring/1";

/// No frame is longer, in bytes.
const LONGEST: usize = 64 * 1024;

/// No request brings more secrets.
const MOST_SECRETS: u8 = 4;

/// A secret on its way, as the store crate encodes it.
pub type SecretFrame = Zeroizing<Vec<u8>>;

#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    request: KeyringRequest,
    secrets: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Done(KeyringReply),
    Refused(ServiceError),
}

pub(super) async fn write_frame(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(bytes.len())
        .ok()
        .filter(|length| *length as usize <= LONGEST)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    to.write_u32(length).await?;
    to.write_all(bytes).await
}

pub(super) async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<SecretFrame> {
    let length = from.read_u32().await? as usize;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // Made at its full size, so that it never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Reads a request and its secrets.
pub(super) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(KeyringRequest, Vec<SecretFrame>)> {
    let Head { request, secrets } = serde_json::from_slice(&read_frame(stream).await?)?;
    if secrets > MOST_SECRETS {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frames = Vec::new();
    for _ in 0..secrets {
        frames.push(read_frame(stream).await?);
    }
    Ok((request, frames))
}

/// Writes the answer.
pub(super) async fn write_answer(
    stream: &mut (impl AsyncWrite + Unpin),
    answer: Result<KeyringReply, ServiceError>,
) -> io::Result<()> {
    let answer = match answer {
        Ok(reply) => Answer::Done(reply),
        Err(refusal) => Answer::Refused(refusal),
    };
    write_frame(stream, &serde_json::to_vec(&answer)?).await?;
    stream.flush().await
}

/// The socket under an upgraded conversation. The other end writes nothing before it is told that the
/// upgrade took place, so nothing has been read ahead.
pub(super) fn bare(upgraded: Upgraded) -> Option<UnixStream> {
    let parts = upgraded.downcast::<TokioIo<UnixStream>>().ok()?;
    parts.read_buf.is_empty().then(|| parts.io.into_inner())
}

/// The bare socket after an upgrade that the daemon agreed to.
pub(super) async fn upgraded(
    socket: &Path,
    actor: &Actor,
    path: &'static str,
    protocol: &'static str,
) -> Result<UnixStream, ClientError> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(ClientError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let call = hyper::Request::post(path)
        .header(header::HOST, "countersign")
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, protocol);
    let call = claiming(call, actor)
        .body(Empty::<Bytes>::new())
        .expect("method, path and headers are constants and a number");
    let response = sender.send_request(call).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let answer = response.into_body().collect().await?.to_bytes();
        return Err(serde_json::from_slice::<ServiceError>(&answer)?.into());
    }
    bare(hyper::upgrade::on(response).await?).ok_or(ClientError::NoUpgrade)
}

/// Asks the daemon about the store's secrets. What `actor` claims is handed on as a claim.
pub async fn call_keyring(
    socket: &Path,
    actor: &Actor,
    request: KeyringRequest,
    secrets: &[SecretFrame],
) -> Result<KeyringReply, ClientError> {
    let mut stream = upgraded(socket, actor, PATH, PROTOCOL).await?;
    let secrets_count = u8::try_from(secrets.len()).unwrap_or(u8::MAX);
    let head = Head {
        request,
        secrets: secrets_count,
    };
    let exchange = async {
        write_frame(&mut stream, &serde_json::to_vec(&head)?).await?;
        for secret in secrets {
            write_frame(&mut stream, secret).await?;
        }
        stream.flush().await?;
        read_frame(&mut stream).await
    };
    let answer = exchange.await.map_err(ClientError::BrokenOff)?;
    match serde_json::from_slice(&answer)? {
        Answer::Done(reply) => Ok(reply),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_and_its_secrets_arrive_as_they_were_sent() {
        let (mut near, mut far) = tokio::io::duplex(256);
        let head = Head {
            request: KeyringRequest::Unlock,
            secrets: 1,
        };
        write_frame(&mut near, &serde_json::to_vec(&head).unwrap())
            .await
            .unwrap();
        write_frame(&mut near, b"p\0\"a secret\"").await.unwrap();
        let (request, secrets) = read_request(&mut far).await.unwrap();
        assert!(matches!(request, KeyringRequest::Unlock));
        assert_eq!(*secrets[0], b"p\0\"a secret\"");
    }

    #[tokio::test]
    async fn what_is_longer_than_any_secret_is_refused_before_it_is_read() {
        let (mut near, mut far) = tokio::io::duplex(256);
        near.write_u32(u32::MAX).await.unwrap();
        assert!(read_request(&mut far).await.is_err());
        let too_many = br#"{"request":"unlock","secrets":200}"#;
        let (mut near, mut far) = tokio::io::duplex(256);
        write_frame(&mut near, too_many).await.unwrap();
        assert!(read_request(&mut far).await.is_err());
    }
}
