#![no_main]
//! Mails as a mail filter hands them over: structure, headers, signature, statement.

use libfuzzer_sys::fuzz_target;
use countersign::exchange::Inbound;

fuzz_target!(|data: &[u8]| {
    let _ = Inbound::parse(data);
});
