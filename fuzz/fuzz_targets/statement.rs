#![no_main]
//! What the text of a reply states, outside of quotations.

use libfuzzer_sys::fuzz_target;
use countersign::exchange::Inbound;

fuzz_target!(|data: &[u8]| {
    let mut mail = b"From: a@b.example\r\nMessage-ID: <1@b.example>\r\nSubject: Re: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n".to_vec();
    mail.extend_from_slice(data);
    let _ = Inbound::parse(&mail);
});
