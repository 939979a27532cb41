//! The partner's mail server: SMTP (RFC 5321) with STARTTLS (RFC 3207), without which it takes no mail.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    },
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::tls::{ServerCertificate, provider};

/// How long it waits for a client.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest line that it reads, in bytes, the line end included (RFC 5321 §4.5.3.1.6 wants 1000).
const LONGEST_LINE: u64 = 1000;

/// The largest mail that it takes, in bytes.
const LARGEST: usize = 10 << 20;

/// A mail that was delivered.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    /// The mailboxes that it was delivered to, as the envelope named them.
    pub(super) to: Vec<String>,
    /// The mail, CRLF line ends.
    pub(super) mail: Vec<u8>,
}

/// A running mail server; ends when it is dropped.
pub(super) struct Mailbox {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Mailbox {
    /// Listens on a free port of this machine. What is delivered comes out of the channel.
    pub(super) async fn start(
        certificate: ServerCertificate,
    ) -> io::Result<(Self, mpsc::Receiver<Delivered>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (chain, key) = certificate.into_parts();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map(ConfigWithVersions::with_no_client_auth)
            .and_then(|config| config.with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        let (delivered, mails) = mpsc::channel(16);
        let mut serving = JoinSet::new();
        serving.spawn(serve(
            listener,
            TlsAcceptor::from(Arc::new(config)),
            delivered,
        ));
        Ok((
            Self {
                address,
                _serving: serving,
            },
            mails,
        ))
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

type ConfigWithVersions = rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>;

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, delivered: mpsc::Sender<Delivered>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                conversations.spawn(converse(stream, acceptor.clone(), delivered.clone()));
            },
            Some(_) = conversations.join_next() => {}
        }
    }
}

/// One client. That it breaks off is its own affair: it has no 250 for its mail.
async fn converse(stream: TcpStream, acceptor: TlsAcceptor, delivered: mpsc::Sender<Delivered>) {
    let talk = async {
        let mut plain = Session::new(stream, None);
        plain.say("220 mail.acme.example ESMTP").await?;
        let Some(stream) = plain.talk().await? else {
            return Ok::<_, io::Error>(());
        };
        let stream = acceptor.accept(stream).await?;
        Session::new(stream, Some(delivered)).talk().await?;
        Ok(())
    };
    let _ = timeout(PATIENCE, talk).await;
}

/// A conversation; with somewhere to deliver once it is encrypted.
struct Session<S> {
    stream: BufReader<S>,
    delivered: Option<mpsc::Sender<Delivered>>,
    greeted: bool,
    from: bool,
    to: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S, delivered: Option<mpsc::Sender<Delivered>>) -> Self {
        Self {
            stream: BufReader::new(stream),
            delivered,
            greeted: false,
            from: false,
            to: Vec::new(),
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.stream
            .write_all(format!("{reply}\r\n").as_bytes())
            .await?;
        self.stream.flush().await
    }

    /// A line without its end; `None` when the client has gone.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.stream)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') || line.pop() != Some(b'\r') {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a line without CRLF, or too long",
            ));
        }
        Ok(Some(line))
    }

    /// Goes on until the client leaves; hands the stream back when TLS is to begin.
    async fn talk(mut self) -> io::Result<Option<S>> {
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).into_owned();
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    self.greeted = true;
                    self.reset();
                    match self.delivered {
                        Some(_) => self.say("250-mail.acme.example\r\n250 8BITMIME").await?,
                        None => self.say("250-mail.acme.example\r\n250 STARTTLS").await?,
                    }
                }
                "STARTTLS" if self.delivered.is_none() => {
                    self.say("220 go ahead").await?;
                    // What a stranger on the line said in advance must not be heard inside TLS.
                    let early = !self.stream.buffer().is_empty();
                    return Ok((!early).then(|| self.stream.into_inner()));
                }
                "NOOP" => self.say("250 fine").await?,
                "RSET" => {
                    self.reset();
                    self.say("250 forgotten").await?;
                }
                "QUIT" => {
                    self.say("221 bye").await?;
                    return Ok(None);
                }
                "MAIL" | "RCPT" | "DATA" if self.delivered.is_none() => {
                    self.say("530 5.7.0 Must issue a STARTTLS command first")
                        .await?;
                }
                "MAIL" if self.greeted && !self.from && path(argument, "FROM").is_some() => {
                    self.from = true;
                    self.say("250 2.1.0 sender").await?;
                }
                "RCPT" if self.from => match path(argument, "TO") {
                    Some(to) => {
                        self.to.push(to);
                        self.say("250 2.1.5 recipient").await?;
                    }
                    None => self.say("501 5.1.3 no mailbox").await?,
                },
                "DATA" if !self.to.is_empty() => self.data().await?,
                "MAIL" | "RCPT" | "DATA" => self.say("503 5.5.1 not now").await?,
                _ => self.say("502 5.5.1 not here").await?,
            }
        }
        Ok(None)
    }

    /// Takes a mail and undoes the doubled dots (RFC 5321 §4.5.2).
    async fn data(&mut self) -> io::Result<()> {
        self.say("354 go ahead").await?;
        let mut mail = Vec::new();
        loop {
            let line = self.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line == b"." {
                break;
            }
            // What is too much is read, or it would be taken for commands.
            if mail.len() <= LARGEST {
                mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                mail.extend_from_slice(b"\r\n");
            }
        }
        let to = std::mem::take(&mut self.to);
        self.reset();
        if mail.len() > LARGEST {
            return self.say("552 5.3.4 too large").await;
        }
        let taken = match &self.delivered {
            Some(delivered) => delivered.send(Delivered { to, mail }).await.is_ok(),
            None => false,
        };
        if taken {
            self.say("250 2.0.0 delivered").await
        } else {
            self.say("451 4.3.0 nobody reads mail here any more").await
        }
    }

    fn reset(&mut self) {
        self.from = false;
        self.to.clear();
    }
}

