#![no_main]
//! What comes over the control socket outside of HTTP: requests with secrets, and requests for a backup.

use libfuzzer_sys::fuzz_target;
use countersign::daemon::fuzzing::conversations;

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(conversations(data));
});
