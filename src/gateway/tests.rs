//! Each sheet keeps the rules of the pack.

use super::*;
use crate::model::{
    CertificateFacts, Fingerprint, GatewayProduct, KeyId, PinType, SerialNumber, Sha1Fingerprint,
    Validity,
};

/// What a certificate with digests of this byte says.
fn certificate(byte: u8, name: &str) -> CertificateFacts {
    let day = |text: &str| text.parse().unwrap();
    CertificateFacts {
        fingerprint: Fingerprint::from_digest([byte; 32]),
        sha1: Sha1Fingerprint::from_digest([byte; 20]),
        key_id: KeyId::from_digest([byte; 32]),
        key_algorithm: None,
        subject: format!("CN={name},O=Vendor"),
        issuer: "CN=Vendor Issuing CA".into(),
        serial: SerialNumber::from_bytes(&[byte; 16]),
        validity: Validity::new(day("2026-11-01T00:00:00Z"), day("2027-11-01T00:00:00Z")).unwrap(),
        dns_names: vec![name.into()],
        email_addresses: Vec::new(),
        extended_key_usage: None,
        key_usage: None,
        is_ca: false,
        self_issued: false,
    }
}

fn generations() -> (CertificateFacts, CertificateFacts) {
    (
        certificate(0xab, "next.vendor.example"),
        certificate(0xcd, "now.vendor.example"),
    )
}

fn order<'a>(
    product: GatewayProduct,
    new: &'a CertificateFacts,
    present: Option<&'a CertificateFacts>,
) -> Order<'a> {
    Order {
        product,
        pin: PinType::Certificate,
        host: "jira.acme.example",
        new,
        present,
        anchors: Anchors::All {
            file: "authorities.pem",
        },
        oauth: false,
        until: Some("2027-01-15T00:00:00Z".parse().unwrap()),
    }
}

fn text(sheet: &Sheet) -> String {
    let mut text = String::new();
    for step in &sheet.steps {
        text += &format!("{}\n{}\n", step.what, step.lines.as_deref().unwrap_or(""));
    }
    text + &sheet.limits.join("\n")
}

/// What each product tells a certificate by when it pins; the text between the certificates' bytes is the product's.
fn pin(product: GatewayProduct, byte: u8) -> String {
    use GatewayProduct as P;
    let (lower, upper) = (format!("{byte:02x}"), format!("{byte:02X}"));
    match product {
        P::Nginx | P::ApigeeEdge | P::AzureApplicationGateway => lower.repeat(20),
        P::AzureApiManagement => upper.repeat(20),
        P::Haproxy => upper.repeat(32),
        P::Caddy | P::Cloudflare | P::Envoy | P::Istio | P::Other => lower.repeat(32),
        P::Apache | P::AwsAlb | P::AwsApiGateway => upper.repeat(16),
        P::F5 => vec![upper; 16].join(":"),
        P::Iis => vec![upper; 16].join("-"),
        P::ApigeeX | P::Kong | P::Traefik => String::new(),
    }
}

#[test]
fn both_generations_stand_in_every_sheet_in_the_products_own_spelling() {
    let (new, present) = generations();
    for product in GatewayProduct::ALL {
        let both = text(&sheet(&order(product, &new, Some(&present))).unwrap());
        let alone = text(&sheet(&order(product, &new, None)).unwrap());
        match product {
            GatewayProduct::ApigeeX | GatewayProduct::Traefik => {
                let says = |t: &str| {
                    t.contains("present certificate itself") || t.contains("both certificates")
                };
                assert!(says(&both) && !says(&alone), "{product}: {both}");
            }
            GatewayProduct::Kong => {
                assert!(both.contains("now.vendor.example"), "{both}");
                assert!(!alone.contains("now.vendor.example"), "{alone}");
            }
            _ => {
                for byte in [0xab, 0xcd] {
                    assert!(both.contains(&pin(product, byte)), "{product}: {both}");
                }
                // What was removed is gone: the sheet without the present one does not let it in.
                assert!(!alone.contains(&pin(product, 0xcd)), "{product}: {alone}");
            }
        }
    }
}

