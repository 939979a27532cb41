//! Foreign software judges what is made here, and damaged input what is read here.

mod chains;
mod damage;
mod input;
mod openssl;

use jiff::Timestamp;

use super::{CertificateAuthority, PrivateKey, Profile, random_serial, self_signed};
use crate::model::{KeyAlgorithm, Lapse, SubjectRequest, Validity};

/// One certificate of every kind: a root, an issuing authority, a leaf.
struct Family {
    root: CertificateAuthority,
    issuing: CertificateAuthority,
    key: PrivateKey,
    leaf: Vec<u8>,
}

impl Family {
    fn new(algorithm: KeyAlgorithm) -> Self {
        Self::named("Test", algorithm)
    }

    fn named(name: &str, algorithm: KeyAlgorithm) -> Self {
        let root = CertificateAuthority::create_root(
            &format!("{name} Root"),
            algorithm,
            days(3650),
            &random_serial().unwrap(),
        )
        .unwrap();
        let issuing = CertificateAuthority::create_issuing(
            &root,
            &format!("{name} Issuing"),
            algorithm,
            days(1800),
            &random_serial().unwrap(),
        )
        .unwrap();
        let key = PrivateKey::generate(algorithm).unwrap();
        let leaf = issuing
            .issue(
                key.public_key(),
                &subject(),
                days(90),
                &random_serial().unwrap(),
                &Profile::Client,
            )
            .unwrap();
        Self {
            root,
            issuing,
            key,
            leaf,
        }
    }

    /// Leaf, issuing authority, root.
    fn chain(&self) -> Vec<Vec<u8>> {
        let mut chain = vec![self.leaf.clone()];
        chain.extend_from_slice(self.issuing.chain());
        chain
    }
}

fn subject() -> SubjectRequest {
    SubjectRequest {
        common_name: "align.acme.example".into(),
        organization: Some("Acme Überwachung".into()),
        dns_names: vec!["align-2.acme.example".into()],
    }
}

/// Valid for so many days. It begins before the tests' present, which OpenSSL is told as well.
fn days(days: i64) -> Validity {
    Validity::new(Lapse::days(1).before(now()), Lapse::days(days).after(now())).unwrap()
}

fn now() -> Timestamp {
    "2026-11-24T03:30:00Z".parse().unwrap()
}

/// A self-signed certificate with that end.
pub(super) fn certificate_until(end: &str) -> Vec<u8> {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let validity = Validity::new(now(), end.parse().unwrap()).unwrap();
    self_signed(&key, &subject(), validity, &random_serial().unwrap()).unwrap()
}
