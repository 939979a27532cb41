//! OpenSSL and pkilint as judges: each says yes to what is good and no to what is not.

use std::process::Command;

use countersign_peers::{
    Algorithm, Authority, Purpose, Request, Severity, Validity, lint_certificate, lint_crl, openssl,
};
use rcgen::{
    CertificateParams, CertificateRevocationListParams, KeyIdMethod, KeyPair, RevokedCertParams,
    SerialNumber, date_time_ymd,
};

use crate::tools::write;

/// Runs `openssl cms` to make what the judges are to judge.
fn cms(arguments: &[&str], files: &[(&str, &str)]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = Command::new("openssl");
    command.arg("cms").args(arguments);
    for (index, (option, content)) in files.iter().enumerate() {
        let path = directory.path().join(index.to_string());
        write(&path, content);
        if !option.is_empty() {
            command.arg(option);
        }
        command.arg(path);
    }
    let output = command.output().expect("openssl is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn a_signed_mail_is_verified_and_an_altered_one_is_not() {
    let root = Authority::root("Mail root");
    let signer = root.issue(&Request::new(Purpose::Email, "ops@align.test"));
    let mail = cms(
        &["-sign", "-text"],
        &[
            ("-in", "the new key\n"),
            ("-signer", &signer.certificate_pem()),
            ("-inkey", &signer.key_pem()),
        ],
    );
    let content = openssl::cms_verify(&mail, &root.pem()).expect("the mail is genuine");
    assert!(String::from_utf8_lossy(&content).contains("the new key"));
    let altered = String::from_utf8_lossy(&mail).replace("the new key", "the old key");
    assert!(openssl::cms_verify(altered.as_bytes(), &root.pem()).is_err());
    let stranger = Authority::root("Another root");
    assert!(openssl::cms_verify(&mail, &stranger.pem()).is_err());
}

#[test]
fn a_signer_without_mail_purpose_is_accepted_only_when_any_purpose_is() {
    let root = Authority::root("Root");
    let signer = root.client("ops");
    let mail = cms(
        &["-sign", "-text"],
        &[
            ("-in", "hello\n"),
            ("-signer", &signer.certificate_pem()),
            ("-inkey", &signer.key_pem()),
        ],
    );
    assert!(openssl::cms_verify(&mail, &root.pem()).is_err());
    openssl::cms_verify_any_purpose(&mail, &root.pem()).expect("the signature is good");
}

#[test]
fn an_encrypted_mail_is_opened_by_its_recipient_alone() {
    let root = Authority::root("Mail root");
    let rsa = Request {
        algorithm: Algorithm::Rsa2048,
        ..Request::new(Purpose::Email, "sec@partner.test")
    };
    let [sec, other] = [root.issue(&rsa), root.issue(&rsa)];
    let mail = cms(
        &["-encrypt", "-aes256"],
        &[("-in", "the new key\n"), ("", &sec.certificate_pem())],
    );
    let content = openssl::cms_decrypt(&mail, &sec.certificate_pem(), &sec.key_pem());
    assert!(String::from_utf8_lossy(&content.expect("it is for sec")).contains("the new key"));
    openssl::cms_decrypt(&mail, &other.certificate_pem(), &other.key_pem())
        .expect_err("it is not for others");
}

#[test]
fn a_client_chain_is_good_only_when_complete_valid_and_for_clients() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing CA");
    let judge = |request: &Request, intermediates: &str| {
        let leaf = issuing.issue(request).certificate_pem();
        openssl::verify_client_chain(&root.pem(), intermediates, &leaf)
    };
    let request = Request::new(Purpose::Client, "client.test");
    judge(&request, &issuing.pem()).expect("the chain is good");
    judge(&request, "").expect_err("the intermediate is missing");
    let bad = Request {
        validity: Validity::Expired,
        ..request.clone()
    };
    let refusal = judge(&bad, &issuing.pem()).expect_err("it is expired");
    assert!(refusal.contains("expired"), "{refusal}");
    let bad = Request {
        purpose: Purpose::Server,
        ..request
    };
    let refusal = judge(&bad, &issuing.pem()).expect_err("it is a server's");
    assert!(refusal.contains("purpose"), "{refusal}");
}

#[test]
fn a_request_proves_the_possession_of_its_key() {
    let key = KeyPair::generate().expect("a key can be generated");
    let params = CertificateParams::new(["client.test".to_owned()]).expect("a good name");
    let request = params.serialize_request(&key).expect("a good request");
    let text = openssl::req_verify(&request.pem().expect("a request can be written"));
    assert!(text.expect("it is genuine").contains("client.test"));

    let mut forged = request.der().to_vec();
    *forged.last_mut().expect("a request is not empty") ^= 1;
    let forged = pem("CERTIFICATE REQUEST", &forged);
    openssl::req_verify(&forged).expect_err("its signature is wrong");
}

#[test]
fn a_revocation_list_is_its_issuers() {
    let root = Authority::root("Root");
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2049, 1, 1),
        crl_number: SerialNumber::from(1u64),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(0x00c0_ffee_u64),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    }
    .signed_by(root.issuer())
    .expect("a good list");
    let list_pem = list.pem().expect("a list can be written");
    let text = openssl::crl_verify(&list_pem, &root.pem()).expect("it is the root's");
    assert!(text.contains("C0FFEE"), "{text}");
    openssl::crl_verify(&list_pem, &Authority::root("Root").pem()).expect_err("another root");
    let grave: Vec<_> = lint_crl(list.der())
        .into_iter()
        .filter(|f| f.severity >= Severity::Error)
        .collect();
    assert_eq!(grave, []);
}

#[test]
fn a_private_key_is_read_with_its_passphrase() {
    let identity = Request::new(Purpose::Client, "client").self_signed();
    let public = openssl::pkcs8_read(&identity.key_pem(), None).expect("a plain key");
    assert!(public.contains("BEGIN PUBLIC KEY"), "{public}");

    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("key.pem");
    write(&path, &identity.key_pem());
    let output = Command::new("openssl")
        .args(["pkcs8", "-topk8", "-passout", "pass:open sesame", "-in"])
        .arg(path)
        .output()
        .expect("openssl is installed");
    let sealed = String::from_utf8(output.stdout).expect("PEM is text");
    assert!(sealed.contains("BEGIN ENCRYPTED PRIVATE KEY"), "{sealed}");
    assert_eq!(
        openssl::pkcs8_read(&sealed, Some("open sesame")),
        Ok(public)
    );
    openssl::pkcs8_read(&sealed, Some("open barley")).expect_err("a wrong passphrase");
    openssl::pkcs8_read(&sealed, None).expect_err("no passphrase");
}

#[test]
fn pkilint_finds_nothing_grave_in_our_certificates_and_an_error_in_a_bad_one() {
    let root = Authority::root("Root");
    let grave = |certificate: &[u8]| {
        let mut findings = lint_certificate(certificate);
        findings.retain(|finding| finding.severity >= Severity::Error);
        findings
    };
    assert_eq!(grave(&root.der()), []);
    let good = root.client("client.test");
    assert_eq!(grave(&good.certificate_der()), []);
    assert_eq!(grave(good.certificate_pem().as_bytes()), []);

    // A CA that may sign anything but certificates.
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key can be generated");
    let bad = params.self_signed(&key).expect("well-formed, if wrong");
    let codes: Vec<_> = grave(bad.der())
        .into_iter()
        .map(|finding| finding.code)
        .collect();
    assert!(
        codes
            .iter()
            .any(|code| code == "pkix.ca_certificate_no_ku_extension"),
        "{codes:?}"
    );
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
