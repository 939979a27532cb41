#![no_main]
//! S/MIME: signatures, around the content and beside it, and envelopes.

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

use countersign::{
    exchange::smime::{DecryptionKey, decrypt, is_enveloped, verify_detached, verify_opaque},
    model::{KeyAlgorithm, SubjectRequest, Validity},
    pki::{PrivateKey, random_serial, self_signed},
};
use zeroize::Zeroizing;

static KEYS: LazyLock<Vec<DecryptionKey>> = LazyLock::new(|| {
    [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048]
        .into_iter()
        .map(|algorithm| {
            let key = PrivateKey::generate(algorithm).unwrap();
            let subject = SubjectRequest {
                common_name: "a.example".to_owned(),
                organization: None,
                dns_names: vec!["a.example".to_owned()],
            };
            let validity = Validity::new(
                "2026-01-01T00:00:00Z".parse().unwrap(),
                "2027-01-01T00:00:00Z".parse().unwrap(),
            )
            .unwrap();
            let certificate =
                self_signed(&key, &subject, validity, &random_serial().unwrap()).unwrap();
            DecryptionKey::new(Zeroizing::new(key.pkcs8().to_vec()), &certificate).unwrap()
        })
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let _ = verify_opaque(data);
    let _ = verify_detached(b"Content-Type: text/plain\r\n\r\nhello\r\n", data);
    if is_enveloped(data) {
        for key in KEYS.iter() {
            let _ = decrypt(data, key);
        }
    }
});
