//! Runs the harness at length, or a store that is kept busy.
//!
//! ```text
//! countersign-durability work STORE KEY-FILE ENGINE COUNT
//! countersign-durability serve DIRECTORY ENGINE
//! countersign-durability powercut ENGINE TRANSACTIONS MOMENTS DRAWS SEED [without-syncs]
//! countersign-durability flip ENGINE STRIDE SEED
//! ```

// Its output is what it is for.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use countersign_durability::{flip, powercut, victim, workload};
use countersign_store::{EngineKind, InitOptions, KeyFile, Store, Unlock};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["work", store, key, engine, count] => {
            work(Path::new(store), Path::new(key), engine, count)
        }
        ["serve", dir, engine] => serve(Path::new(dir), engine),
        ["powercut", engine, rest @ ..] => cut(engine, rest),
        ["flip", engine, rest @ ..] => flips(engine, rest),
        _ => Err("usage: work STORE KEY-FILE ENGINE COUNT | powercut ENGINE TRANSACTIONS MOMENTS DRAWS SEED [without-syncs] | flip ENGINE STRIDE SEED".into()),
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

fn parsed<T: FromStr<Err: Error + 'static>>(text: &str) -> Result<T, Box<dyn Error>> {
    text.parse().map_err(|error: T::Err| error.into())
}

/// Panics are counted, not printed.
fn quiet() {
    std::panic::set_hook(Box::new(|_| {}));
}
