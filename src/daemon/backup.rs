//! Backups over the control socket.
//!
//! The daemon reads and encrypts, and whoever asked writes: so the file belongs to them, lies where they may write,
//! and the daemon, which a service manager keeps from most of the disk, needs to write nowhere. What goes over the
//! socket is encrypted already. As in [`keyring`](super::keyring) the conversation is upgraded from HTTP and goes on
//! as frames, since a passphrase may come with the request: the request, the passphrase, then the file piece by
//! piece, an empty frame, and the answer. Without the answer there is no backup.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt, net::UnixStream, sync::mpsc};
use zeroize::Zeroizing;

use super::{
    client::ClientError,
    desk::Desk,
    keyring::{self, SecretFrame, read_frame, write_frame},
};
use crate::{
    model::audit::Actor,
    records::{BackupRecipients, Passphrase},
    service::{BackupRequest, BackupTo, BackupView, Service, ServiceError},
};

/// Where an upgrade is asked for.
pub(super) const PATH: &str = "/v1/store/backup";

/// What is upgraded to.
pub(super) const PROTOCOL: &str = "countersign-backup/1";

/// How much of the file goes into one frame, in bytes.
const PIECE: usize = 32 * 1024;

/// How many pieces wait for a reader.
const PIECES: usize = 8;

/// How long a reader may take for one piece: writers may wait for the end of a backup.
const STALLED: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Taken(BackupView),
    Refused(ServiceError),
}

/// Answers on the bare socket.
pub(super) async fn answer(desk: &Desk, actor: Actor, stream: &mut UnixStream) -> io::Result<()> {
    let BackupRequest { file, to } = serde_json::from_slice(&read_frame(stream).await?)?;
    let passphrase = match to {
        BackupTo::Passphrase => Some(read_frame(stream).await?),
        BackupTo::Recipients { .. } => None,
    };
    let answer = match prepared(desk, &to, passphrase) {
        Err(refusal) => Answer::Refused(refusal),
        Ok((service, recipients)) => {
            let (pieces, mut coming) = mpsc::channel::<Vec<u8>>(PIECES);
            let taking = tokio::task::spawn_blocking(move || {
                let mut out = io::BufWriter::with_capacity(PIECE, Pieces(pieces));
                let taken = service.back_up(actor, &file, &mut out, &recipients)?;
                out.flush()
                    .map_err(|error| ServiceError::from_error(&error))?;
                Ok::<_, ServiceError>(taken)
            });
            while let Some(piece) = coming.recv().await {
                for piece in piece.chunks(PIECE) {
                    tokio::time::timeout(STALLED, write_frame(stream, piece)).await??;
                }
            }
            match taking.await {
                Ok(Ok(view)) => Answer::Taken(view),
                Ok(Err(refusal)) => Answer::Refused(refusal),
                Err(error) => Answer::Refused(ServiceError::failed(format!(
                    "the daemon failed at the backup: {error}"
                ))),
            }
        }
    };
    write_frame(stream, b"").await?;
    write_frame(stream, &serde_json::to_vec(&answer)?).await?;
    stream.flush().await
}

fn prepared(
    desk: &Desk,
    to: &BackupTo,
    passphrase: Option<SecretFrame>,
) -> Result<(Arc<Service>, BackupRecipients), ServiceError> {
    let service = desk.serving()?;
    let recipients = match (to, passphrase) {
        (BackupTo::Recipients { names }, _) => service.backup_recipients(names)?,
        (BackupTo::Passphrase, passphrase) => {
            let bytes = passphrase.unwrap_or_default();
            let text = std::str::from_utf8(&bytes)
                .map(|text| Zeroizing::new(text.to_owned()))
                .map_err(|_| ServiceError::failed("the passphrase is no UTF-8 text"))?;
            if text.is_empty() {
                return Err(ServiceError::failed(
                    "the passphrase of the backup is empty",
                ));
            }
            BackupRecipients::Passphrase(Passphrase::new(text))
        }
    };
    Ok((service, recipients))
}

/// Hands the stream over, piece by piece, to the task that writes to the socket.
struct Pieces(mpsc::Sender<Vec<u8>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The reader is gone: nobody wants the rest.
        self.0
            .blocking_send(bytes.to_vec())
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Asks the daemon for a backup, and writes it to `out` as it comes. What `actor` claims is handed on as a claim.
pub async fn call_backup(
    socket: &Path,
    actor: &Actor,
    request: &BackupRequest,
    passphrase: Option<&SecretFrame>,
    out: &mut impl Write,
) -> Result<BackupView, ClientError> {
    let mut stream = keyring::upgraded(socket, actor, PATH, PROTOCOL).await?;
    let conversation = async {
        write_frame(&mut stream, &serde_json::to_vec(request)?).await?;
        if let Some(passphrase) = passphrase {
            write_frame(&mut stream, passphrase).await?;
        }
        stream.flush().await?;
        loop {
            let piece = read_frame(&mut stream).await?;
            if piece.is_empty() {
                return read_frame(&mut stream).await;
            }
            out.write_all(&piece)?;
        }
    };
    let answer = conversation.await.map_err(ClientError::BrokenOff)?;
    match serde_json::from_slice(&answer)? {
        Answer::Taken(view) => Ok(view),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}
