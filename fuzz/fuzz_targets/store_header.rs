#![no_main]
//! The header of a store, read before any secret is at hand.

use libfuzzer_sys::fuzz_target;
use std::{fs, path::PathBuf, sync::LazyLock};

use countersign_store::Store;
use sha2::{Digest, Sha256};

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("countersign-fuzz-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
});

fuzz_target!(|data: &[u8]| {
    let path = DIRECTORY.join("store.json");
    fs::write(&path, data).unwrap();
    let _ = Store::slots_in(&DIRECTORY);
    // The same with the checksum that it should have, so that what stands behind the checksum is reached.
    let Ok(mut envelope) = serde_json::from_slice::<serde_json::Value>(data) else {
        return;
    };
    let covered = serde_json::to_vec(&(envelope.get("format"), envelope.get("header"))).unwrap();
    if let Some(fields) = envelope.as_object_mut() {
        let checksum = hex::encode(Sha256::digest(&covered));
        fields.insert("sha256".to_owned(), checksum.into());
        fs::write(&path, serde_json::to_vec(fields).unwrap()).unwrap();
        let _ = Store::slots_in(&DIRECTORY);
    }
});
