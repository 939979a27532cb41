//! What issuing costs: everything that countersign does for a certificate, and a bare loop beside it.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use countersign::{
    model::{GenerationNumber, KeyAlgorithm, Lapse, Validity},
    pki::{self, PrivateKey, Profile},
    records::{Batch, Records},
};
use jiff::Timestamp;

use crate::{Models, Story, author, name, subject};

/// How many identities are committed in one transaction: what they take fits into the engine's cache.
const BATCH: usize = 500;

/// Makes, checks, certifies, seals and journals `count` identities, by so many threads that make and certify, while
/// this one seals and commits what they have ready.
pub fn with_countersign(
    records: &Records,
    models: &Models,
    first: usize,
    count: usize,
    now: Timestamp,
    makers: usize,
) {
    let batches: Vec<_> = (first..first + count).step_by(BATCH).collect();
    let made = |from: usize| {
        (from..(first + count).min(from + BATCH))
            .fold(Batch::new(), |batch, number| models.issue(batch, number))
    };
    let commit = |batch| {
        records.commit(&author(), now, batch).unwrap();
    };
    if makers == 0 {
        batches.into_iter().map(made).for_each(commit);
        return;
    }
    let next = AtomicUsize::new(0);
    let (ready, to_commit) = mpsc::sync_channel(makers);
    thread::scope(|scope| {
        for _ in 0..makers {
            let ready = ready.clone();
            let (batches, next, made) = (&batches, &next, &made);
            scope.spawn(move || {
                while let Some(from) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    ready.send(made(*from)).unwrap();
                }
            });
        }
        drop(ready);
        to_commit.iter().for_each(commit);
    });
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
        self.with(batch, number, &key, &request, leaf, Story::Issued)
            .new_key(&identity, GenerationNumber::FIRST, key.pkcs8())
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
