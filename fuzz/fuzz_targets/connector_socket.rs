#![no_main]
//! The protocol between daemon and connector, from either side.

use libfuzzer_sys::fuzz_target;
use countersign_connector::protocol::{FromConnector, FromDaemon, Lines};
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut lines = Lines::new(tokio::io::join(data, tokio::io::sink()));
        while let Ok(Some(_)) = lines.read::<T>().await {}
    });
}

fuzz_target!(|data: &[u8]| {
    read::<FromConnector>(data);
    read::<FromDaemon>(data);
});
