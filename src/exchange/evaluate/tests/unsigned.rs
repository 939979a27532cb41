//! Replies that must stand on address, fingerprint and code.

use super::{super::*, scene::*};
use crate::exchange::Automation;

#[test]
fn a_reply_with_fingerprint_and_code_is_an_acknowledgement_of_the_codes_environment() {
    let s = scene();
    for raw in [
        from_sec("", &format!("{}\r\n{}", s.answer(), s.quoted_letter())),
        from_sec(
            "",
            &format!("[EXTERNAL] Beware!\r\n\r\n{}\r\n{}", s.answer(), s.letter()),
        ),
        from_sec("", &s.answer()).replace("\r\n", "\n"),
        // Bottom-posted.
        from_sec(
            "",
            &format!(
                "On Monday, Ops wrote:\r\n{}\r\n{}",
                s.quoted_letter(),
                s.answer()
            ),
        ),
        // Only the code says which environment is meant.
        from_sec("", &s.answer().replace("acme/test", "it")),
        // A mailing list's footer.
        from_sec(
            "Precedence: list\r\nList-Id: <sec.acme.example>\r\n",
            &format!("{}\r\n_______________\r\nsec mailing list\r\n", s.answer()),
        ),
    ] {
        let acknowledgement = s.accepts(&raw);
        assert!(matches!(acknowledgement.channel, Channel::CodeReply { .. }));
        assert_eq!(acknowledgement.contact.as_str(), "sec@acme.example");
        assert_eq!(acknowledgement.at, now());
    }
}

#[test]
fn reencoded_and_html_replies_are_read() {
    let s = scene();
    let base64 = crate::exchange::smime::mime::base64_lines(s.answer().as_bytes());
    let soft = s
        .answer()
        .replace("ab", "=61b")
        .replace("CODE ", "CODE=20=\r\n");
    let html = format!(
        "<html><body><div>{}</div><blockquote>{}</blockquote></body></html>",
        s.answer().replace("\r\n", "</div><div>"),
        s.letter()
    );
    for (encoding, kind, body) in [
        ("base64", "text/plain", base64),
        ("quoted-printable", "text/plain", soft),
        ("7bit", "text/html", html),
    ] {
        s.accepts(&from_sec(
            &format!("MIME-Version: 1.0\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"),
            &body,
        ));
    }
}

#[test]
fn the_letter_quoted_in_full_acknowledges_nothing() {
    let s = scene();
    let html = s.letter().replace("\r\n", "<br>\r\n");
    for raw in [
        from_sec(
            "",
            &format!("Thanks, I am on holiday.\r\n\r\n{}", s.quoted_letter()),
        ),
        // Programs that quote without a mark.
        from_sec("", &format!("Thanks, later.\r\n\r\n{}", s.letter())),
        from_sec("", &s.letter()),
        from_sec(
            "",
            &format!("Fwd\r\n-----Original Message-----\r\n{}", s.letter()),
        ),
        from_sec(
            "MIME-Version: 1.0\r\nContent-Type: text/html\r\n",
            &format!("Later<br><div>{html}</div>"),
        ),
        // Forwarded as an attachment.
        from_sec(
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
            &format!(
                "--b\r\n\r\nSee below.\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: sec@acme.example\r\nSubject: x\r\n\r\n{}\r\n--b--\r\n",
                s.answer()
            ),
        ),
    ] {
        assert!(
            matches!(
                s.judge(&raw),
                Err(Refusal::NoEvidence {
                    missing: Missing::FingerprintAndCode
                })
            ),
            "{:?}\n{raw}",
            s.judge(&raw)
        );
    }
}

#[test]
fn machines_acknowledge_nothing_even_with_fingerprint_and_code() {
    let s = scene();
    for (headers, wanted) in [
        ("Auto-Submitted: auto-replied\r\n", Automation::AutoReply),
        ("X-Autoreply: yes\r\n", Automation::AutoReply),
        ("Return-Path: <>\r\n", Automation::AutoReply),
        ("Precedence: bulk\r\n", Automation::Bulk),
        ("Precedence: auto_reply\r\n", Automation::AutoReply),
        (
            "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
            Automation::DeliveryStatus,
        ),
        (
            "MIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=b;\r\n report-type=disposition-notification\r\n",
            Automation::ReadReceipt,
        ),
    ] {
        let raw = from_sec(headers, &s.answer());
        assert_eq!(
            s.judge(&raw),
            Err(Refusal::Automatic { reason: wanted }),
            "{headers}"
        );
    }
    let vacation =
        from_sec("", &s.answer()).replace("Subject: Re: x", "Subject: Automatische Antwort: x");
    assert!(matches!(s.judge(&vacation), Err(Refusal::Automatic { .. })));
    let bounce = mail("MAILER-DAEMON@acme.example", "", &s.answer());
    assert_eq!(
        s.judge(&bounce),
        Err(Refusal::Automatic {
            reason: Automation::DeliveryStatus
        })
    );
    // What says that a person wrote it is not taken for a machine.
    s.accepts(&from_sec("Auto-Submitted: no\r\n", &s.answer()));
}

