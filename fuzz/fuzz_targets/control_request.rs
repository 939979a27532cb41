#![no_main]
//! What is asked of the daemon at its socket.

use libfuzzer_sys::fuzz_target;
use countersign::service::Request;

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let text = serde_json::to_vec(&request).unwrap();
        serde_json::from_slice::<Request>(&text).unwrap();
    }
});
