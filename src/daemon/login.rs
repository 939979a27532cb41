//! A probe with a login, over the control socket.
//!
//! What is logged in with takes the way of the store's secrets (see [`keyring`](super::keyring)): the conversation is
//! upgraded from HTTP and goes on as frames on the bare socket. First the request, then each piece of the account by
//! itself; then the answer, piece by piece, and an empty frame.

use std::{io, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt, net::UnixStream};

use super::{
    client::ClientError,
    desk::Desk,
    keyring::{self, SecretFrame, read_frame, write_frame},
};
use crate::{
    model::audit::Actor,
    probe::Account,
    service::{LoginRequest, Reply, ServiceError},
};

/// Where an upgrade is asked for.
pub(super) const PATH: &str = "/v1/probe";

/// What is upgraded to.
pub(super) const PROTOCOL: &str = "countersign-probe/1";

/// How much of the answer goes into one frame, in bytes.
const PIECE: usize = 32 * 1024;

/// No answer is longer, in bytes.
const LONGEST: usize = 16 << 20;

/// No account has more pieces.
const MOST_PIECES: u8 = 4;

#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    request: LoginRequest,
    method: String,
    pieces: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Done(Box<Reply>),
    Refused(ServiceError),
}

/// Reads the request and the account.
pub(super) async fn read_request(
    stream: &mut UnixStream,
) -> io::Result<(LoginRequest, Result<Account, ServiceError>)> {
    let Head {
        request,
        method,
        pieces,
    } = serde_json::from_slice(&read_frame(stream).await?)?;
    if pieces > MOST_PIECES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frames = Vec::new();
    for _ in 0..pieces {
        frames.push(read_frame(stream).await?);
    }
    let account = Account::from_frames(&method, &frames)
        .map_err(|fault| ServiceError::failed(format!("the account: {fault}")));
    Ok((request, account))
}

/// Answers on the bare socket.
pub(super) async fn answer(
    desk: &Arc<Desk>,
    actor: Actor,
    request: LoginRequest,
    account: Result<Account, ServiceError>,
    stream: &mut UnixStream,
) -> io::Result<()> {
    let desk = desk.clone();
    // A task of its own: a caller who hangs up half way does not stop a login that may have gone out.
    let handled = tokio::spawn(async move {
        desk.serving()?
            .probe_and_log_in(actor, request, account?)
            .await
    })
    .await;
    let answer = match handled {
        Ok(Ok(reply)) => Answer::Done(Box::new(reply)),
        Ok(Err(refusal)) => Answer::Refused(refusal),
        Err(error) => Answer::Refused(ServiceError::failed(format!(
            "the daemon failed at this request: {error}"
        ))),
    };
    for piece in serde_json::to_vec(&answer)?.chunks(PIECE) {
        write_frame(stream, piece).await?;
    }
    write_frame(stream, b"").await?;
    stream.flush().await
}

/// Asks the daemon for a probe with a login. What `actor` claims is handed on as a claim.
pub async fn call_login(
    socket: &Path,
    actor: &Actor,
    request: LoginRequest,
    method: &str,
    account: &[SecretFrame],
) -> Result<Reply, ClientError> {
    let mut stream = keyring::upgraded(socket, actor, PATH, PROTOCOL).await?;
    let head = Head {
        request,
        method: method.to_owned(),
        pieces: u8::try_from(account.len()).unwrap_or(u8::MAX),
    };
    let exchange = async {
        write_frame(&mut stream, &serde_json::to_vec(&head)?).await?;
        for piece in account {
            write_frame(&mut stream, piece).await?;
        }
        stream.flush().await?;
        let mut answer = Vec::new();
        loop {
            let piece = read_frame(&mut stream).await?;
            if piece.is_empty() {
                return Ok(answer);
            }
            if answer.len() + piece.len() > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
            answer.extend_from_slice(&piece);
        }
    };
    let answer = exchange.await.map_err(ClientError::BrokenOff)?;
    match serde_json::from_slice(&answer)? {
        Answer::Done(reply) => Ok(*reply),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn head(pieces: u8) -> Vec<u8> {
        let request = LoginRequest {
            identity: "acme".parse().unwrap(),
            destination: "acme/test".parse().unwrap(),
            generation: crate::service::GenerationSlot::Current,
        };
        let method = "token".to_owned();
        serde_json::to_vec(&Head {
            request,
            method,
            pieces,
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_request_and_its_account_arrive_as_they_were_sent() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let piece: SecretFrame = Zeroizing::new(b"a \"token\"\0".to_vec());
        write_frame(&mut near, &head(1)).await.unwrap();
        write_frame(&mut near, &piece).await.unwrap();
        let (request, account) = read_request(&mut far).await.unwrap();
        assert_eq!(request.identity.as_str(), "acme");
        let (method, pieces) = account.unwrap().to_frames().unwrap();
        assert_eq!((method, pieces), ("token", vec![piece]));
    }

    #[tokio::test]
    async fn more_pieces_than_any_account_has_are_refused_before_they_are_read() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        write_frame(&mut near, &head(200)).await.unwrap();
        assert!(read_request(&mut far).await.is_err());
    }

    #[tokio::test]
    async fn pieces_that_make_no_account_are_a_refusal_that_shows_none_of_them() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        write_frame(&mut near, &head(2)).await.unwrap();
        for piece in [b"hush-1", b"hush-2"] {
            write_frame(&mut near, piece).await.unwrap();
        }
        let (_, account) = read_request(&mut far).await.unwrap();
        let refusal = format!("{:?}", account.unwrap_err());
        assert!(!refusal.contains("hush"), "{refusal}");
    }
}
