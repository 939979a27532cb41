//! Replies that are not what they seem, and statements that are not true.

use std::{process::Command, sync::Arc};

use countersign_peers::{Algorithm, Authority, Purpose, Request};
use serde_json::Value;

use crate::world::{DESTINATION, Drive, IDENTITY, Letter, Office, Outcome, Plan, World};

/// A world in which an offer was sent and nobody has answered.
struct Offered {
    world: World,
    letter: Letter,
}

impl Offered {
    fn new(plan: Plan, office: Arc<Office>) -> Self {
        let world = World::at(
            Plan {
                drive: Drive::Cron,
                connectors: String::new(),
                encrypted: true,
                ..plan
            },
            office,
        );
        world.prepare();
        world.add_identity();
        let letter = world.await_letter("offer.1.jira.1.");
        Self { world, letter }
    }

    fn acknowledged(&self) -> Value {
        self.world.rotation()["destinations"][0]["acknowledged"].clone()
    }

    fn inbox(&self) -> Vec<Value> {
        let status = self.world.json(&["exchange", "status"]);
        status["mails"].as_array().unwrap().clone()
    }

    /// A mail in which these are all the words.
    fn mail(&self, from: &str, headers: &str, words: &str) -> Vec<u8> {
        let number = self.inbox().len();
        format!(
            "From: Jo Doe <{from}>\r\nTo: ops@align.test\r\nSubject: Re: {}\r\nMessage-ID: <{number}@acme.test>\r\n\
             In-Reply-To: <{}>\r\n{headers}\r\n{words}",
            self.letter.subject, self.letter.message_id
        )
        .into_bytes()
    }

    /// The mail is refused for this reason, kept, and moves nothing.
    #[track_caller]
    fn refuses(&self, mail: &[u8], why: &str) -> Outcome {
        let (seen, history) = (self.inbox().len(), self.world.rotation()["history"].clone());
        let refused = self.world.receive(mail).expect(1);
        assert!(refused.stderr.contains(why), "{why}: {refused:#?}");
        assert_eq!(refused.stdout, "");
        assert_eq!(
            self.world.rotation()["history"],
            history,
            "the rotation has moved"
        );
        let inbox = self.inbox();
        assert_eq!(inbox.len(), seen + 1, "it was not kept: {inbox:#?}");
        let kept = |mail: &Value| {
            mail["accepted"] == false && mail["judgement"].as_str().is_some_and(|j| j.contains(why))
        };
        assert!(inbox.iter().any(kept), "{why}: {inbox:#?}");
        refused
    }
}

#[test]
fn forged_and_mistaken_replies_are_refused_and_kept() {
    let Offered { world, letter } = Offered::new(Plan::default(), Office::open());
    let offered = Offered { world, letter };
    let contact = offered.world.plan.contact.clone();
    let answer = offered.letter.answer();
    let lines: Vec<&str> = answer.lines().collect();
    let from_contact = |words: &str| offered.mail(&contact, "", words);

    // Read by a thief: everything right, from somewhere else.
    offered.refuses(
        &offered.mail("sec@acme.evil.test", "", &answer),
        "is no security contact on file",
    );
    let two = offered.mail(&format!("{contact}>, <other@acme.test"), "", &answer);
    offered.refuses(&two, "is no security contact on file");
    // Another certificate was installed.
    let digits = lines
        .iter()
        .find_map(|line| line.split(' ').find(|word| word.len() == 64))
        .unwrap();
    let other = answer.replace(digits, &digits.chars().rev().collect::<String>());
    offered.refuses(&from_contact(&other), "which was not offered");
    // The address alone proves nothing.
    let code = lines.iter().find(|line| line.contains("CS-")).unwrap();
    offered.refuses(
        &from_contact(&answer.replace(code, "")),
        "does not state the code",
    );
    let guessed = answer.replace(code, "CODE CS-00000-00000-00000-00000-00000-0");
    offered.refuses(&from_contact(&guessed), "is not that of our letter");
    offered.refuses(
        &from_contact("OK, done.\r\n"),
        "does not state the fingerprint and the code",
    );
    let elsewhere = answer.replace(DESTINATION, "acme/test");
    offered.refuses(&from_contact(&elsewhere), "acme/test");

    // Machines.
    let whole = format!(
        "I am away until Monday.\r\n\r\n{}",
        offered.letter.text.replace('\n', "\r\n")
    );
    for header in [
        "Auto-Submitted: auto-replied\r\n",
        "X-Auto-Response-Suppress: All\r\nPrecedence: auto_reply\r\n",
    ] {
        offered.refuses(
            &offered.mail(&contact, header, &whole),
            "not a person's answer",
        );
    }
    let quoted = offered
        .world
        .reply(&offered.letter, "Thanks, I will look at it.");
    offered.refuses(&quoted, "outside the quotation of our letter");

    // Signatures.
    let signed = offered.world.signed_reply(&offered.letter, &answer);
    let text = String::from_utf8_lossy(&signed).into_owned();
    let tampered = text
        .replacen("ACCEPT", "accept", 1)
        .replace("Message-ID: <re.", "Message-ID: <tampered.");
    offered.refuses(tampered.as_bytes(), "does not verify");
    let stranger = signed_by_stranger(&offered, &contact, lines[..2].join("\r\n").as_str());
    offered.refuses(&stranger, "signed with a certificate that is not on file");

    // None of this has spent the code, or closed the door to the real answer.
    assert!(offered.acknowledged().is_null());
    offered.world.acknowledge(&offered.letter);
    assert!(!offered.acknowledged().is_null());
    let used = offered.refuses(&from_contact(&answer), "was used at");
    assert!(used.stderr.contains("countersign: hint: "), "{used:?}");
}

