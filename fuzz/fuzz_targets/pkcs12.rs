#![no_main]
//! PKCS#12 alone: every input begins as a store does, so that no time is lost on anything else.

use libfuzzer_sys::fuzz_target;
use countersign::pki::foreign::{Limits, read_within};

fuzz_target!(|data: &[u8]| {
    // SEQUENCE of any length, version 3.
    let mut file = vec![0x30, 0x80, 0x02, 0x01, 0x03];
    file.extend_from_slice(data);
    file.extend_from_slice(&[0, 0]);
    let limits = Limits {
        rounds: 5000,
        memory: 4 << 20,
    };
    let _ = read_within(&file, Some("sesame"), limits);
    let _ = read_within(data, Some("sesame"), limits);
});
