//! Replies that a signature speaks for, or seems to.

use super::{super::*, scene::*};
use crate::exchange::{
    smime::encrypt,
    testing::{Bench, Key, Person},
};

#[test]
fn a_signed_reply_needs_no_code_but_accepts_a_fingerprint_for_an_environment_in_signed_words() {
    let s = scene();
    let fingerprint = s.facts.leaf.fingerprint;
    let by_name = format!(
        "ACCEPT acme/test {fingerprint}\r\n\r\n{}",
        s.quoted_letter()
    );
    let acknowledgement = s.accepts(&signed_mail("sec@acme.example", &s.sec, "", &by_name));
    assert!(matches!(
        acknowledgement.channel,
        Channel::SignedReply { .. }
    ));
    // Which letter is answered stands in a header, which anybody may have exchanged under the signature.
    let bare = format!("ACCEPT {fingerprint}\r\n");
    let answers = "In-Reply-To: <offer.production@vendor.example>\r\n";
    for headers in ["", answers] {
        let redirected = signed_mail("sec@acme.example", &s.sec, headers, &bare);
        assert_eq!(
            s.judge(&redirected),
            Err(Refusal::NoEvidence {
                missing: Missing::Destination
            })
        );
    }
    let both = format!("ACCEPT acme/test acme/production {fingerprint}\r\n");
    let both = signed_mail("sec@acme.example", &s.sec, answers, &both);
    assert!(
        matches!(s.judge(&both), Err(Refusal::Ambiguous { candidates }) if candidates.len() == 2)
    );
    let question =
        format!("Is this for acme/test?\r\n{fingerprint}\r\nWe cannot accept it yet.\r\n");
    let question = signed_mail("sec@acme.example", &s.sec, "", &question);
    assert_eq!(
        s.judge(&question),
        Err(Refusal::NoEvidence {
            missing: Missing::Acceptance
        })
    );
    let empty = signed_mail("sec@acme.example", &s.sec, "", &s.quoted_letter());
    assert_eq!(
        s.judge(&empty),
        Err(Refusal::NoEvidence {
            missing: Missing::Fingerprint
        })
    );
}

#[test]
fn a_changed_or_foreign_signature_is_refused() {
    let s = scene();
    let text = format!("ACCEPT acme/test {}\r\n", s.facts.leaf.fingerprint);
    let good = signed_mail("sec@acme.example", &s.sec, "", &text);
    let changed = good.replace("acme/test", "acme/production");
    assert!(matches!(
        s.judge(&changed),
        Err(Refusal::ForgedSignature { .. })
    ));
    let thief = Person::new("sec@acme.example", Key::P256);
    let foreign = signed_mail("sec@acme.example", &thief, "", &text);
    assert!(matches!(
        s.judge(&foreign),
        Err(Refusal::UnknownSigner { .. })
    ));
    // Text outside the signature counts as unsigned.
    let outside = from_sec(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
        &format!(
            "--b\r\n\r\n{text}\r\n--b\r\n{}\r\n--b--\r\n",
            signed_entity(&s.sec, "hello\r\n")
        ),
    );
    assert!(matches!(s.judge(&outside), Err(Refusal::NoEvidence { .. })));
}

#[test]
fn a_signed_reply_is_found_inside_a_lists_wrapping_and_inside_a_forwarded_mail() {
    let s = scene();
    let text = format!("ACCEPT acme/test {}\r\n", s.facts.leaf.fingerprint);
    let entity = signed_entity(&s.sec, &text);
    let mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n";
    s.accepts(&mail(
        "list@acme.example",
        mixed,
        &format!("--outer\r\n{entity}\r\n--outer\r\n\r\nlist footer\r\n--outer--\r\n"),
    ));
    s.accepts(&mail(
        "boss@acme.example",
        mixed,
        &format!(
            "--outer\r\n\r\nfyi\r\n--outer\r\nContent-Type: message/rfc822\r\n\r\n{}\r\n--outer--\r\n",
            signed_mail("sec@acme.example", &s.sec, "", &text)
        ),
    ));
}

#[test]
fn an_encrypted_reply_is_opened_with_our_key_and_judged_by_what_is_inside() {
    let s = scene();
    let ops = Person::new("ops@vendor.example", Key::P256);
    let text = format!("ACCEPT acme/test {}\r\n", s.facts.leaf.fingerprint);
    let sealed = encrypt(
        signed_entity(&s.sec, &text).as_bytes(),
        std::slice::from_ref(&ops.der),
    )
    .unwrap();
    let raw = from_sec(
        "MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n",
        &crate::exchange::smime::mime::base64_lines(&sealed),
    );
    assert!(matches!(
        Inbound::parse(raw.as_bytes()),
        Err(crate::exchange::InboxError::Encrypted(_))
    ));
    let inbound = Inbound::parse_with(raw.as_bytes(), &[ops.decryption_key()]).unwrap();
    let expectations = Expectations::new(&s.partners, &s.offers);
    let acknowledgement = evaluate(&inbound, &expectations, now()).unwrap();
    assert!(matches!(
        acknowledgement.channel,
        Channel::SignedReply { .. }
    ));
}

#[test]
fn rubbish_and_huge_mails_are_refused_without_a_panic() {
    use crate::exchange::InboxError;

    assert!(matches!(Inbound::parse(b""), Err(InboxError::NoMail)));
    let huge = vec![b'a'; crate::exchange::LONGEST_MAIL + 1];
    assert!(matches!(
        Inbound::parse(&huge),
        Err(InboxError::TooLong { .. })
    ));
    let s = scene();
    let text = format!("ACCEPT acme/test {}\r\n", s.facts.leaf.fingerprint);
    let good = signed_mail("sec@acme.example", &s.sec, "", &text).into_bytes();
    // What is missing in the end is the last delimiter at least.
    for length in (0..good.len() - "--sig--\r\n".len()).step_by(7) {
        if let Ok(mail) = Inbound::parse(&good[..length]) {
            let judged = evaluate(&mail, &Expectations::new(&s.partners, &s.offers), now());
            assert!(judged.is_err(), "the first {length} bytes");
        }
    }
}

#[test]
fn a_reply_written_by_openssl_is_read_in_either_line_end_detached_and_opaque() {
    let s = scene();
    let bench = Bench::new();
    bench.install("sec", &s.sec);
    let text = format!("ACCEPT acme/test\n{}\n", s.facts.leaf.fingerprint);
    bench.put("text", text.as_bytes());
    for program in ["cms", "smime"] {
        for how in ["", "-nodetach", "-nodetach -stream -indef"] {
            bench
                .openssl(&format!(
                    "{program} -sign -text -md sha256 -in text -signer sec.pem -inkey sec.key -out mail {how}"
                ))
                .unwrap();
            let entity = String::from_utf8(bench.get("mail"))
                .unwrap()
                .replace("\r\n", "\n");
            let raw = format!("From: sec@acme.example\nMessage-ID: <r@acme.example>\n{entity}");
            for raw in [raw.replace('\n', "\r\n"), raw] {
                let channel = s.accepts(&raw).channel;
                assert!(
                    matches!(channel, Channel::SignedReply { .. }),
                    "{program} {how}"
                );
            }
        }
    }
}