#[test]
fn a_stranger_another_partners_contact_and_a_forged_address_acknowledge_nothing() {
    let mut s = scene();
    let stranger = mail("thief@evil.example", "", &s.answer());
    assert!(matches!(
        s.judge(&stranger),
        Err(Refusal::NotFromContact { .. })
    ));
    let other = mail("sec@zeta.example", "", &s.answer());
    assert!(matches!(s.judge(&other), Err(Refusal::NoOpenOffer { .. })));
    let forged = from_sec("", &format!("{}\r\n", s.facts.leaf.fingerprint));
    assert_eq!(
        s.judge(&forged),
        Err(Refusal::NoEvidence {
            missing: Missing::Code
        })
    );
    let twice = from_sec("From: thief@evil.example\r\n", &s.answer());
    assert!(matches!(
        s.judge(&twice),
        Err(Refusal::NotFromContact { .. })
    ));
    let question = s.answer().replace("ACCEPT", "What is this for");
    assert_eq!(
        s.judge(&from_sec("", &question)),
        Err(Refusal::NoEvidence {
            missing: Missing::Acceptance
        })
    );
    s.partners[0].contacts[0].role = Role::JiraMgr;
    let removed = from_sec("", &s.answer());
    assert!(matches!(
        s.judge(&removed),
        Err(Refusal::NotFromContact { .. })
    ));
}

/// What a mail server checks before it believes an address (DMARC) must be what we believe.
#[test]
fn an_address_that_others_read_differently_is_nobodys() {
    let s = scene();
    let from = |value: &str| from_sec("", &s.answer()).replace("Jo Sec <sec@acme.example>", value);
    for value in [
        "sec@acme.example",
        "Sec@ACME.example",
        "<sec@acme.example>",
        "\"Sec, Jo <jo@x>\" <sec@acme.example>",
        "=?utf-8?q?J=C3=B6_Sec?= <sec@acme.example>",
        "Jo Sec (Network)\r\n <sec@acme.example>",
    ] {
        s.accepts(&from(value));
    }
    for value in [
        "=?utf-8?q?sec=40acme.example?=",
        "=?utf-8?q?sec=40acme.example?= (Jo)",
        "=?utf-8?q?=3Csec=40acme.example=3E?= <thief@evil.example>",
        "<sec@> <acme.example>",
        "sec@ <acme.example>",
        "<sec@acme.example> thief@evil.example",
        "thief@evil.example <sec@acme.example>",
        "<thief@evil.example> <sec@acme.example>",
        "\"sec@acme.example\" <thief@evil.example>",
        "thief@evil.example (<sec@acme.example>)",
        "(thief@evil.example) <sec@acme.example",
        "<@evil.example:sec@acme.example>",
        "Security: sec@acme.example;",
        "sec@acme.example, thief@evil.example",
        "sec@acme.example\0",
        "sec@acme.example, ",
    ] {
        assert!(
            matches!(s.judge(&from(value)), Err(Refusal::NotFromContact { .. })),
            "{value}: {:?}",
            s.judge(&from(value))
        );
    }
}

#[test]
fn a_code_counts_once_in_time_for_its_own_offer_and_as_long_as_that_stands() {
    let mut s = scene();
    let raw = from_sec("", &s.answer());
    s.offers[0].codes[0].used_at = Some(at("2026-11-29T00:00:00Z"));
    assert!(matches!(s.judge(&raw), Err(Refusal::CodeUsed { .. })));
    s.offers[0].codes[0].used_at = None;
    s.offers[0].codes[0].expires_at = at("2026-11-29T00:00:00Z");
    assert!(matches!(s.judge(&raw), Err(Refusal::CodeExpired { .. })));
    s.offers[0].codes[0].expires_at = now();
    s.accepts(&raw);
    let crossed = format!(
        "ACCEPT acme/test\r\n{}\r\n{}\r\n",
        s.facts.leaf.fingerprint, s.production_code
    );
    assert!(matches!(
        s.judge(&from_sec("", &crossed)),
        Err(Refusal::WrongCode { .. })
    ));
    s.offers[0].withdrawn_at = Some(at("2026-11-29T00:00:00Z"));
    assert!(matches!(s.judge(&raw), Err(Refusal::Withdrawn { .. })));
}

#[test]
fn another_fingerprint_or_environment_is_named() {
    let mut s = scene();
    let other = "0123456789abcdef".repeat(4);
    let raw = from_sec(
        "",
        &s.answer()
            .replace(&s.facts.leaf.fingerprint.to_string(), &other),
    );
    match s.judge(&raw) {
        Err(Refusal::WrongFingerprint { said, expected }) => {
            assert_eq!(said.to_string(), other);
            assert_eq!(expected, [s.facts.leaf.fingerprint]);
        }
        result => panic!("{result:?}"),
    }
    s.offers.truncate(1);
    let raw = from_sec("", &s.answer().replace("acme/test", "acme/production"));
    assert!(matches!(
        s.judge(&raw),
        Err(Refusal::WrongDestination { .. })
    ));
    s.offers.clear();
    assert!(matches!(s.judge(&raw), Err(Refusal::NoOpenOffer { .. })));
}

#[test]
fn a_line_that_refuses_is_a_no_with_its_reason() {
    let s = scene();
    let raw = from_sec(
        "",
        &format!(
            "REFUSED: our gateway takes no such key\r\n\r\n{}",
            s.answer()
        ),
    );
    match s.judge(&raw) {
        Err(Refusal::Declined { reason, .. }) => assert!(reason.contains("no such key")),
        result => panic!("{result:?}"),
    }
}
