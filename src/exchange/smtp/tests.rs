//! A server that does as it is told, on loopback.

use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::model::{LetterKind, MessageId};

/// What the server does out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Kind,
    GreetsWith(&'static str),
    OffersNoTls,
    TalksAfterStartTls,
    RefusesTheSecond(&'static str),
    HangsUpAfterData,
    RefusesThePassword,
}

/// Everything that reached it, and what of that came in the clear.
#[derive(Default)]
struct Heard {
    clear: String,
    secret: String,
}

struct Server {
    port: u16,
    anchor: Vec<u8>,
    heard: Arc<Mutex<Heard>>,
}

async fn server(mood: Mood, security: Security) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["mail.vendor.example".into()]).unwrap();
    params
        .subject_alt_names
        .push(rcgen::SanType::IpAddress("127.0.0.1".parse().unwrap()));
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let ear = Arc::clone(&heard);
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let tcp = match security {
            Security::ImplicitTls => tcp,
            Security::StartTls => match before_tls(tcp, mood, &ear).await {
                Some(tcp) => tcp,
                None => return,
            },
        };
        if let Ok(tls) = acceptor.accept(tcp).await {
            after_tls(tls, mood, security, &ear).await;
        }
    });
    Server {
        port,
        anchor: certificate.der().to_vec(),
        heard,
    }
}

async fn say(to: &mut (impl AsyncWrite + Unpin), text: &str) {
    to.write_all(text.as_bytes()).await.unwrap();
    to.flush().await.unwrap();
}

fn greeting(mood: Mood) -> &'static str {
    match mood {
        Mood::GreetsWith(words) => words,
        _ => "220 mail.vendor.example ready\r\n",
    }
}

async fn before_tls(tcp: TcpStream, mood: Mood, ear: &Mutex<Heard>) -> Option<TcpStream> {
    let mut tcp = BufReader::new(tcp);
    say(&mut tcp, greeting(mood)).await;
    loop {
        let mut line = String::new();
        if tcp.read_line(&mut line).await.unwrap() == 0 {
            return None;
        }
        ear.lock().unwrap().clear.push_str(&line);
        match (line.trim_end(), mood) {
            ("STARTTLS", Mood::TalksAfterStartTls) => {
                say(&mut tcp, "220 go\r\n250 nothing to see\r\n").await;
            }
            ("STARTTLS", _) => {
                say(&mut tcp, "220 go\r\n").await;
                return Some(tcp.into_inner());
            }
            (_, Mood::OffersNoTls) => say(&mut tcp, "250-mail\r\n250 PIPELINING\r\n").await,
            _ => say(&mut tcp, "250-mail\r\n250-PIPELINING\r\n250 STARTTLS\r\n").await,
        }
    }
}

async fn after_tls(
    tls: impl AsyncRead + AsyncWrite + Unpin,
    mood: Mood,
    security: Security,
    ear: &Mutex<Heard>,
) {
    let mut tls = BufReader::new(tls);
    if security == Security::ImplicitTls {
        say(&mut tls, greeting(mood)).await;
    }
    let (mut recipients, mut data) = (0, false);
    loop {
        let mut line = String::new();
        if tls.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        ear.lock().unwrap().secret.push_str(&line);
        let verb = line.split_whitespace().next().unwrap_or("");
        match (data, verb, mood) {
            (true, ".", Mood::HangsUpAfterData) => return,
            (true, ".", _) => {
                data = false;
                say(&mut tls, "250 2.0.0 queued as 4711\r\n").await;
            }
            (true, ..) => {}
            (_, "EHLO", _) => say(&mut tls, "250-mail\r\n250 AUTH PLAIN LOGIN\r\n").await,
            (_, "AUTH", Mood::RefusesThePassword) => {
                say(&mut tls, "535 5.7.8 no \u{1b}[31mway\r\n").await;
            }
            (_, "AUTH", _) => say(&mut tls, "235 welcome\r\n").await,
            (_, "RCPT", Mood::RefusesTheSecond(words)) if recipients == 1 => {
                say(&mut tls, words).await;
            }
            (_, "RCPT", _) => {
                recipients += 1;
                say(&mut tls, "250 ok\r\n").await;
            }
            (_, "DATA", _) => {
                data = true;
                say(&mut tls, "354 go on\r\n").await;
            }
            _ => say(&mut tls, "250 ok\r\n").await,
        }
    }
}

