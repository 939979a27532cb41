//! How long a backup takes, and how much memory, with so many identities:
//!
//! ```sh
//! cargo run --release -p countersign-store --example backup_scale -- 1000 DIRECTORY
//! cargo run --release -p countersign-store --example backup_scale -- 100000 DIRECTORY
//! ```
//!
//! Each identity has what a rotation leaves: its record, two generations, a private key and a journal. A second run
//! in the same directory measures without making the store anew, so that the memory is that of the backup alone.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool that reports, and stops at the first fault"
)]

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use countersign_store::{
    Backup, BackupIdentity, BackupRecipients, Expect, InitOptions, KeyFile, Loader, Store, Taking,
    Transaction, Unlock,
};
use zeroize::Zeroizing;

/// Identities that are written in one transaction.
const BATCH: usize = 200;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().unwrap().parse().unwrap();
    let base = arguments.next().unwrap();
    let dir = Path::new(&base).join(format!("store-{count}"));
    let key = Path::new(&base).join("key");
    if !key.exists() {
        KeyFile::generate(&key).unwrap();
    }
    let unlock = Unlock::KeyFile(KeyFile::read(&key).unwrap());
    if !dir.exists() {
        let store = Store::init(&dir, &unlock, &InitOptions::default()).unwrap();
        populate(&store, count);
        println!("populated; run it again to measure");
        return;
    }
    let store = Store::open(&dir, &unlock).unwrap();
    println!("{count} identities; resident after opening: {}", resident());

    let identity = age::x25519::Identity::generate();
    let recipients = BackupRecipients::parse(&[identity.to_public().to_string()]).unwrap();
    let file = Path::new(&base).join(format!("backup-{count}.age"));
    let begun = Instant::now();
    let mut out = BufWriter::new(File::create(&file).unwrap());
    let taking = Taking {
        at: "2026-11-25T00:00:00Z".to_owned(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (_, manifest) = store.backup(&mut out, &recipients, &taking).unwrap();
    out.flush().unwrap();
    out.get_ref().sync_all().unwrap();
    let took = begun.elapsed();
    let size = fs::metadata(&file).unwrap().len();
    println!(
        "backup:  {:>8.3} s, {} records and {} events, {size} bytes; highest resident: {}",
        took.as_secs_f64(),
        manifest.records,
        manifest.entries,
        resident()
    );
    drop(store);

    use age::secrecy::ExposeSecret;
    let text = Zeroizing::new(identity.to_string().expose_secret().to_owned());
    let ours = BackupIdentity::parse(&text).unwrap();
    let open = || Backup::open(BufReader::new(File::open(&file).unwrap()), &ours).unwrap();
    let begun = Instant::now();
    let mut backup = open();
    while backup.next().unwrap().is_some() {}
    println!(
        "reading: {:>8.3} s; highest resident: {}",
        begun.elapsed().as_secs_f64(),
        resident()
    );
    let begun = Instant::now();
    let room = Path::new(&base).join(format!("restored-{count}"));
    let mut loader = Loader::begin(&room, &unlock, &InitOptions::default(), 0).unwrap();
    let mut backup = open();
    while let Some(item) = backup.next().unwrap() {
        loader.add(item).unwrap();
    }
    drop(loader.finish(Transaction::new()).unwrap());
    println!(
        "filling: {:>8.3} s; highest resident: {}",
        begun.elapsed().as_secs_f64(),
        resident()
    );
    fs::remove_dir_all(room).unwrap();
    fs::remove_file(file).unwrap();
}

fn populate(store: &Store, count: usize) {
    let text = |length: usize| vec![b'x'; length];
    for first in (0..count).step_by(BATCH) {
        let mut transaction = Transaction::new();
        for number in first..count.min(first + BATCH) {
            let name = format!("identity-{number:07}");
            transaction
                .put("identity", &name, text(500), Expect::Absent)
                .put(
                    "generation",
                    &format!("{name}/0000000001"),
                    text(2_500),
                    Expect::Absent,
                )
                .put(
                    "generation",
                    &format!("{name}/0000000002"),
                    text(2_500),
                    Expect::Absent,
                )
                .put(
                    "key",
                    &format!("{name}/0000000002"),
                    text(138),
                    Expect::Absent,
                );
            for _ in 0..12 {
                transaction.append(&format!("rotation/{name}.2"), text(300));
            }
        }
        store.transact(transaction).unwrap();
    }
}

/// The most memory that this process has had, by the kernel's account.
fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line["VmHWM:".len()..].trim().to_owned()
}
