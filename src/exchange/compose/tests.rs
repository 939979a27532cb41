//! Letters as they go over the wire, judged by OpenSSL and line by line.

use super::{
    super::testing::{Bench, Key, Person, facts},
    *,
};
use crate::model::{GatewayProduct, MessageId, PinType};

fn sealed(facts: &LetterFacts, ops: &Person) -> SealedLetter {
    let draft = Draft::write(facts).unwrap();
    draft.sign(&ops.signer()).unwrap().seal().unwrap()
}

fn bench(ops: &Person, sec: &Person) -> Bench {
    let bench = Bench::new();
    bench.install("ops", ops);
    bench.install("sec", sec);
    bench
}

#[test]
fn openssl_verifies_the_letter_as_it_goes_over_the_wire_and_refuses_a_changed_one() {
    for key in [Key::Rsa, Key::P256, Key::P384] {
        let (ops, sec) = (
            Person::new("ops@vendor.example", key),
            Person::new("sec@acme.example", key),
        );
        let bench = bench(&ops, &sec);
        let letter = sealed(&facts(None), &ops);
        assert!(!letter.encrypted);
        bench.put("mail", &letter.bytes);
        let verify = "cms -verify -CAfile ops.pem -out text -in";
        bench.openssl(&format!("{verify} mail")).unwrap();
        bench
            .openssl("smime -verify -CAfile ops.pem -out text -in mail")
            .unwrap();
        let text = String::from_utf8(bench.get("text")).unwrap();
        assert!(text.contains("ACCEPT acme/test"), "{key:?}");
        let changed = String::from_utf8(letter.bytes).unwrap().replacen(
            "ACCEPT acme/test",
            "ACCEPT acme/text",
            1,
        );
        bench.put("changed", changed.as_bytes());
        assert!(bench.openssl(&format!("{verify} changed")).is_err());
    }
}

#[test]
fn openssl_opens_and_verifies_an_encrypted_letter_which_shows_nothing_outside() {
    for key in [Key::Rsa, Key::P256] {
        let (ops, sec) = (
            Person::new("ops@vendor.example", key),
            Person::new("sec@acme.example", key),
        );
        let bench = bench(&ops, &sec);
        let letter = sealed(&facts(Some(sec.der.clone())), &ops);
        assert!(letter.encrypted);
        let raw = String::from_utf8(letter.bytes).unwrap();
        assert!(!raw.contains("ACCEPT") && !raw.contains("BEGIN CERTIFICATE"));
        bench.put("mail", raw.as_bytes());
        bench
            .openssl("cms -decrypt -in mail -recip sec.pem -inkey sec.key -out signed")
            .unwrap();
        bench
            .openssl("cms -verify -CAfile ops.pem -in signed -out text")
            .unwrap();
        assert!(
            String::from_utf8(bench.get("text"))
                .unwrap()
                .contains("ACCEPT acme/test")
        );
    }
}

#[test]
fn one_recipient_without_a_certificate_leaves_the_letter_readable_and_says_so() {
    let ops = Person::new("ops@vendor.example", Key::P256);
    let sec = Person::new("sec@acme.example", Key::P256);
    let mut facts = facts(Some(sec.der));
    let mut second = facts.to[0].clone();
    second.certificate = None;
    facts.to.push(second);
    assert!(!sealed(&facts, &ops).encrypted);
    facts.to[1].certificate = Some(b"no certificate".to_vec());
    let signed = Draft::write(&facts).unwrap().sign(&ops.signer()).unwrap();
    assert!(matches!(signed.seal(), Err(ComposeError::Encryption(_))));
}

