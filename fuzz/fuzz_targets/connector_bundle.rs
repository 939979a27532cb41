#![no_main]
//! A bundle as a connector reads it from a file.

use libfuzzer_sys::fuzz_target;
use countersign_connector::Bundle;

fuzz_target!(|data: &[u8]| {
    let _ = Bundle::from_pem(data);
});
