//! Whatever is cut or changed, reading it ends with an answer.

use super::{Family, subject};
use crate::{
    model::KeyAlgorithm,
    pki::{
        InspectError, PrivateKey, inspect, inspect_chain, order_chain, pem,
        request::{certification_request, inspect_request},
    },
};

/// Every prefix, and the whole with each byte changed in some ways.
fn damaged(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..whole.len()).map(move |end| whole[..end].to_vec());
    let changed = (0..whole.len()).flat_map(move |at| {
        [0x01, 0x20, 0x80, 0xff].into_iter().map(move |mask| {
            let mut bytes = whole.to_vec();
            bytes[at] ^= mask;
            bytes
        })
    });
    cut.chain(changed)
}

#[test]
fn a_damaged_certificate_never_panics_and_never_passes_for_the_whole() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let whole = inspect(&family.leaf).unwrap();
    let chain = family.chain();
    for bytes in damaged(&family.leaf) {
        if let Ok(facts) = inspect(&bytes) {
            assert_ne!(facts.fingerprint, whole.fingerprint);
        }
        let mut damaged = chain.clone();
        damaged[0] = bytes;
        if let Ok(facts) = inspect_chain(&damaged, None, &[]) {
            assert!(facts.order_fault.is_some(), "{facts:?}");
        }
    }
}

#[test]
fn a_damaged_issuer_never_panics() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    let [leaf, issuing, root] = family.chain().try_into().unwrap();
    for bytes in damaged(&issuing) {
        let pasted = [root.clone(), bytes, leaf.clone()];
        if let Ok(ordered) = order_chain(&pasted, family.key.key_id()) {
            assert_eq!(ordered[0], leaf);
        }
    }
}

#[test]
fn a_damaged_request_is_refused() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let request = certification_request(&key, &subject()).unwrap();
    for bytes in damaged(&request) {
        assert!(inspect_request(&bytes).is_err());
    }
}

#[test]
fn a_damaged_text_or_bundle_never_panics() {
    let family = Family::new(KeyAlgorithm::EcdsaP256);
    for bytes in damaged(pem::certificate_pem(&family.leaf).as_bytes()) {
        // An answer is all that is asked: a change in the margin leaves a good certificate.
        let _ = pem::certificates_from_pem(&bytes);
    }
    for bytes in damaged(&family.leaf) {
        let _ = pem::certificates_from_pem(&bytes);
    }
}

#[test]
fn a_damaged_key_never_panics() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let key = PrivateKey::generate(algorithm).unwrap();
        for bytes in damaged(key.pkcs8()) {
            let _ = PrivateKey::from_pkcs8(bytes.into());
        }
    }
}

#[test]
fn bytes_after_a_certificate_are_refused() {
    let mut leaf = Family::new(KeyAlgorithm::EcdsaP256).leaf;
    leaf.push(0);
    assert!(matches!(
        inspect(&leaf),
        Err(InspectError::Unreadable { .. })
    ));
    let refused = inspect(&vec![0x30; crate::pki::LARGEST_CERTIFICATE + 1]);
    assert!(matches!(refused, Err(InspectError::TooLarge { .. })));
}