#[test]
fn headers_are_ours_and_cannot_be_injected() {
    let ops = Person::new("ops@vendor.example", Key::P256);
    let mut facts = facts(None);
    facts.from.name = "Ops\r\nBcc: thief@evil.example".into();
    facts.to[0].name = "Sec\nX-Evil: 1".into();
    facts.partner_title = "Acme\r\n\r\n--boundary".into();
    facts.from.reply_to = Some("keys@vendor.example".parse().unwrap());
    facts.in_reply_to = Some(MessageId::from_header("<offer.1@vendor.example>"));
    let raw = String::from_utf8(sealed(&facts, &ops).bytes).unwrap();
    let header = raw.split("\r\n\r\n").next().unwrap();
    for line in header.split("\r\n") {
        let name = line.split(':').next().unwrap();
        assert!(
            !["Bcc", "X-Evil", "Auto-Submitted"].contains(&name),
            "{line}"
        );
    }
    assert!(header.contains(&format!("Message-ID: {}", facts.message_id)));
    assert!(header.contains("Date: Tue, 24 Nov 2026 08:00:00 +0000"));
    assert!(header.contains("In-Reply-To: <offer.1@vendor.example>"));
    assert!(header.contains("Reply-To: keys@vendor.example"));
}

#[test]
fn a_letter_is_seven_bit_with_short_lines_for_every_gateway_and_kind() {
    let ops = Person::new("ops@vendor.example", Key::P256);
    for gateway in GatewayProduct::ALL {
        for kind in [
            LetterKind::Offer,
            LetterKind::Reminder,
            LetterKind::Withdrawal,
            LetterKind::RemovalNotice,
        ] {
            let mut facts = facts(None);
            (facts.gateway, facts.kind) = (gateway, kind);
            facts.partner_title = "Ärger & Söhne".into();
            let raw = String::from_utf8(sealed(&facts, &ops).bytes).unwrap();
            assert!(raw.is_ascii());
            for line in raw.split("\r\n").skip_while(|l| !l.is_empty()) {
                assert!(line.len() <= 78, "{gateway:?} {kind:?}: {line}");
                assert!(!line.contains('\n') && !line.contains('\r'), "{line:?}");
            }
        }
    }
}

#[test]
fn a_letter_with_lines_that_cannot_be_broken_is_written_all_the_same() {
    let ops = Person::new("ops@vendor.example", Key::P256);
    let long = format!(
        "{}.vendor.example",
        ["x".repeat(60), "y".repeat(60)].join(".")
    );
    for gateway in GatewayProduct::ALL {
        let mut facts = facts(None);
        (facts.gateway, facts.pin) = (gateway, PinType::Authority);
        facts.from.name = long.clone();
        facts.leaf.subject = format!("CN={long}");
        facts.leaf.dns_names = vec![long.clone()];
        let raw = String::from_utf8(sealed(&facts, &ops).bytes).unwrap();
        assert!(raw.contains("quoted-printable"), "{gateway}");
        let body = raw.split_once("\r\n\r\n").unwrap().1;
        assert!(body.split("\r\n").all(|line| line.len() <= 78), "{gateway}");
    }
}

#[test]
fn a_letter_and_the_sheet_say_the_same() {
    let pins = [PinType::Certificate, PinType::Authority];
    for (gateway, pin) in GatewayProduct::ALL
        .into_iter()
        .flat_map(|g| pins.map(|p| (g, p)))
    {
        let mut facts = facts(None);
        (facts.gateway, facts.pin) = (gateway, pin);
        let order = crate::gateway::Order {
            product: gateway,
            pin: facts.pin,
            host: "jira.acme.example",
            new: &facts.leaf,
            present: facts.previous.as_ref(),
            anchors: crate::gateway::Anchors::Theirs {
                issuer: &facts.leaf.issuer,
            },
            oauth: false,
            until: facts.overlap.until,
        };
        let sheet = crate::gateway::sheet(&order).unwrap();
        // However the letter breaks its lines.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let letter = flat(&body::text(&facts).unwrap());
        for step in &sheet.steps {
            assert!(
                letter.contains(&flat(&step.what)),
                "{gateway}: {}",
                step.what
            );
            if let Some(lines) = &step.lines {
                assert!(letter.contains(&flat(lines)), "{gateway}: {lines}");
            }
        }
        for text in sheet
            .limits
            .iter()
            .chain([&sheet.rule])
            .chain(&sheet.overlap)
        {
            assert!(letter.contains(&flat(text)), "{gateway}: {text}");
        }
        assert!(letter.contains(&flat(sheet.tried.in_words())), "{gateway}");
    }
}

