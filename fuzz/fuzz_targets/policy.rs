#![no_main]
//! Policy files.

use libfuzzer_sys::fuzz_target;
use countersign::policy::Policy;

fuzz_target!(|data: &str| {
    if let Ok(policy) = Policy::from_toml("fuzzed", data) {
        // What is accepted has to be usable.
        let _ = policy.lead_time.total();
        let _ = policy.lead_time.check(policy.certificate.validity);
        let _ = policy.retry.delay(u32::MAX);
    }
});
