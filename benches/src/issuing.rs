//! What issuing costs: everything that countersign does for a certificate, and a bare loop beside it.

use countersign::{
    model::{GenerationNumber, KeyAlgorithm, Lapse, Validity},
    pki::{self, PrivateKey, Profile},
    records::{Batch, Records},
};
use jiff::Timestamp;

use crate::{Models, author, name, subject};

/// Makes, checks, certifies, seals and journals `count` identities in one transaction.
pub fn with_countersign(
    records: &Records,
    models: &Models,
    first: usize,
    count: usize,
    now: Timestamp,
) {
    let mut batch = Batch::new();
    for number in first..first + count {
        batch = models.issue(batch, number);
    }
    records.commit(&author(), now, batch).unwrap();
}

impl Models {
    /// An identity with a key of its own: key, request, the request checked, certificate, inspected, journal.
    fn issue(&self, batch: Batch, number: usize) -> Batch {
        let identity = name(number);
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let request = pki::request::certification_request(&key, &subject(&identity)).unwrap();
        let verified = pki::request::inspect_request(&request).unwrap();
        let validity = Validity::new(
            Lapse::days(1).before(self.now),
            Lapse::days(400).after(self.now),
        );
        let leaf = self
            .authority
            .issue(
                verified.public_key(),
                &subject(&identity),
                validity.unwrap(),
                &pki::random_serial().unwrap(),
                &Profile::Client,
            )
            .unwrap();
        self.with(batch, number, &key, &request, leaf).new_key(
            &identity,
            GenerationNumber::FIRST,
            key.pkcs8(),
        )
    }
}

/// The same number of certificates by rcgen alone: a key, a request, a certificate.
pub struct Bare {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Default for Bare {
    fn default() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self {
            issuer: rcgen::Issuer::new(parameters, key),
        }
    }
}

impl Bare {
    /// Issues `count` of them; gives their lengths, so that none is left out.
    pub fn issue(&self, count: usize) -> usize {
        let mut length = 0;
        for number in 0..count {
            let host = format!("{}.align.example", name(number));
            let key = rcgen::KeyPair::generate().unwrap();
            let parameters = rcgen::CertificateParams::new(vec![host]).unwrap();
            let request = parameters.serialize_request(&key).unwrap();
            let request = rcgen::CertificateSigningRequestParams::from_der(request.der()).unwrap();
            length += request.signed_by(&self.issuer).unwrap().der().len();
        }
        length
    }
}