#[test]
fn a_name_that_no_configuration_may_hold_is_still_offered_in_general_words() {
    let mut facts = facts(None);
    facts.pin = PinType::Authority;
    facts.leaf.dns_names = vec!["x\"; return 200; #".into()];
    facts.leaf.subject = "CN=x\"; return 200; #".into();
    let text = body::text(&facts).unwrap();
    assert!(!text.contains("ssl_verify_client"), "{text}");
    assert!(text.contains("cannot be written"), "{text}");
}

#[test]
fn a_letter_says_both_generations_in_the_gateways_own_spelling() {
    let mut facts = facts(None);
    facts.gateway = GatewayProduct::AzureApiManagement;
    let azure = body::text(&facts).unwrap();
    let previous = facts.previous.clone().unwrap();
    for certificate in [&facts.leaf, &previous] {
        assert!(azure.contains(&format!("   {}", certificate.sha1.upper())));
        assert!(azure.contains(&certificate.fingerprint.colon_upper()[..47]));
        assert!(azure.contains(&certificate.fingerprint.grouped()[40..]));
    }
    facts.gateway = GatewayProduct::Nginx;
    let nginx = body::text(&facts).unwrap();
    assert!(nginx.contains(&format!("\"{}\" 1;  # new", facts.leaf.sha1)));
    assert!(nginx.contains(&format!("\"{}\" 1;  # present", previous.sha1)));
}

#[test]
fn the_attachments_hold_the_chain_and_the_authorities_in_pem_lines_of_64() {
    let ops = Person::new("ops@vendor.example", Key::P256);
    let mut facts = facts(None);
    facts.chain = vec![ops.der.clone(), ops.der.clone()];
    let raw = String::from_utf8(sealed(&facts, &ops).bytes).unwrap();
    // Two inline, two in the chain, one authority.
    assert_eq!(raw.matches("-----BEGIN CERTIFICATE-----\r\n").count(), 5);
    assert!(raw.contains("filename=\"jira-align-g2.pem.txt\""));
    assert!(raw.contains("filename=\"jira-align-g2-ca.pem.txt\""));
    let inside = raw.split("-----BEGIN CERTIFICATE-----\r\n").nth(1).unwrap();
    assert_eq!(inside.find("\r\n"), Some(64));
}

#[test]
fn an_offer_without_a_certificate_or_a_recipient_is_not_written() {
    let mut empty = facts(None);
    empty.chain.clear();
    assert!(matches!(
        Draft::write(&empty),
        Err(ComposeError::NoCertificate)
    ));
    let mut nobody = facts(None);
    nobody.to.clear();
    assert!(matches!(
        Draft::write(&nobody),
        Err(ComposeError::NoRecipient { .. })
    ));
    let mut first = facts(None);
    (first.previous, first.kind) = (None, LetterKind::RemovalNotice);
    assert!(matches!(
        Draft::write(&first),
        Err(ComposeError::NothingToRemove)
    ));
}

#[test]
fn every_attachment_that_the_text_names_is_attached() {
    let ops = Person::new("ops@vendor.example", Key::P256);
    for gateway in GatewayProduct::ALL {
        for (certificates, self_issued) in [(1, false), (1, true), (3, false)] {
            let mut facts = facts(None);
            facts.gateway = gateway;
            facts.leaf.self_issued = self_issued;
            facts.chain = vec![ops.der.clone(); certificates];
            let text = body::text(&facts).unwrap();
            let raw = String::from_utf8(sealed(&facts, &ops).bytes).unwrap();
            for name in text.split(|c: char| c.is_whitespace() || "(),;".contains(c)) {
                let name = name.trim_end_matches(['.', ':']);
                if name.ends_with(".pem.txt") {
                    let attached = format!("filename=\"{name}\"");
                    assert!(
                        raw.contains(&attached),
                        "{gateway:?} {certificates}: {name}"
                    );
                }
            }
        }
    }
}
