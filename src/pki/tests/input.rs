//! The shapes in which people send certificates.

use super::Family;
use crate::{
    model::KeyAlgorithm,
    pki::{
        PrivateKey,
        pem::{
            self, LARGEST_INPUT, MOST_CERTIFICATES, PemError, certificate_pem,
            certificates_from_pem,
        },
        request::{RequestError, certification_request, inspect_request},
    },
};

fn family() -> Family {
    Family::new(KeyAlgorithm::EcdsaP256)
}

#[test]
fn every_wrapping_gives_the_same_certificates() {
    let family = family();
    let chain = family.chain();
    let plain: String = chain.iter().map(|der| certificate_pem(der)).collect();
    let quoted: String = plain.lines().map(|line| format!("> {line}\r\n")).collect();
    for text in [
        plain.clone(),
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        format!("Dear Ops,\n\nhere it is:\n{plain}\n-- \nJira Sec"),
        quoted,
        plain
            .replace("BEGIN CERT", "BEGIN X509 CERT")
            .replace("END CERT", "END X509 CERT"),
        plain.lines().map(|line| format!("{line}  \n\n")).collect(),
    ] {
        assert_eq!(
            certificates_from_pem(text.as_bytes()).unwrap(),
            chain,
            "{text}"
        );
    }
    assert_eq!(certificates_from_pem(&chain[0]).unwrap(), chain[..1]);
}

#[test]
fn a_bundle_from_a_windows_authority_is_unwrapped() {
    let chain = family().chain();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.pem");
    let plain: String = chain.iter().map(|der| certificate_pem(der)).collect();
    std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), plain.as_bytes())
        .unwrap();
    for form in ["DER", "PEM"] {
        let output = std::process::Command::new("openssl")
            .args(["crl2pkcs7", "-nocrl", "-outform", form, "-certfile"])
            .arg(&path)
            .output()
            .unwrap();
        let mut found = certificates_from_pem(&output.stdout).unwrap();
        let mut wanted = chain.clone();
        // It is a SET: the order means nothing.
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{form}");
    }
}

#[test]
fn a_private_key_is_named_and_not_repeated() {
    let family = family();
    let key = family.key.pem();
    let secret = key.lines().nth(1).unwrap();
    let whole = format!("{}\n{}", certificate_pem(&family.leaf), *key);
    let cut = key.replace("-----END PRIVATE KEY-----", "");
    for text in [whole.as_str(), &cut] {
        let error = certificates_from_pem(text.as_bytes()).unwrap_err();
        assert!(matches!(error, PemError::PrivateKey { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains(secret));
    }
}

#[test]
fn what_is_no_certificate_is_refused_with_its_line() {
    let family = family();
    let good = certificate_pem(&family.leaf);
    let request = pem::request_pem(&certification_request(&family.key, &super::subject()).unwrap());
    let refused = |text: &str| certificates_from_pem(text.as_bytes()).unwrap_err();

    assert!(matches!(refused("hello"), PemError::NoCertificate));
    assert!(matches!(refused(""), PemError::NoCertificate));
    assert!(matches!(
        refused(&format!("\n\n{request}")),
        PemError::WrongLabel { line: 3, .. }
    ));
    assert!(matches!(
        refused(&format!("hello\n{}", good.replace("-----END", "----END"))),
        PemError::Unterminated { line: 2, .. }
    ));
    assert!(matches!(
        refused(&good.replacen("MI", "M!", 1)),
        PemError::Base64 { line: 1, .. }
    ));
    assert!(matches!(
        refused(&format!(
            "{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        )),
        PemError::Certificate {
            number: 2,
            line: Some(_),
            ..
        }
    ));
    assert!(matches!(
        certificates_from_pem(b"\xff\xfe-\0-\0"),
        Err(PemError::Utf16)
    ));
}

#[test]
fn endless_input_is_refused_before_it_is_read() {
    let good = certificate_pem(&family().leaf);
    let many = good.repeat(MOST_CERTIFICATES + 1);
    let refused = certificates_from_pem(many.as_bytes());
    assert!(matches!(refused, Err(PemError::TooMany { .. })));
    let refused = certificates_from_pem(&vec![b'-'; LARGEST_INPUT + 1]);
    assert!(matches!(refused, Err(PemError::TooLarge { .. })));
}

#[test]
fn a_request_that_its_key_did_not_sign_is_refused() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let other = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let mut der = certification_request(&key, &super::subject()).unwrap();
    let at = der
        .windows(key.public_key_info().len())
        .position(|window| window == key.public_key_info())
        .unwrap();
    der[at..at + other.public_key_info().len()].copy_from_slice(other.public_key_info());
    let refused = inspect_request(&der);
    assert!(
        matches!(refused, Err(RequestError::NotSelfSigned)),
        "{refused:?}"
    );
}

#[test]
fn a_request_is_found_in_its_text() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let der = certification_request(&key, &super::subject()).unwrap();
    let text = format!("Hello\r\n{}", pem::request_pem(&der));
    assert_eq!(pem::request_from_pem(text.as_bytes()).unwrap(), der);
    assert_eq!(pem::request_from_pem(&der).unwrap(), der);
    let refused = pem::request_from_pem(b"hello");
    assert!(matches!(refused, Err(PemError::NoRequest)));
}