#[test]
fn no_authority_is_trusted_without_a_fingerprint_or_a_name() {
    let (new, present) = generations();
    for product in GatewayProduct::ALL {
        let mut by_name = order(product, &new, Some(&present));
        by_name.pin = PinType::Authority;
        let sheet = sheet(&by_name).unwrap();
        let later = sheet.rule.contains("no work here");
        assert_eq!(later, sheet.bundle == Bundle::Authorities, "{product}");
        if sheet.bundle == Bundle::Certificates {
            continue;
        }
        let text = text(&sheet);
        // Some are regular expressions.
        let text = text.replace("[.]", ".");
        for name in ["next.vendor.example", "now.vendor.example"] {
            assert!(text.contains(name), "{product}: {text}");
        }
    }
}

#[test]
fn without_a_name_to_compare_there_is_no_sheet_by_name() {
    let (mut new, present) = generations();
    new.subject = "O=Vendor".into();
    new.dns_names.clear();
    for product in GatewayProduct::ALL {
        let mut by_name = order(product, &new, Some(&present));
        by_name.pin = PinType::Authority;
        match product {
            GatewayProduct::Traefik | GatewayProduct::Other => assert!(sheet(&by_name).is_ok()),
            _ => assert!(
                matches!(sheet(&by_name), Err(Unfit::NoName { which: "new", .. })),
                "{product}"
            ),
        }
        // In general words there always is one.
        assert!(text(&general_sheet(&by_name)).contains("O=Vendor"));
    }
}

#[test]
fn a_name_that_could_say_something_else_in_a_configuration_is_refused() {
    let (_, present) = generations();
    for bad in [
        "x\"; return 200; #",
        "a b",
        "a\nb",
        "${x}",
        "",
        "a..b",
        "`id`",
    ] {
        let new = certificate(1, bad);
        for product in GatewayProduct::ALL {
            let mut by_name = order(product, &new, Some(&present));
            by_name.pin = PinType::Authority;
            if let Ok(sheet) = sheet(&by_name) {
                assert!(
                    bad.is_empty()
                        || !text(&sheet).contains(bad)
                        || product == GatewayProduct::Other,
                    "{product}: {bad:?}"
                );
            }
            let mut host = order(product, &present, None);
            host.host = bad;
            assert!(matches!(sheet(&host), Err(Unfit::Name { .. })), "{product}");
        }
    }
}

#[test]
fn the_four_methods_pass_on_rest_and_the_oauth_path_only_where_it_is_used() {
    let (new, present) = generations();
    for product in GatewayProduct::ALL {
        for oauth in [false, true] {
            let mut wanted = order(product, &new, Some(&present));
            wanted.oauth = oauth;
            let sheet = sheet(&wanted).unwrap();
            for word in ["GET", "POST", "PUT", "DELETE", "/rest/**"] {
                assert!(sheet.rule.contains(word), "{product}: {}", sheet.rule);
            }
            assert!(sheet.rule.contains("no further authentication"));
            let said = text(&sheet);
            if oauth {
                let whole = said + &sheet.rule;
                assert!(
                    whole.contains("/plugins/servlet/oauth"),
                    "{product}: {whole}"
                );
            } else {
                assert!(!said.contains("servlet/oauth"), "{product}: {said}");
            }
            assert_eq!(sheet.rule.contains("OAuth 1.0a would"), !oauth);
        }
    }
}

