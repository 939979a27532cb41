#![no_main]
//! Certification requests, PEM and DER.

use libfuzzer_sys::fuzz_target;
use countersign::pki::{pem, request};

fuzz_target!(|data: &[u8]| {
    let _ = request::inspect_request(data);
    if let Ok(der) = pem::request_from_pem(data) {
        let _ = request::inspect_request(&der);
    }
});
