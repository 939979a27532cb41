#![no_main]
//! Backups: the file as it is, and what stands in a file that is encrypted to us as it should be.

use libfuzzer_sys::fuzz_target;
use std::{io::Write, sync::LazyLock};

use countersign_store::{Backup, BackupIdentity};

static KEY: LazyLock<(age::x25519::Identity, BackupIdentity)> = LazyLock::new(|| {
    use age::secrecy::ExposeSecret;
    let key = age::x25519::Identity::generate();
    let identity = BackupIdentity::parse(&key.to_string().expose_secret().to_owned().into()).unwrap();
    (key, identity)
});

fn read(file: &[u8]) {
    let Ok(mut backup) = Backup::open(file, &KEY.1) else {
        return;
    };
    while let Ok(Some(_)) = backup.next() {}
}

fuzz_target!(|data: &[u8]| {
    read(data);
    let recipient = KEY.0.to_public();
    let encryptor =
        age::Encryptor::with_recipients([&recipient as &dyn age::Recipient].into_iter()).unwrap();
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap();
    read(&file);
});