fn settings(server: &Server, security: Security) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".into(),
        port: server.port,
        security,
        anchors: vec![server.anchor.clone()],
        public_roots: false,
        server_name: None,
        credentials: Some(("ops".into(), Zeroizing::new("geheim".into()))),
        hello_name: "ops.vendor.example".into(),
        timeout: Duration::from_secs(20),
    }
}

fn letter() -> SealedLetter {
    SealedLetter {
        message_id: MessageId::from_header("<offer.1@vendor.example>"),
        kind: LetterKind::Offer,
        from: "ops@vendor.example".parse().unwrap(),
        to: vec![
            "sec@acme.example".parse().unwrap(),
            "second@acme.example".parse().unwrap(),
        ],
        encrypted: false,
        bytes: b"Subject: x\r\n\r\n.dot\r\ntext\r\n".to_vec(),
    }
}

async fn send(mood: Mood, security: Security) -> (Result<String, SendError>, Server) {
    let server = server(mood, security).await;
    let mailer = SmtpMailer::new(settings(&server, security)).unwrap();
    (mailer.send(&letter()).await, server)
}

#[tokio::test]
async fn a_letter_is_handed_over_by_both_ways_to_tls_and_nothing_goes_in_the_clear() {
    for security in [Security::ImplicitTls, Security::StartTls] {
        let (result, server) = send(Mood::Kind, security).await;
        assert_eq!(result.unwrap(), "250 2.0.0 queued as 4711");
        let heard = server.heard.lock().unwrap();
        assert!(heard.secret.contains("RCPT TO:<second@acme.example>"));
        assert!(heard.secret.contains("\r\n..dot\r\ntext\r\n"));
        assert!(!heard.clear.contains("AUTH") && !heard.clear.contains("MAIL"));
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let (result, server) = send(Mood::OffersNoTls, Security::StartTls).await;
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::TlsUnavailable { .. }) && !error.is_transient());
    assert_eq!(
        server.heard.lock().unwrap().clear,
        "EHLO ops.vendor.example\r\n"
    );
}

