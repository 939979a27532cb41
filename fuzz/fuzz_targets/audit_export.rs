#![no_main]
//! The audit log as somebody else may have changed it, line by line and closed by a head.

use libfuzzer_sys::fuzz_target;
use countersign::{
    model::audit::Entry,
    records::audit::{Chain, LogKey, SignedHead},
};

fuzz_target!(|data: &[u8]| {
    let mut chain = Chain::new();
    for line in data.split(|byte| *byte == b'\n') {
        let _ = serde_json::from_slice::<Entry>(line);
        if let Ok(head) = serde_json::from_slice::<SignedHead>(line) {
            let _ = LogKey::from_pem(&head.public_key);
            let _ = chain.close(&head);
        }
        if chain.take(line).is_err() {
            return;
        }
    }
});