#[test]
fn the_sheet_says_when_the_present_one_may_go_if_there_is_one() {
    let (new, present) = generations();
    let mut wanted = order(GatewayProduct::Nginx, &new, Some(&present));
    let overlap = sheet(&wanted).unwrap().overlap.unwrap();
    assert!(overlap.contains("until 2027-01-15 00:00 UTC"), "{overlap}");
    assert!(overlap.contains("before we write"), "{overlap}");
    wanted.until = None;
    assert!(
        sheet(&wanted)
            .unwrap()
            .overlap
            .unwrap()
            .contains("until we write")
    );
    wanted.present = None;
    assert_eq!(sheet(&wanted).unwrap().overlap, None);
}

#[test]
fn what_a_product_cannot_do_is_said() {
    let (mut new, present) = generations();
    let limits = |new: &CertificateFacts, product| {
        sheet(&order(product, new, Some(&present)))
            .unwrap()
            .limits
            .join("\n")
    };
    for product in GatewayProduct::ALL {
        if product != GatewayProduct::Other {
            let said = limits(&new, product);
            assert!(
                said.to_lowercase().contains("revo") || product == GatewayProduct::AwsApiGateway,
                "{product}: {said}"
            );
        }
    }
    new.self_issued = true;
    for product in [
        GatewayProduct::ApigeeEdge,
        GatewayProduct::AzureApplicationGateway,
        GatewayProduct::Cloudflare,
        GatewayProduct::Kong,
    ] {
        let said = limits(&new, product);
        assert!(said.contains("cannot be installed"), "{product}: {said}");
    }
}

#[test]
fn whether_the_lines_were_run_is_said() {
    let (new, _) = generations();
    use GatewayProduct as P;
    for product in GatewayProduct::ALL {
        let tried = sheet(&order(product, &new, None)).unwrap().tried;
        let loaded = matches!(
            product,
            P::Nginx | P::Haproxy | P::Apache | P::Envoy | P::Caddy | P::Traefik
        );
        assert_eq!(tried == Tried::Loaded, loaded, "{product}");
        assert_eq!(tried.in_words().contains("NOT been run"), !loaded);
    }
}

#[test]
fn azures_thumbprint_is_upper_case_without_colons_everywhere() {
    let (new, present) = generations();
    let sheet = sheet(&order(
        GatewayProduct::AzureApiManagement,
        &new,
        Some(&present),
    ))
    .unwrap();
    let policy = sheet.file("inbound-policy.xml").unwrap();
    assert!(policy.contains(&format!("&quot;{}&quot;", "AB".repeat(20))));
    assert!(!policy.contains("abab") && !policy.contains("AB:AB"));
}

#[test]
fn a_gateway_that_holds_the_authority_itself_is_told_so() {
    let (new, _) = generations();
    let mut theirs = order(GatewayProduct::Nginx, &new, None);
    theirs.anchors = Anchors::Theirs {
        issuer: &new.issuer,
    };
    let text = text(&sheet(&theirs).unwrap());
    assert!(
        text.contains("certificates of CN=Vendor Issuing CA and its root"),
        "{text}"
    );
}

#[test]
fn the_lines_fit_into_a_letter() {
    let (mut new, present) = generations();
    let mut long = Vec::new();
    for pin in [PinType::Certificate, PinType::Authority] {
        for (product, self_issued) in GatewayProduct::ALL
            .into_iter()
            .flat_map(|p| [(p, false), (p, true)])
        {
            new.self_issued = self_issued;
            let mut wanted = order(product, &new, Some(&present));
            (wanted.oauth, wanted.pin) = (true, pin);
            for step in sheet(&wanted).unwrap().steps {
                let lines = step.lines.iter().flat_map(|lines| lines.lines());
                long.extend(
                    lines
                        .filter(|l| l.len() > 72 || !l.is_ascii() || *l != l.trim_end())
                        .map(|line| format!("{product}: {line}")),
                );
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_product_has_words_of_its_own_for_reports() {
    let mut seen = std::collections::BTreeSet::new();
    for product in GatewayProduct::ALL {
        let words = words(product);
        assert!(seen.insert(words.ask), "{product}");
        assert!(!words.trust.is_empty() && !words.methods.is_empty());
    }
}
