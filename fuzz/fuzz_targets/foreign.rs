#![no_main]
//! Key files of any format, plain and encrypted, with a passphrase and without.

use libfuzzer_sys::fuzz_target;
use countersign::pki::foreign::{Limits, read_within};

fuzz_target!(|data: &[u8]| {
    // Rounds are a stranger's choice: what is honest is bounded lower here, so that a second sees many files.
    let limits = Limits {
        rounds: 5000,
        memory: 4 << 20,
    };
    let _ = read_within(data, None, limits);
    let _ = read_within(data, Some("sesame"), limits);
});
