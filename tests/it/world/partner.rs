//! What the people at the partner do with a letter: open it with OpenSSL, install what it says, answer it.

use std::process::Command;

use aws_lc_rs::digest;
use countersign_peers::{Clients, openssl};
use mail_parser::{MessageParser, MimeHeaders};

use super::{Outcome, World};

/// A letter, opened and verified by OpenSSL.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Its name, without the brackets.
    pub(crate) message_id: String,
    /// Its subject.
    pub(crate) subject: String,
    /// What our mail server received.
    pub(crate) raw: Vec<u8>,
    /// Whether it had to be decrypted.
    pub(crate) encrypted: bool,
    /// The text for people.
    pub(crate) text: String,
    /// Names and contents of what is attached.
    pub(crate) attachments: Vec<(String, String)>,
}

impl Letter {
    /// The certificate and its authorities, from the attachment that holds everything.
    pub(crate) fn chain(&self) -> Vec<String> {
        pem_blocks(
            &self
                .attachments
                .first()
                .expect("an offer has an attachment")
                .1,
        )
    }

    /// The lines that the letter asks to be copied: ACCEPT, fingerprint, code.
    pub(crate) fn answer(&self) -> String {
        let mut lines = self
            .text
            .lines()
            .skip_while(|line| !line.trim_start().starts_with("ACCEPT "));
        (0..3)
            .map(|_| format!("{}\r\n", lines.next().expect("three lines").trim()))
            .collect()
    }

    /// The pins for nginx, as the letter spells them out.
    pub(crate) fn pins(&self) -> Vec<String> {
        let pin = |line: &str| {
            let (digits, rest) = line.trim().strip_prefix('"')?.split_once('"')?;
            rest.starts_with(" 1;").then(|| digits.to_owned())
        };
        self.text.lines().filter_map(pin).collect()
    }

    /// The pin that a removal notice names.
    pub(crate) fn pin_to_remove(&self) -> String {
        let lines = self
            .text
            .lines()
            .skip_while(|line| *line != "PLEASE REMOVE");
        let sha1 = |line: &str| line.len() == 40 && line.bytes().all(|b| b.is_ascii_hexdigit());
        {
            let mut found = lines.map(str::trim);
            found.find(|line| sha1(line))
        }
        .expect("the notice names the old pin")
        .to_owned()
    }
}

impl World {
    /// The mails that the contact has, oldest first.
    pub(crate) fn mails(&self) -> Vec<Vec<u8>> {
        self.office.mails_to(&self.plan.contact)
    }

    /// The names of the letters that the contact has, in the order of their arrival.
    pub(crate) fn message_ids(&self) -> Vec<String> {
        self.mails().iter().map(|mail| message_id(mail)).collect()
    }

    /// Waits for the letter whose name begins so, such as `offer.1.jira.2.`, and opens it.
    #[track_caller]
    pub(crate) fn await_letter(&self, name: &str) -> Letter {
        let mail = self.poll(&format!("a letter {name}… has arrived"), 30, || {
            self.mails()
                .into_iter()
                .find(|mail| message_id(mail).starts_with(name))
        });
        self.open(mail)
    }

    /// Decrypts a letter if need be, verifies our signature, and reads it.
    #[track_caller]
    pub(crate) fn open(&self, raw: Vec<u8>) -> Letter {
        let header = MessageParser::default()
            .parse(&raw)
            .expect("the server delivers mail");
        let subject = header.subject().unwrap_or_default().to_owned();
        let encrypted = header.is_content_type("application", "pkcs7-mime");
        let signed = if encrypted {
            openssl::cms_decrypt(
                &raw,
                &self.contact.certificate_pem(),
                &self.contact.key_pem(),
            )
            .unwrap()
        } else {
            raw.clone()
        };
        let anchors = self.ok(&["signer", "show"]).stdout;
        let content = openssl::cms_verify(&signed, &anchors).unwrap();
        let content = MessageParser::default()
            .parse(&content)
            .expect("the content is MIME");
        let attachments = content.attachments().map(|part| {
            let name = part.attachment_name().unwrap_or_default().to_owned();
            (name, part.text_contents().unwrap_or_default().to_owned())
        });
        Letter {
            message_id: message_id(&raw),
            subject,
            encrypted,
            text: content
                .body_text(0)
                .expect("a letter has a text")
                .into_owned(),
            attachments: attachments.collect(),
            raw,
        }
    }

