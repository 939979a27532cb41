#![no_main]
//! Certificates and chains: PEM, DER, PKCS#7, in any order.

use libfuzzer_sys::fuzz_target;
use countersign::pki::{inspect, inspect_chain, order_chain, pem};

fuzz_target!(|data: &[u8]| {
    let _ = inspect(data);
    let Ok(certificates) = pem::certificates_from_pem(data) else {
        return;
    };
    let _ = inspect_chain(&certificates, None, &certificates);
    for certificate in &certificates {
        if let Ok(facts) = inspect(certificate) {
            let _ = order_chain(&certificates, facts.key_id);
        }
    }
});
