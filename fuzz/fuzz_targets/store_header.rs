#![no_main]
//! The header of a store, read before any secret is at hand.

use libfuzzer_sys::fuzz_target;
use std::{fs, path::PathBuf, sync::LazyLock};

use countersign_store::Store;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("countersign-fuzz-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
});

/// The same with the digests and the checksum that it should have, so that what stands behind them is reached.
fn mended(data: &[u8]) -> Option<Vec<u8>> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = [lines.next()?, b"]}"].concat();
    let mut envelope: Value = serde_json::from_slice(&first).ok()?;
    let slots: Vec<&[u8]> = lines
        .map(|line| line.strip_suffix(b",").unwrap_or(line))
        .take_while(|line| !line.starts_with(b"]"))
        .collect();
    let digests = slots.iter().map(|line| {
        let id = serde_json::from_slice::<Value>(line).ok();
        let id = id.as_ref().and_then(|slot| slot["id"].as_u64());
        json!({"id": id.unwrap_or(1), "sha256": hex::encode(Sha256::digest(line))})
    });
    let digests = digests.collect::<Vec<_>>();
    *envelope.get_mut("header")?.get_mut("slots")? = digests.into();
    let covered = serde_json::to_vec(&(envelope.get("format")?, envelope.get("header")?)).ok()?;
    *envelope.get_mut("sha256")? = hex::encode(Sha256::digest(&covered)).into();
    let mut text = serde_json::to_vec(&envelope).ok()?;
    text.truncate(text.len().checked_sub(2)?);
    Some([text, b"\n".to_vec(), slots.join(&b",\n"[..]), b"\n]}\n".to_vec()].concat())
}

fuzz_target!(|data: &[u8]| {
    let path = DIRECTORY.join("store.json");
    for text in [Some(data.to_vec()), mended(data)].into_iter().flatten() {
        fs::write(&path, text).unwrap();
        let _ = Store::slots_in(&DIRECTORY);
    }
});