/// What stands between the angle brackets of `FROM:<…>` or `TO:<…>`.
fn path(argument: &str, word: &str) -> Option<String> {
    let (before, rest) = argument.split_once(':')?;
    let (mailbox, _) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    before
        .eq_ignore_ascii_case(word)
        .then(|| crate::model::one_line(mailbox))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{super::tls::ServerAuthority, *};

    async fn mailbox() -> (Mailbox, mpsc::Receiver<Delivered>) {
        let authority = ServerAuthority::new(Timestamp::UNIX_EPOCH).unwrap();
        Mailbox::start(authority.server().unwrap()).await.unwrap()
    }

    /// Says these lines in the clear; the replies.
    async fn said(lines: &[&str]) -> Vec<String> {
        let (mailbox, _mails) = mailbox().await;
        let mut stream = BufReader::new(TcpStream::connect(mailbox.address()).await.unwrap());
        let mut replies = Vec::new();
        for line in std::iter::once(&"").chain(lines) {
            if !line.is_empty() {
                let line = format!("{line}\r\n");
                stream.write_all(line.as_bytes()).await.unwrap();
            }
            let mut reply = String::new();
            while reply.is_empty() || reply.as_bytes()[3] == b'-' {
                reply.clear();
                assert!(stream.read_line(&mut reply).await.unwrap() > 0);
            }
            replies.push(reply.trim_end().to_owned());
        }
        replies
    }

    /// Says these lines to a session that counts as encrypted; the mails.
    async fn spoken(lines: &str) -> Vec<Delivered> {
        let (delivered, mut mails) = mpsc::channel(16);
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(lines.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let _ = Session::new(server, Some(delivered)).talk().await;
        let mut all = Vec::new();
        while let Some(mail) = mails.recv().await {
            all.push(mail);
        }
        all
    }

    #[tokio::test]
    async fn no_mail_is_taken_before_starttls() {
        let replies = said(&[
            "EHLO vendor.example",
            "MAIL FROM:<a@vendor.example>",
            "DATA",
        ])
        .await;
        assert_eq!(replies[1], "250 STARTTLS");
        assert!(
            replies[2].starts_with("530") && replies[3].starts_with("530"),
            "{replies:?}"
        );
    }

    #[tokio::test]
    async fn a_mail_needs_a_greeting_a_sender_and_a_recipient() {
        assert!(
            spoken("MAIL FROM:<a@b>\r\nDATA\r\nx\r\n.\r\n")
                .await
                .is_empty()
        );
        assert!(
            spoken("EHLO c\r\nMAIL FROM:<a@b>\r\nDATA\r\nx\r\n.\r\n")
                .await
                .is_empty()
        );
    }

    #[tokio::test]
    async fn doubled_dots_are_undone_and_a_lone_one_ends_the_mail() {
        let mails = spoken(
            "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nA: b\r\n\r\n..x\r\n...\r\n.\r\nQUIT\r\n",
        )
        .await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, ["c@d"]);
        assert_eq!(mails[0].mail, b"A: b\r\n\r\n.x\r\n..\r\n");
    }

    #[tokio::test]
    async fn words_that_came_before_tls_end_the_conversation() {
        let (mut client, server) = tokio::io::duplex(1024);
        client
            .write_all(b"STARTTLS\r\nMAIL FROM:<a@b>\r\n")
            .await
            .unwrap();
        assert!(Session::new(server, None).talk().await.unwrap().is_none());
    }
}