/// By somebody who calls themselves the contact, with a key of their own.
fn signed_by_stranger(offered: &Offered, contact: &str, words: &str) -> Vec<u8> {
    let world = &offered.world;
    let stranger = Authority::root("Some mail CA").issue(&Request {
        algorithm: Algorithm::Rsa2048,
        ..Request::new(Purpose::Email, contact)
    });
    let signed = Command::new("openssl")
        .args(["cms", "-sign", "-text", "-in"])
        .arg(world.file("words.txt", words))
        .arg("-signer")
        .arg(world.file("stranger.pem", stranger.certificate_pem()))
        .arg("-inkey")
        .arg(world.file("stranger.key", stranger.key_pem()))
        .output()
        .unwrap();
    assert!(
        signed.status.success(),
        "{}",
        String::from_utf8_lossy(&signed.stderr)
    );
    let header = format!(
        "From: Jo Doe <{contact}>\r\nTo: ops@align.test\r\nSubject: Re: {}\r\nMessage-ID: <stranger@acme.test>\r\n",
        offered.letter.subject
    );
    [header.into_bytes(), signed.stdout].concat()
}

#[test]
fn a_late_answer_and_false_statements_of_operators_are_refused() {
    let plan = Plan::default();
    let policy = plan
        .policy
        .replace("code-lifetime = \"1d\"", "code-lifetime = \"0s\"");
    assert_ne!(policy, plan.policy);
    let offered = Offered::new(Plan { policy, ..plan }, Office::open());
    let contact = offered.world.plan.contact.clone();
    let late = offered.mail(&contact, "", &offered.letter.answer());
    offered.refuses(&late, "expired at");

    let right = crate::world::sha256(&offered.letter.chain()[0]);
    let wrong: String = right.chars().rev().collect();
    let history = offered.world.rotation()["history"].clone();
    let state = |fingerprint: &str, contact: &str, destination: &str, verified: &str| {
        offered.world.run(&[
            "exchange",
            "acknowledge",
            IDENTITY,
            "--destination",
            destination,
            "--fingerprint",
            fingerprint,
            "--contact",
            contact,
            "--verified",
            verified,
        ])
    };
    let call = "called back on the number on file";
    let refused = state(&wrong, &contact, DESTINATION, call).expect(1);
    assert!(
        refused
            .stderr
            .contains("is not the fingerprint that was offered"),
        "{refused:?}"
    );
    let refused = state(&right, "other@acme.test", DESTINATION, call).expect(1);
    assert!(refused.stderr.contains("is not on file"), "{refused:?}");
    state(&right, &contact, "acme/test", call).expect(1);
    state(&right, &contact, DESTINATION, " ").expect(1);
    state(&right[1..], &contact, DESTINATION, call).expect(2);
    state(&right, "nobody", DESTINATION, call).expect(2);
    assert_eq!(
        offered.world.rotation()["history"],
        history,
        "the rotation has moved"
    );

    let colons: Vec<_> = right
        .as_bytes()
        .chunks(2)
        .map(|p| String::from_utf8_lossy(p).to_uppercase())
        .collect();
    state(&colons.join(":"), &contact, DESTINATION, call).expect(0);
    let acknowledged = offered.acknowledged();
    assert_eq!(acknowledged[0], contact.as_str(), "{acknowledged}");
}
