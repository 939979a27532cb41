//! Runs the harness at length, or a store that is kept busy.
//!
//! ```text
//! countersign-durability work STORE KEY-FILE ENGINE COUNT
//! countersign-durability change STORE SECRETS ENGINE
//! countersign-durability migrate STORE KEY-FILE
//! countersign-durability restore STORE KEY-FILE ENGINE SOURCE
//! countersign-durability backup STORE KEY-FILE RECIPIENT FILE DRAFT
//! countersign-durability serve DIRECTORY ENGINE
//! countersign-durability powercut ENGINE TRANSACTIONS MOMENTS DRAWS SEED [without-syncs]
//! countersign-durability powercut-changes ENGINE MOMENTS DRAWS SEED
//! countersign-durability powercut-migrate UNPACKED MOMENTS DRAWS SEED
//! countersign-durability powercut-restore ENGINE MOMENTS DRAWS SEED
//! countersign-durability powercut-backup ENGINE MOMENTS DRAWS SEED
//! countersign-durability flip ENGINE STRIDE SEED
//! countersign-durability opening ENGINE RECORDS
//! ```

// Its output is what it is for.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use countersign_durability::backups::{self, Draft};
use countersign_durability::judge::STORE;
use countersign_durability::{changes, flip, moves, powercut, victim, workload};
use countersign_store::{
    BackupRecipients, EngineKind, Expect, InitOptions, KeyFile, Store, Transaction, Unlock,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["work", store, key, engine, count] => {
            work(Path::new(store), Path::new(key), engine, count)
        }
        ["change", store, secrets, engine] => change(Path::new(store), Path::new(secrets), engine),
        ["migrate", store, key] => migrate(Path::new(store), Path::new(key)),
        ["restore", store, key, engine, source] => {
            restore(Path::new(store), Path::new(key), engine, Path::new(source))
        }
        ["backup", store, key, recipient, file, draft] => {
            backup(Path::new(store), Path::new(key), recipient, Path::new(file), draft)
        }
        ["serve", dir, engine] => serve(Path::new(dir), engine),
        ["powercut-changes", engine, rest @ ..] => cut_changes(engine, rest),
        ["powercut-migrate", unpacked, rest @ ..] => cut_migrations(Path::new(unpacked), rest),
        ["powercut-restore", engine, rest @ ..] => cut_restores(engine, rest),
        ["powercut-backup", engine, rest @ ..] => cut_backups(engine, rest),
        ["powercut", engine, rest @ ..] => cut(engine, rest),
        ["flip", engine, rest @ ..] => flips(engine, rest),
        ["opening", engine, records] => opening(engine, records),
        _ => Err("usage: work STORE KEY-FILE ENGINE COUNT | powercut ENGINE TRANSACTIONS MOMENTS DRAWS SEED [without-syncs] | powercut-changes ENGINE MOMENTS DRAWS SEED | powercut-migrate UNPACKED MOMENTS DRAWS SEED | powercut-restore ENGINE MOMENTS DRAWS SEED | powercut-backup ENGINE MOMENTS DRAWS SEED | flip ENGINE STRIDE SEED | opening ENGINE RECORDS".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut cause = Some(&*error as &dyn Error);
            while let Some(error) = cause {
                eprintln!("{error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Makes a store and keeps it busy; says after each transaction how many are durable. It is closed
/// and opened again in the middle, as by a restart.
fn work(dir: &Path, key: &Path, engine: &str, count: &str) -> Result<(), Box<dyn Error>> {
    let count: u64 = count.parse()?;
    let unlock = Unlock::KeyFile(KeyFile::read(key)?);
    let options = InitOptions {
        engine: engine.parse()?,
        ..InitOptions::default()
    };
    let mut store = Store::init(dir, &unlock, &options)?;
    println!("0");
    for number in 1..=count {
        if number == count / 2 {
            drop(store);
            store = Store::open(dir, &unlock)?;
        }
        workload::transact(&store, number)?;
        println!("{number}");
    }
    Ok(())
}

/// Changes slots and the master key of a store; says after each step how many are durable.
fn change(dir: &Path, secrets: &Path, engine: &str) -> Result<(), Box<dyn Error>> {
    let secrets = changes::Secrets::in_dir(secrets);
    changes::play(dir, &secrets, engine.parse()?, |done| println!("{done}"))?;
    Ok(())
}

/// Brings a store to the current format; says 0 at first and 1 in the end.
fn migrate(dir: &Path, key: &Path) -> Result<(), Box<dyn Error>> {
    let unlock = Unlock::KeyFile(KeyFile::read(key)?);
    println!("0");
    moves::migrate(dir, &unlock)?;
    println!("1");
    Ok(())
}

/// Puts what another store holds in the place of a store; says 0 at first and 1 in the end.
fn restore(dir: &Path, key: &Path, engine: &str, source: &Path) -> Result<(), Box<dyn Error>> {
    let unlock = Unlock::KeyFile(KeyFile::read(key)?);
    let held = moves::Held::by_the_workload(&Store::open(source, &unlock)?)?;
    println!("0");
    moves::restore(&held, dir, &unlock, engine.parse()?)?;
    println!("1");
    Ok(())
}

/// Takes a backup of a store that nobody cuts; says 0 at first and 1 in the end.
fn backup(
    store: &Path,
    key: &Path,
    recipient: &str,
    file: &Path,
    draft: &str,
) -> Result<(), Box<dyn Error>> {
    let unlock = Unlock::KeyFile(KeyFile::read(key)?);
    let recipients = BackupRecipients::parse(&[recipient.to_owned()])?;
    let draft = [Draft::Nameless, Draft::Named]
        .into_iter()
        .find(|kind| format!("{kind:?}") == draft)
        .ok_or("a draft is Nameless or Named")?;
    let store = Store::open(store, &unlock)?;
    println!("0");
    backups::take(&store, file, &recipients, draft)?;
    println!("1");
    Ok(())
}

fn serve(dir: &Path, engine: &str) -> Result<(), Box<dyn Error>> {
    Ok(victim::serve(dir, engine.parse()?)?)
}

fn cut(engine: &str, rest: &[&str]) -> Result<(), Box<dyn Error>> {
    let ([transactions, moments, draws, seed], unsynced) = match rest {
        [numbers @ .., "without-syncs"] => (<&[&str; 4]>::try_from(numbers)?, Some("db")),
        numbers => (<&[&str; 4]>::try_from(numbers)?, None),
    };
    let extent = powercut::Extent {
        transactions: parsed(transactions)?,
        moments: parsed(moments)?,
        draws: parsed(draws)?,
        seed: parsed(seed)?,
        unsynced,
    };
    let engine: EngineKind = engine.parse()?;
    let home = tempfile::tempdir()?;
    let key = home.path().join("key");
    KeyFile::generate(&key)?;
    let root = home.path().join("root");
    std::fs::create_dir(&root)?;
    quiet();
    let tally = powercut::run(&std::env::current_exe()?, &root, &key, engine, extent)?;
    println!("{engine}, {extent:?}\n{tally}");
    Ok(())
}

fn extent(rest: &[&str]) -> Result<powercut::Extent, Box<dyn Error>> {
    let [moments, draws, seed] = rest else {
        return Err("three numbers are needed: MOMENTS DRAWS SEED".into());
    };
    Ok(powercut::Extent {
        transactions: 0,
        moments: parsed(moments)?,
        draws: parsed(draws)?,
        seed: parsed(seed)?,
        unsynced: None,
    })
}

fn cut_changes(engine: &str, rest: &[&str]) -> Result<(), Box<dyn Error>> {
    let extent = extent(rest)?;
    quiet();
    let tally = powercut::changes(&std::env::current_exe()?, engine.parse()?, extent)?;
    println!("{engine}, slots and master keys, {extent:?}\n{tally}");
    Ok(())
}

fn cut_migrations(unpacked: &Path, rest: &[&str]) -> Result<(), Box<dyn Error>> {
    let extent = extent(rest)?;
    quiet();
    let (key, store) = (unpacked.join("store.key"), unpacked.join(STORE));
    let tally = powercut::migration(&std::env::current_exe()?, &store, &key, extent)?;
    println!("migration, {extent:?}\n{tally}");
    Ok(())
}

fn cut_restores(engine: &str, rest: &[&str]) -> Result<(), Box<dyn Error>> {
    let extent = extent(rest)?;
    quiet();
    for over in [true, false] {
        let program = std::env::current_exe()?;
        let tally = powercut::restore(&program, engine.parse()?, over, extent)?;
        println!("{engine}, restore, over a store: {over}, {extent:?}\n{tally}");
    }
    Ok(())
}

fn cut_backups(engine: &str, rest: &[&str]) -> Result<(), Box<dyn Error>> {
    let extent = extent(rest)?;
    quiet();
    for draft in [Draft::Nameless, Draft::Named] {
        let program = std::env::current_exe()?;
        let tally = powercut::backup(&program, engine.parse()?, draft, extent)?;
        println!("{engine}, backup, {draft:?}, {extent:?}\n{tally}");
    }
    Ok(())
}

fn flips(engine: &str, rest: &[&str]) -> Result<(), Box<dyn Error>> {
    let [stride, seed] = rest else {
        return Err("two numbers are needed: STRIDE SEED".into());
    };
    let (stride, seed) = (parsed(stride)?, parsed(seed)?);
    quiet();
    let small = flip::Small::new(engine.parse()?)?;
    let flips = small.flip(stride, seed)?;
    println!("{engine}, one byte of every {stride} changed\n{flips}");
    let cuts = small.truncate(stride, seed)?;
    println!("{engine}, cut short at one length of every {stride}\n{cuts}");
    Ok(())
}

/// How long it takes to open a store with so many records, closed in good order.
fn opening(engine: &str, records: &str) -> Result<(), Box<dyn Error>> {
    let records: usize = parsed(records)?;
    let home = tempfile::tempdir()?;
    let unlock = Unlock::KeyFile(KeyFile::generate(&home.path().join("key"))?);
    let options = InitOptions {
        engine: engine.parse()?,
        ..InitOptions::default()
    };
    let dir = home.path().join(STORE);
    let store = Store::init(&dir, &unlock, &options)?;
    let numbers: Vec<_> = (0..records).collect();
    for numbers in numbers.chunks(500) {
        let mut transaction = Transaction::new();
        for number in numbers {
            let bytes = number.to_be_bytes().repeat(512);
            transaction.put("c", &number.to_string(), bytes, Expect::Absent);
        }
        store.transact(transaction)?;
    }
    drop(store);
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir.join("engine"))? {
        bytes += entry?.metadata()?.len();
    }
    let mut took = Vec::new();
    for _ in 0..15 {
        let begun = Instant::now();
        drop(Store::open(&dir, &unlock)?);
        took.push(begun.elapsed());
    }
    took.sort();
    let (least, median) = (took[0], took[took.len() / 2]);
    println!(
        "{engine}: {records} records of 4 KiB, {bytes} bytes: opened and closed in {median:?}, at best {least:?}"
    );
    Ok(())
}

fn parsed<T: FromStr<Err: Error + 'static>>(text: &str) -> Result<T, Box<dyn Error>> {
    text.parse().map_err(|error: T::Err| error.into())
}

/// Panics are counted, not printed.
fn quiet() {
    std::panic::set_hook(Box::new(|_| {}));
}