#[tokio::test]
async fn words_slipped_in_before_tls_end_the_conversation() {
    let (result, server) = send(Mood::TalksAfterStartTls, Security::StartTls).await;
    assert!(matches!(result, Err(SendError::Protocol { .. })));
    assert_eq!(server.heard.lock().unwrap().secret, "");
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_name_is_refused_before_anything_is_said() {
    for security in [Security::ImplicitTls, Security::StartTls] {
        for wrong_name in [false, true] {
            let server = server(Mood::Kind, security).await;
            let mut settings = settings(&server, security);
            if wrong_name {
                settings.server_name = Some("other.example".into());
            } else {
                let key = KeyPair::generate().unwrap();
                let stranger = CertificateParams::new(vec!["mail.vendor.example".into()])
                    .unwrap()
                    .self_signed(&key)
                    .unwrap();
                settings.anchors = vec![stranger.der().to_vec()];
            }
            let result = SmtpMailer::new(settings).unwrap().send(&letter()).await;
            assert!(
                matches!(result, Err(SendError::CertificateRefused { .. })),
                "{result:?}"
            );
            assert_eq!(server.heard.lock().unwrap().secret, "");
        }
    }
}

#[tokio::test]
async fn a_name_in_the_certificate_other_than_the_dialled_one_can_be_given() {
    let server = server(Mood::Kind, Security::ImplicitTls).await;
    let mut settings = settings(&server, Security::ImplicitTls);
    settings.server_name = Some("mail.vendor.example".into());
    assert!(
        SmtpMailer::new(settings)
            .unwrap()
            .send(&letter())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_recipient_that_is_put_off_or_refused_fails_the_letter() {
    for security in [Security::ImplicitTls, Security::StartTls] {
        let (later, server) = send(Mood::RefusesTheSecond("450 later\r\n"), security).await;
        assert!(matches!(later, Err(SendError::Transient { code: 450, .. })));
        assert!(!server.heard.lock().unwrap().secret.contains("DATA"));
        let (never, _) = send(Mood::RefusesTheSecond("550 5.1.1 who?\r\n"), security).await;
        assert!(matches!(never, Err(SendError::Permanent { code: 550, .. })));
    }
}

#[tokio::test]
async fn a_greeting_that_refuses_is_told_apart_from_one_that_puts_off() {
    for security in [Security::ImplicitTls, Security::StartTls] {
        let (busy, _) = send(Mood::GreetsWith("421 busy\r\n"), security).await;
        assert!(matches!(busy, Err(SendError::Transient { code: 421, .. })));
        let (no, _) = send(Mood::GreetsWith("554 no\r\n"), security).await;
        assert!(matches!(no, Err(SendError::Permanent { code: 554, .. })));
    }
}

#[tokio::test]
async fn a_connection_cut_after_the_letter_leaves_its_fate_open() {
    let (result, _) = send(Mood::HangsUpAfterData, Security::StartTls).await;
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::Interrupted { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_refused_password_is_named_and_the_reply_made_harmless() {
    let (result, _) = send(Mood::RefusesThePassword, Security::ImplicitTls).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, SendError::Authentication { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains('\u{1b}'));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let server = Server {
        port,
        anchor: server(Mood::Kind, Security::ImplicitTls).await.anchor,
        heard: Arc::default(),
    };
    let mailer = SmtpMailer::new(settings(&server, Security::StartTls)).unwrap();
    let error = mailer.send(&letter()).await.unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }) && error.is_transient());
}

#[tokio::test]
async fn settings_that_trust_nobody_or_verify_no_name_are_refused() {
    let server = server(Mood::Kind, Security::ImplicitTls).await;
    let base = settings(&server, Security::ImplicitTls);
    let mut trusting = base.clone();
    trusting.anchors.clear();
    assert!(matches!(
        SmtpMailer::new(trusting.clone()),
        Err(SettingsError::NoAnchors)
    ));
    trusting.public_roots = true;
    assert!(SmtpMailer::new(trusting).is_ok());
    let mut nameless = base.clone();
    nameless.host = "not a name".into();
    assert!(matches!(
        SmtpMailer::new(nameless),
        Err(SettingsError::ServerName { .. })
    ));
    let mut injecting = base;
    injecting.hello_name = "x\r\nMAIL FROM:<a@b>".into();
    assert!(matches!(
        SmtpMailer::new(injecting),
        Err(SettingsError::HelloName { .. })
    ));
}

/// Open until the server has heard this.
#[derive(Debug)]
struct UntilHeard(&'static str, Arc<Mutex<Heard>>);

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.secret)
    }
}

impl Fence for UntilHeard {
    fn is_open(&self) -> bool {
        !self.1.lock().unwrap().secret.contains(self.0)
    }
}

#[tokio::test]
async fn nothing_more_of_a_letter_goes_out_when_it_is_not_ours_to_send_any_more() {
    for (heard, not_heard) in [
        ("EHLO", "AUTH"),
        ("MAIL FROM", "DATA"),
        ("DATA", "Subject: x"),
    ] {
        let server = server(Mood::Kind, Security::ImplicitTls).await;
        let fence: Arc<dyn Fence> = Arc::new(UntilHeard(heard, Arc::clone(&server.heard)));
        let mailer = SmtpMailer::new(settings(&server, Security::ImplicitTls))
            .unwrap()
            .within(Some(fence));
        let error = mailer.send(&letter()).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        let said = server.heard.lock().unwrap();
        assert!(said.secret.contains(heard), "{}", said.secret);
        assert!(!said.secret.contains(not_heard), "{}", said.secret);
    }
}
