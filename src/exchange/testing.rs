//! People with keys, and OpenSSL as the judge, for the tests of this module.

use std::{path::PathBuf, process::Command};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{
    LetterFacts, OneTimeCode, Overlap, Sender,
    smime::{DecryptionKey, Signer},
};
use crate::model::{
    CertificateFacts, Contact, Fingerprint, GatewayProduct, GenerationNumber, KeyId, LetterKind,
    MessageId, PinType, Role, SerialNumber, Sha1Fingerprint, Validity,
};

#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Rsa,
    P256,
    P384,
}

/// Somebody with a mail certificate.
pub(super) struct Person {
    pub(super) der: Vec<u8>,
    pub(super) pkcs8: Vec<u8>,
    pem: String,
    key_pem: String,
}

impl Person {
    pub(super) fn new(address: &str, key: Key) -> Self {
        let key = match key {
            Key::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            Key::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Key::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        }
        .unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, address);
        params
            .subject_alt_names
            .push(rcgen::SanType::Rfc822Name(address.try_into().unwrap()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyAgreement,
        ];
        // Brings the subject key identifier along.
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2049, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            der: certificate.der().to_vec(),
            pkcs8: key.serialize_der(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    pub(super) fn signer(&self) -> Signer {
        Signer::new(&self.pkcs8, std::slice::from_ref(&self.der)).unwrap()
    }

    pub(super) fn decryption_key(&self) -> DecryptionKey {
        DecryptionKey::new(Zeroizing::new(self.pkcs8.clone()), &self.der).unwrap()
    }
}

/// A directory in which `openssl` runs.
pub(super) struct Bench(TempDir);

impl Bench {
    pub(super) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        let mut file = std::fs::File::create(self.path(name)).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
    }

    pub(super) fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Files `name.pem` and `name.key`.
    pub(super) fn install(&self, name: &str, person: &Person) {
        self.put(&format!("{name}.pem"), person.pem.as_bytes());
        self.put(&format!("{name}.key"), person.key_pem.as_bytes());
    }

    /// What it says on success, what it complains of otherwise.
    pub(super) fn openssl(&self, arguments: &str) -> Result<Vec<u8>, String> {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .expect("these tests need the `openssl` program");
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// What a certificate with digests of this byte says.
pub(super) fn certificate_facts(byte: u8) -> CertificateFacts {
    let day = |text: &str| text.parse().unwrap();
    CertificateFacts {
        fingerprint: Fingerprint::from_digest([byte; 32]),
        sha1: Sha1Fingerprint::from_digest([byte; 20]),
        key_id: KeyId::from_digest([byte; 32]),
        key_algorithm: None,
        subject: "CN=jira.vendor.example".into(),
        issuer: "CN=Vendor Issuing CA".into(),
        serial: SerialNumber::from_bytes(&[byte; 16]),
        validity: Validity::new(day("2026-11-01T00:00:00Z"), day("2027-11-01T00:00:00Z")).unwrap(),
        dns_names: vec!["jira.vendor.example".into()],
        email_addresses: Vec::new(),
        extended_key_usage: None,
        key_usage: None,
        is_ca: false,
        self_issued: false,
    }
}

pub(super) fn contact(email: &str, certificate: Option<Vec<u8>>) -> Contact {
    Contact {
        name: "Jo Sec".into(),
        email: email.parse().unwrap(),
        role: Role::JiraSec,
        phone: None,
        certificate,
    }
}

/// An offer of generation 2 to acme/test.
pub(super) fn facts(certificate: Option<Vec<u8>>) -> LetterFacts {
    let leaf = certificate_facts(0xab);
    let identity = "jira-align".parse().unwrap();
    let destination = "acme/test".parse().unwrap();
    let generation = GenerationNumber::FIRST.next();
    LetterFacts {
        kind: LetterKind::Offer,
        ordinal: 1,
        message_id: MessageId::for_letter(
            LetterKind::Offer,
            &identity,
            generation,
            &leaf.fingerprint,
            &destination,
            1,
            "vendor.example",
        ),
        in_reply_to: None,
        date: "2026-11-24T08:00:00Z".parse().unwrap(),
        from: Sender {
            name: "Vendor Operations".into(),
            email: "ops@vendor.example".parse().unwrap(),
            reply_to: None,
            organization: Some("Vendor".into()),
        },
        to: vec![contact("sec@acme.example", certificate)],
        partner_title: "Acme".into(),
        destination,
        endpoint: "https://jira.acme.example/".into(),
        gateway: GatewayProduct::Nginx,
        pin: PinType::Certificate,
        oauth: false,
        identity,
        generation,
        chain: vec![b"leaf".to_vec()],
        leaf,
        previous: Some(certificate_facts(0xcd)),
        overlap: Overlap {
            since: "2026-11-24T08:00:00Z".parse().unwrap(),
            until: Some("2027-01-15T00:00:00Z".parse().unwrap()),
        },
        respond_by: Some("2026-12-10T00:00:00Z".parse().unwrap()),
        code: Some(OneTimeCode::generate().unwrap()),
    }
}