    /// Installs what a letter offers at the gateway, as the letter says: authorities and pins, or pins alone for a
    /// certificate without authority.
    pub(crate) fn install(&mut self, letter: &Letter) {
        let (pins, mut chain) = (letter.pins(), letter.chain());
        chain.extend(self.partner_root.clone());
        assert!(
            pins.contains(&sha1(&chain[0])),
            "the pins are not of the certificate: {}",
            letter.text
        );
        let mut gateway = self.gateway.gateway().clone();
        gateway.clients = match chain.get(1..).filter(|authorities| !authorities.is_empty()) {
            Some(authorities) => Clients::AnchoredAndPinned {
                anchors: authorities.concat(),
                pins,
            },
            None => Clients::Pinned(pins),
        };
        self.gateway.reload(gateway);
    }

    /// The certificates that the gateway trusts by name.
    pub(crate) fn pinned(&self) -> Vec<String> {
        match &self.gateway.gateway().clients {
            Clients::Pinned(pins) | Clients::AnchoredAndPinned { pins, .. } => pins.clone(),
            Clients::Anybody | Clients::Anchored(_) => panic!("this gateway does not pin"),
        }
    }

    /// Removes what a notice says, and nothing else.
    pub(crate) fn remove(&mut self, notice: &Letter) {
        let (old, mut pins) = (notice.pin_to_remove(), self.pinned());
        assert!(pins.contains(&old), "{old} is not among {pins:?}");
        pins.retain(|pin| *pin != old);
        let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
        self.gateway.set_pins(&pins);
    }

    /// A reply in a mail program's form, unsigned: `words` above the quoted letter.
    pub(crate) fn reply(&self, letter: &Letter, words: &str) -> Vec<u8> {
        let quoted: String = letter
            .text
            .lines()
            .map(|line| format!("> {line}\r\n"))
            .collect();
        let body = format!("{words}\r\nJo Doe wrote:\r\n{quoted}");
        (self.reply_header(letter) + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + &body)
            .into_bytes()
    }

    /// The same words signed by the contact, with OpenSSL.
    pub(crate) fn signed_reply(&self, letter: &Letter, words: &str) -> Vec<u8> {
        let body = self.file("reply.txt", words);
        let (key, certificate) = (
            self.file("contact.key", self.contact.key_pem()),
            self.path("contact.pem"),
        );
        let signed = Command::new("openssl")
            .args(["cms", "-sign", "-text", "-in"])
            .arg(body)
            .arg("-signer")
            .arg(certificate)
            .arg("-inkey")
            .arg(key)
            .output()
            .unwrap();
        assert!(
            signed.status.success(),
            "{}",
            String::from_utf8_lossy(&signed.stderr)
        );
        [self.reply_header(letter).into_bytes(), signed.stdout].concat()
    }

    fn reply_header(&self, letter: &Letter) -> String {
        format!(
            "From: Jo Doe <{}>\r\nTo: ops@align.test\r\nSubject: Re: {}\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\
             Message-ID: <re.{}>\r\nIn-Reply-To: <{}>\r\nMIME-Version: 1.0\r\n",
            self.plan.contact, letter.subject, letter.message_id, letter.message_id
        )
    }

    /// Hands a mail over as a mail filter does.
    pub(crate) fn receive(&self, mail: &[u8]) -> Outcome {
        self.drive(&["exchange", "receive"], mail)
    }

    /// Answers a letter by the code that it bears; it must be taken.
    #[track_caller]
    pub(crate) fn acknowledge(&self, letter: &Letter) {
        self.receive(&self.reply(letter, &letter.answer()))
            .expect(0);
    }
}

/// The name of a mail, without the brackets.
fn message_id(mail: &[u8]) -> String {
    let parsed = MessageParser::default().parse(mail);
    parsed
        .and_then(|mail| Some(mail.message_id()?.to_owned()))
        .unwrap_or_default()
}

/// The certificates of a text, one PEM text each.
pub(crate) fn pem_blocks(text: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split_inclusive(END).filter_map(|piece| {
        let begin = piece.find("-----BEGIN CERTIFICATE-----")?;
        piece
            .ends_with(END)
            .then(|| format!("{}\n", &piece[begin..]).replace('\r', ""))
    });
    blocks.collect()
}

/// SHA-256 of bytes, lower-case hex.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// SHA-1 of a certificate in PEM: lower-case hex, as nginx spells it.
pub(crate) fn sha1(pem: &str) -> String {
    fingerprint(&digest::SHA1_FOR_LEGACY_USE_ONLY, pem)
}

/// SHA-256 of a certificate in PEM, lower-case hex.
pub(crate) fn sha256(pem: &str) -> String {
    fingerprint(&digest::SHA256, pem)
}

fn fingerprint(algorithm: &'static digest::Algorithm, pem: &str) -> String {
    let der = countersign::pki::pem::certificates_from_pem(pem.as_bytes()).unwrap();
    hex::encode(digest::digest(algorithm, &der[0]))
}
