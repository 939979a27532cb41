//! What OpenSSL says of it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Family, days, now, subject};
use crate::{
    model::{KeyAlgorithm, Lapse},
    pki::{
        AuthorityError, CertificateAuthority, PrivateKey, Profile, RevocationReason, Revoked,
        inspect_chain, pem, random_serial,
        request::{certification_request, inspect_request},
        self_signed,
    },
};

/// A directory of files that OpenSSL is shown.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, content.as_ref()).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What OpenSSL printed, and whether it was content.
fn openssl<S: AsRef<std::ffi::OsStr>>(desk: &Desk, arguments: &[S]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(desk.path())
        .output()
        .expect("these tests need the program openssl");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

fn accepts(desk: &Desk, arguments: &str) -> String {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let (fine, text) = openssl(desk, &arguments);
    assert!(fine, "openssl {arguments:?}: {text}");
    text
}

fn refuses(desk: &Desk, arguments: &str) -> String {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let (fine, text) = openssl(desk, &arguments);
    assert!(!fine, "openssl {arguments:?}: {text}");
    text
}

fn at_now() -> String {
    format!("-attime {}", now().as_second())
}

#[test]
fn a_chain_of_every_algorithm_is_a_client_chain_for_openssl() {
    for algorithm in KeyAlgorithm::ALL {
        let family = Family::new(algorithm);
        let desk = Desk::new();
        desk.put("root.pem", pem::certificate_pem(family.root.certificate()));
        desk.put(
            "issuing.pem",
            pem::certificate_pem(family.issuing.certificate()),
        );
        desk.put("leaf.pem", pem::certificate_pem(&family.leaf));
        let verify = format!(
            "verify -x509_strict {} -CAfile root.pem -untrusted issuing.pem",
            at_now()
        );
        accepts(&desk, &format!("{verify} -purpose sslclient leaf.pem"));
        refuses(&desk, &format!("{verify} -purpose sslserver leaf.pem"));
        refuses(&desk, &format!("{verify} -purpose smimesign leaf.pem"));
    }
}

#[test]
fn a_self_signed_leaf_is_its_own_trust_anchor_and_nobody_elses() {
    for algorithm in KeyAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let make = || self_signed(&key, &subject(), days(90), &random_serial().unwrap()).unwrap();
        let desk = Desk::new();
        desk.put("leaf.pem", pem::certificate_pem(&make()));
        desk.put("other.pem", pem::certificate_pem(&make()));
        let verify = format!("verify {} -purpose sslclient -CAfile leaf.pem", at_now());
        accepts(&desk, &format!("{verify} -x509_strict leaf.pem"));
        refuses(&desk, &format!("{verify} other.pem"));
        let text = accepts(&desk, "x509 -in leaf.pem -noout -text");
        assert!(text.contains("CA:FALSE"), "{text}");
    }
}

#[test]
fn a_request_of_every_algorithm_verifies_and_asks_for_what_is_needed() {
    for algorithm in KeyAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let der = certification_request(&key, &subject()).unwrap();
        let desk = Desk::new();
        desk.put("request.pem", pem::request_pem(&der));
        let text = accepts(
            &desk,
            "req -in request.pem -verify -noout -text -utf8 -nameopt utf8",
        );
        for wanted in [
            "DNS:align.acme.example, DNS:align-2.acme.example",
            "TLS Web Client Authentication",
            "Digital Signature",
            "Acme Überwachung",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        let read = inspect_request(&der).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        assert_eq!(
            read.dns_names(),
            ["align.acme.example", "align-2.acme.example"]
        );
    }
}

#[test]
fn openssl_reads_the_private_key_and_finds_the_same_public_key() {
    for algorithm in KeyAlgorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let desk = Desk::new();
        desk.put("key.pem", key.pem().as_bytes());
        accepts(
            &desk,
            "pkey -in key.pem -pubout -outform DER -out public.der",
        );
        let public = std::fs::read(desk.path().join("public.der")).unwrap();
        assert_eq!(public, key.public_key_info(), "{algorithm}");
    }
}

#[test]
fn keys_made_by_openssl_are_read() {
    for (options, algorithm) in [
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            KeyAlgorithm::EcdsaP256,
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
            KeyAlgorithm::EcdsaP384,
        ),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            KeyAlgorithm::Rsa2048,
        ),
        ("-algorithm ED25519", KeyAlgorithm::Ed25519),
    ] {
        let desk = Desk::new();
        accepts(&desk, &format!("genpkey {options} -out key.pem"));
        accepts(
            &desk,
            "pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der",
        );
        let der = std::fs::read(desk.path().join("key.der")).unwrap();
        let key = PrivateKey::from_pkcs8(der.into()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
    }
}

#[test]
fn a_mail_certificate_signs_mail_and_is_no_client_certificate() {
    for algorithm in KeyAlgorithm::ALL {
        let family = Family::new(algorithm);
        let leaf = family
            .issuing
            .issue(
                family.key.public_key(),
                &subject(),
                days(90),
                &random_serial().unwrap(),
                &Profile::Email("ops@acme.example".parse().unwrap()),
            )
            .unwrap();
        let desk = Desk::new();
        desk.put("root.pem", pem::certificate_pem(family.root.certificate()));
        desk.put(
            "issuing.pem",
            pem::certificate_pem(family.issuing.certificate()),
        );
        desk.put("leaf.pem", pem::certificate_pem(&leaf));
        let verify = format!(
            "verify -x509_strict {} -CAfile root.pem -untrusted issuing.pem",
            at_now()
        );
        accepts(&desk, &format!("{verify} -purpose smimesign leaf.pem"));
        refuses(&desk, &format!("{verify} -purpose sslclient leaf.pem"));
        let text = accepts(&desk, "x509 -in leaf.pem -noout -text");
        assert!(text.contains("email:ops@acme.example"), "{text}");
        assert!(!text.contains("DNS:"), "{text}");
    }
}

