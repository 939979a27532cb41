//! A partner, its contact, an offer to each of its environments, and mails about them.

use std::collections::BTreeMap;

use super::super::*;
use crate::exchange::{
    LetterFacts, OneTimeCode, body,
    testing::{Key, Person, contact, facts},
};

pub(super) struct Scene {
    pub(super) facts: LetterFacts,
    pub(super) sec: Person,
    pub(super) partners: Vec<Partner>,
    pub(super) offers: Vec<OpenOffer>,
    pub(super) production_code: OneTimeCode,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn now() -> Timestamp {
    at("2026-11-30T12:00:00Z")
}

pub(super) fn offer(destination: &str, facts: &LetterFacts, code: &OneTimeCode) -> OpenOffer {
    let destination: Destination = destination.parse().unwrap();
    OpenOffer {
        fingerprint: facts.leaf.fingerprint,
        message_ids: vec![MessageId::from_header(&format!(
            "<offer.{}@vendor.example>",
            destination.environment
        ))],
        codes: vec![PendingCode {
            hash: code.hash(),
            destination: destination.clone(),
            fingerprint: facts.leaf.fingerprint,
            issued_at: facts.date,
            expires_at: at("2026-12-24T00:00:00Z"),
            used_at: None,
        }],
        withdrawn_at: None,
        destination,
    }
}

pub(super) fn partner(name: &str, contact: Contact) -> Partner {
    Partner {
        name: name.parse().unwrap(),
        title: name.into(),
        contacts: vec![contact],
        environments: BTreeMap::new(),
    }
}

pub(super) fn scene() -> Scene {
    let sec = Person::new("sec@acme.example", Key::P256);
    let facts = facts(None);
    let production_code = OneTimeCode::generate().unwrap();
    Scene {
        partners: vec![
            partner("acme", contact("sec@acme.example", Some(sec.der.clone()))),
            partner("zeta", contact("sec@zeta.example", None)),
        ],
        offers: vec![
            offer("acme/test", &facts, facts.code.as_ref().unwrap()),
            offer("acme/production", &facts, &production_code),
        ],
        facts,
        sec,
        production_code,
    }
}

impl Scene {
    pub(super) fn judge(&self, raw: &str) -> Result<Acknowledgement, Refusal> {
        let mail = Inbound::parse(raw.as_bytes()).unwrap();
        evaluate(
            &mail,
            &Expectations::new(&self.partners, &self.offers),
            now(),
        )
    }

    pub(super) fn answer(&self) -> String {
        format!(
            "ACCEPT acme/test\r\n{}\r\nCODE {}\r\n",
            self.facts.leaf.fingerprint,
            self.facts.code.as_ref().unwrap()
        )
    }

    pub(super) fn letter(&self) -> String {
        body::text(&self.facts).unwrap()
    }

    pub(super) fn quoted_letter(&self) -> String {
        self.letter()
            .lines()
            .map(|l| format!("> {l}\r\n"))
            .collect()
    }

    #[track_caller]
    pub(super) fn accepts(&self, raw: &str) -> Acknowledgement {
        match self.judge(raw) {
            Ok(acknowledgement) => {
                assert_eq!(acknowledgement.destination.to_string(), "acme/test");
                assert_eq!(acknowledgement.fingerprint, self.facts.leaf.fingerprint);
                acknowledgement
            }
            Err(refusal) => panic!("{refusal}\n{raw}"),
        }
    }
}

pub(super) fn mail(from: &str, headers: &str, body: &str) -> String {
    format!(
        "From: Jo Sec <{from}>\r\nTo: ops@vendor.example\r\nSubject: Re: x\r\nMessage-ID: <r1@acme.example>\r\n{headers}\r\n{body}"
    )
}

pub(super) fn from_sec(headers: &str, body: &str) -> String {
    mail("sec@acme.example", headers, body)
}

/// `multipart/signed` as it stands in a mail, without the mail's own headers.
pub(super) fn signed_entity(person: &Person, text: &str) -> String {
    let entity = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}");
    let signature = person.signer().sign(entity.as_bytes(), now()).unwrap();
    let p7s = crate::exchange::smime::mime::base64_lines(&signature.signature);
    format!(
        "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n micalg=sha-256; boundary=sig\r\n\r\n\
         --sig\r\n{entity}\r\n--sig\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{p7s}--sig--\r\n"
    )
}

pub(super) fn signed_mail(from: &str, person: &Person, headers: &str, text: &str) -> String {
    let entity = signed_entity(person, text);
    let (kind, body) = entity.split_once("\r\n\r\n").unwrap();
    mail(
        from,
        &format!("{headers}MIME-Version: 1.0\r\n{kind}\r\n"),
        body,
    )
}
