//! Postfix as the partner's mail server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use countersign_peers::{Authority, Postfix, SmtpTls, eventually};

use crate::tools::{python, write};

/// Sends one letter to argv[4]; prints `sent`, or the code of the refusal.
const SEND: &str = r"
import smtplib, ssl, sys
mode, port, anchors, recipient = sys.argv[1:]
context = ssl.create_default_context(cafile=anchors)
if mode == 'implicit':
    smtp = smtplib.SMTP_SSL('localhost', int(port), context=context, timeout=20)
else:
    smtp = smtplib.SMTP('localhost', int(port), timeout=20)
if mode == 'starttls':
    smtp.starttls(context=context)
try:
    smtp.sendmail('ops@align.test', [recipient], b'Subject: hello\r\n\r\nthe new key\r\n')
    print('sent')
except smtplib.SMTPRecipientsRefused as refusal:
    print(refusal.recipients[recipient][0])
except smtplib.SMTPSenderRefused as refusal:
    print(refusal.smtp_code)
";

struct Client {
    directory: tempfile::TempDir,
}

impl Client {
    fn trusting(authority: &Authority) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        write(&directory.path().join("anchors.pem"), &authority.pem());
        Self { directory }
    }

    fn send(&self, mode: &str, postfix: &Postfix, recipient: &str) -> String {
        let anchors = self.directory.path().join("anchors.pem");
        let anchors = anchors.to_str().expect("a temporary path is text");
        let port = postfix.addr().port().to_string();
        python(SEND, &[mode, &port, anchors, recipient])
    }
}

#[test]
fn a_letter_sent_by_starttls_is_found_in_the_mailbox() {
    let root = Authority::root("Mail root");
    let postfix = Postfix::start(&root.server("mail.test"), SmtpTls::StartTlsRequired);
    let client = Client::trusting(&root);
    for count in 1..=2 {
        let recipient = format!("sec{count}@partner.test");
        assert_eq!(client.send("starttls", &postfix, &recipient), "sent");
        let messages = postfix.wait_for_messages(count);
        let message = String::from_utf8_lossy(&messages[count - 1]).into_owned();
        assert!(message.contains("\nSubject: hello\n"), "{message}");
        assert!(message.ends_with("\n\nthe new key\n"), "{message}");
        assert!(
            message.contains(&format!("Delivered-To: {recipient}")),
            "{message}"
        );
    }
}

#[test]
fn nothing_is_taken_before_starttls() {
    let root = Authority::root("Mail root");
    let postfix = Postfix::start(&root.server("mail.test"), SmtpTls::StartTlsRequired);
    let stream = TcpStream::connect(postfix.addr()).expect("the server listens");
    let mut lines = BufReader::new(stream.try_clone().expect("a socket can be shared")).lines();
    let mut line = || lines.next().expect("the server goes on").expect("in ASCII");
    assert!(line().starts_with("220 "));
    (&stream)
        .write_all(b"EHLO client.test\r\n")
        .expect("the server reads");
    while line().starts_with("250-") {}
    (&stream)
        .write_all(b"MAIL FROM:<ops@align.test>\r\n")
        .expect("the server reads");
    let refusal = line();
    assert!(refusal.starts_with("530 "), "{refusal}");
    assert!(postfix.messages().is_empty());
}

#[test]
fn implicit_tls_and_no_tls_at_all_are_to_be_had() {
    let root = Authority::root("Mail root");
    let client = Client::trusting(&root);
    for (mode, tls) in [("implicit", SmtpTls::Implicit), ("plain", SmtpTls::None)] {
        let postfix = Postfix::start(&root.server("mail.test"), tls);
        assert_eq!(client.send(mode, &postfix, "sec@partner.test"), "sent");
        postfix.wait_for_messages(1);
    }
}

#[test]
fn a_server_without_tls_does_not_offer_starttls() {
    let root = Authority::root("Mail root");
    let postfix = Postfix::start(&root.server("mail.test"), SmtpTls::None);
    let offers = python(
        "import smtplib, sys; smtp = smtplib.SMTP('127.0.0.1', int(sys.argv[1])); \
         smtp.ehlo(); print(smtp.has_extn('starttls'))",
        &[&postfix.addr().port().to_string()],
    );
    assert_eq!(offers, "False");
}

#[test]
fn two_recipients_are_refused_for_good_and_for_now() {
    let root = Authority::root("Mail root");
    let postfix = Postfix::start(&root.server("mail.test"), SmtpTls::StartTlsRequired);
    let client = Client::trusting(&root);
    assert_eq!(
        client.send("starttls", &postfix, "reject@partner.test"),
        "550"
    );
    assert_eq!(client.send("starttls", &postfix, "later@other.test"), "450");
    eventually("the refusal is in the log", || {
        postfix.log().contains("try again later").then_some(())
    });
}
