#![no_main]
//! What a gateway answers to a probe, and what it is taken for.

use libfuzzer_sys::fuzz_target;
use countersign::probe::fuzzing::answered;

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(answered(data.to_vec()));
});
