//! Lines of JSON over a byte stream, bounded in length. They may hold private keys, so buffers are wiped.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::{Zeroize, Zeroizing};

use super::MAX_LINE;

/// How much a buffer starts with; an identity fits without growing.
const START: usize = 32 * 1024;

/// Why the conversation cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The other end closed inside a line.
    #[error("the connection ended inside a line, after {length} bytes of it")]
    CutOff {
        /// How much of the line had come.
        length: usize,
    },
    /// The message could not be written as JSON.
    #[error("a message cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// A line that is no message.
    #[error("a line of {length} bytes is no message of this protocol")]
    NotAMessage {
        /// Its length.
        length: usize,
        /// Where the parser stopped.
        source: serde_json::Error,
    },
    /// The stream could not be read.
    #[error("the connection cannot be read")]
    Read(#[source] io::Error),
    /// More bytes than a line may have.
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// The stream could not be written.
    #[error("the connection cannot be written to")]
    Write(#[source] io::Error),
}

/// A stream of messages; either end of the protocol.
#[derive(Debug)]
pub struct Lines<IO> {
    io: IO,
    buffer: Zeroizing<Vec<u8>>,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Lines<IO> {
    /// Speaks over this stream.
    #[must_use]
    pub fn new(io: IO) -> Self {
        Self {
            io,
            buffer: Zeroizing::new(Vec::with_capacity(START)),
            searched: 0,
        }
    }

    /// The next message; none when the other end closed between two lines. Dropping the future loses nothing, so it
    /// may be one branch of a `select!`.
    ///
    /// # Errors
    /// The stream fails, or what comes is no message. The conversation is over then.
    pub async fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LineError> {
        loop {
            if let Some(end) = self.line_end() {
                return self.take(end).map(Some);
            }
            if self.buffer.len() >= MAX_LINE {
                return Err(LineError::TooLong);
            }
            self.make_room();
            let read = self
                .io
                .read_buf(&mut *self.buffer)
                .await
                .map_err(LineError::Read)?;
            match (read, self.buffer.len()) {
                (0, 0) => return Ok(None),
                (0, length) => return Err(LineError::CutOff { length }),
                _ => {}
            }
        }
    }

    /// Writes one message. Dropping the future may leave half a line: do not go on then.
    ///
    /// # Errors
    /// The message is too long, or the stream fails.
    pub async fn write<T: Serialize + Sync>(&mut self, message: &T) -> Result<(), LineError> {
        let mut line = Zeroizing::new(Vec::with_capacity(START));
        serde_json::to_writer(&mut *line, message).map_err(LineError::Encode)?;
        line.push(b'\n');
        if line.len() > MAX_LINE {
            return Err(LineError::TooLong);
        }
        self.io.write_all(&line).await.map_err(LineError::Write)?;
        self.io.flush().await.map_err(LineError::Write)
    }

    fn line_end(&mut self) -> Option<usize> {
        let found = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        let end = found.map(|at| self.searched + at);
        self.searched = end.unwrap_or(self.buffer.len());
        end
    }

    /// Takes the line that ends before `end` out of the buffer, and wipes its place.
    fn take<T: DeserializeOwned>(&mut self, end: usize) -> Result<T, LineError> {
        let message = serde_json::from_slice(&self.buffer[..end]);
        let rest = self.buffer.len() - end - 1;
        self.buffer.copy_within(end + 1.., 0);
        self.buffer[rest..].zeroize();
        self.buffer.truncate(rest);
        self.searched = 0;
        message.map_err(|source| LineError::NotAMessage {
            length: end,
            source,
        })
    }

    /// A vector that grows by itself would leave a copy of a key behind.
    fn make_room(&mut self) {
        if self.buffer.len() == self.buffer.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(
                (self.buffer.capacity() * 2).min(MAX_LINE),
            ));
            larger.extend_from_slice(&self.buffer);
            self.buffer = larger;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::FromDaemon;

    #[tokio::test]
    async fn messages_survive_any_cut_of_the_stream() {
        let sent = b"{\"type\":\"ping\"}\n{\"type\":\"refused\",\"reason\":\"unknown\"}\n{\"type\":\"ping\"}\n";
        for cut in 0..sent.len() {
            let (mut there, here) = tokio::io::duplex(8);
            let mut lines = Lines::new(here);
            let writing = async {
                there.write_all(&sent[..cut]).await.unwrap();
                there.write_all(&sent[cut..]).await.unwrap();
                drop(there);
            };
            let reading = async {
                let mut read = Vec::new();
                while let Some(message) = lines.read::<FromDaemon>().await.unwrap() {
                    read.push(message);
                }
                read
            };
            let ((), read) = tokio::join!(writing, reading);
            let refused = FromDaemon::Refused {
                reason: "unknown".to_owned(),
            };
            assert_eq!(read, [FromDaemon::Ping, refused, FromDaemon::Ping]);
        }
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused_at_the_bound() {
        let (mut there, here) = tokio::io::duplex(64 * 1024);
        let flood =
            tokio::spawn(async move { while there.write_all(&[b'x'; 4096]).await.is_ok() {} });
        let refused = Lines::new(here).read::<FromDaemon>().await.unwrap_err();
        assert!(matches!(refused, LineError::TooLong), "{refused}");
        flood.await.unwrap();
    }

    #[tokio::test]
    async fn half_a_line_is_not_taken_for_a_message() {
        let (mut there, here) = tokio::io::duplex(64);
        there.write_all(b"{\"type\":\"ping\"}").await.unwrap();
        drop(there);
        let refused = Lines::new(here).read::<FromDaemon>().await.unwrap_err();
        assert!(
            matches!(refused, LineError::CutOff { length: 15 }),
            "{refused}"
        );
    }
}
