#![no_main]
//! `countersign.toml`, through a file as it is read; what it points at is not there.

use libfuzzer_sys::fuzz_target;
use std::{fs, path::PathBuf, sync::LazyLock};

use countersign::config::Config;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("countersign-fuzz-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
});

fuzz_target!(|data: &[u8]| {
    let path = DIRECTORY.join("countersign.toml");
    fs::write(&path, data).unwrap();
    let _ = Config::load(&path);
});