#[test]
fn a_revoked_certificate_is_refused_with_the_list_and_accepted_without() {
    for algorithm in KeyAlgorithm::ALL {
        let family = Family::new(algorithm);
        let facts = crate::pki::inspect(&family.leaf).unwrap();
        let lists = [
            ("none.pem", vec![]),
            (
                "one.pem",
                vec![Revoked {
                    serial: facts.serial,
                    at: now(),
                    reason: RevocationReason::KeyCompromise,
                }],
            ),
        ];
        let desk = Desk::new();
        for (number, (name, revoked)) in lists.into_iter().enumerate() {
            let list = family
                .issuing
                .revocation_list(
                    &revoked,
                    200 + number as u64,
                    now(),
                    Lapse::days(7).after(now()),
                )
                .unwrap();
            desk.put(name, pem::crl_pem(&list));
        }
        desk.put("root.pem", pem::certificate_pem(family.root.certificate()));
        desk.put(
            "issuing.pem",
            pem::certificate_pem(family.issuing.certificate()),
        );
        desk.put("leaf.pem", pem::certificate_pem(&family.leaf));
        let verify = format!(
            "verify {} -crl_check -CAfile root.pem -untrusted issuing.pem -purpose sslclient",
            at_now()
        );
        accepts(&desk, &format!("{verify} -CRLfile none.pem leaf.pem"));
        let text = refuses(&desk, &format!("{verify} -CRLfile one.pem leaf.pem"));
        assert!(text.contains("certificate revoked"), "{text}");
        let text = accepts(&desk, "crl -in one.pem -noout -text -CAfile issuing.pem");
        for wanted in ["verify OK", "Key Compromise", "X509v3 CRL Number", "201"] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }
}

#[test]
fn the_facts_agree_with_what_openssl_prints() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let facts = crate::pki::inspect(&family.leaf).unwrap();
    let desk = Desk::new();
    desk.put("leaf.pem", pem::certificate_pem(&family.leaf));
    let text = accepts(
        &desk,
        "x509 -in leaf.pem -noout -serial -fingerprint -sha256 -subject -issuer -nameopt RFC2253,utf8,-esc_msb -enddate -dateopt iso_8601",
    );
    let ends = facts.validity.not_after().to_string().replace('T', " ");
    for wanted in [
        facts.fingerprint.colon_upper(),
        facts.serial.to_string().to_uppercase(),
        facts.subject,
        facts.issuer,
        ends,
    ] {
        assert!(text.contains(&wanted), "{wanted}: {text}");
    }
    let text = accepts(&desk, "x509 -in leaf.pem -noout -fingerprint -sha1");
    assert!(text.contains(&facts.sha1.colon_upper()), "{text}");
}

#[test]
fn signatures_by_other_algorithms_are_verified_and_sha1_is_not_believed() {
    let pss = "-newkey rsa:2048 -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32";
    for (options, wanted) in [
        (pss, true),
        ("-newkey rsa:2048 -sha512", true),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-521 -sha512", true),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha256", true),
        ("-newkey rsa:2048 -sha1", false),
    ] {
        let desk = Desk::new();
        accepts(
            &desk,
            &format!(
                "req -x509 {options} -nodes -keyout key.pem -subj /CN=x -outform DER -out x.der"
            ),
        );
        let der = std::fs::read(desk.path().join("x.der")).unwrap();
        let facts = inspect_chain(&[der], None, &[]).unwrap();
        assert_eq!(facts.complete, Some(wanted), "{options}");
    }
}

#[test]
fn an_authority_whose_name_would_be_changed_is_refused() {
    for name in ["/OU=a/OU=b/CN=x", "/OU=a+CN=x"] {
        let desk = Desk::new();
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        desk.put("key.pem", key.pem().as_bytes());
        accepts(
            &desk,
            &format!("req -x509 -key key.pem -multivalue-rdn -subj {name} -outform DER -out x.der"),
        );
        let der = std::fs::read(desk.path().join("x.der")).unwrap();
        let refused = CertificateAuthority::from_parts(vec![der], key);
        assert!(
            matches!(refused, Err(AuthorityError::UnsupportedName { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn an_authority_made_elsewhere_issues_what_openssl_accepts() {
    let desk = Desk::new();
    let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap();
    desk.put("key.pem", key.pem().as_bytes());
    // Its key identifier is a SHA-1 one, and its name is not written as ours are.
    accepts(
        &desk,
        "req -x509 -key key.pem -days 9999 -subj /C=DE/O=Acme/CN=Corporate -outform DER -out root.der",
    );
    let der = std::fs::read(desk.path().join("root.der")).unwrap();
    desk.put("root.pem", pem::certificate_pem(&der));
    let authority = CertificateAuthority::from_parts(vec![der], key).unwrap();
    let leaf = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let certificate = authority
        .issue(
            leaf.public_key(),
            &subject(),
            days(90),
            &random_serial().unwrap(),
            &Profile::Client,
        )
        .unwrap();
    let list = authority
        .revocation_list(&[], 1, now(), Lapse::days(7).after(now()))
        .unwrap();
    desk.put("leaf.pem", pem::certificate_pem(&certificate));
    desk.put("list.pem", pem::crl_pem(&list));
    // The present of this machine is that of `req -x509`; the date of the list is ours.
    accepts(
        &desk,
        "verify -no_check_time -crl_check -CRLfile list.pem -purpose sslclient -CAfile root.pem leaf.pem",
    );
}
