//! One figure for each thing that is done often, over stores of different sizes:
//! `cargo bench -p countersign-benches`.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use countersign::{
    model::Lapse,
    records::{Batch, Records},
};
use countersign_benches::{POLICY, author, name, now, open, populate};
use divan::Bencher;

/// A million takes minutes to make; `countersign-measure` does that once and keeps it.
const SIZES: [usize; 2] = [1_000, 10_000];

fn main() {
    divan::main();
}

/// A store that is made once and stays open.
fn records(size: usize) -> &'static Records {
    static OPEN: [OnceLock<Records>; SIZES.len()] = [const { OnceLock::new() }; SIZES.len()];
    let place = SIZES.iter().position(|known| *known == size).unwrap();
    OPEN[place].get_or_init(|| open(&home(size)))
}

fn home(size: usize) -> std::path::PathBuf {
    let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("home-{size}"));
    if !home.join("store").exists() {
        std::fs::create_dir_all(&home).unwrap();
        populate(&home, size, now());
    }
    home
}

#[divan::bench(args = SIZES)]
fn finding_what_is_due(bencher: Bencher<'_, '_>, size: usize) {
    let (records, policy) = (records(size), POLICY.parse().unwrap());
    let soon = Lapse::days(30).after(now());
    bencher.bench(|| {
        let mut first = None;
        records
            .each_expiring(&policy, |expiring| {
                first.get_or_insert(expiring.not_after);
                expiring.not_after < soon
            })
            .unwrap();
        (first, records.under_way().unwrap())
    });
}

#[divan::bench(args = SIZES)]
fn one_read(bencher: Bencher<'_, '_>, size: usize) {
    let records = records(size);
    bencher.bench(|| records.identity(&name(size / 2)).unwrap());
}

#[divan::bench(args = SIZES)]
fn a_page_of_a_hundred(bencher: Bencher<'_, '_>, size: usize) {
    let records = records(size);
    bencher.bench(|| {
        records
            .identities_after(Some(&name(size / 2)), 100)
            .unwrap()
    });
}

#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn one_durable_write(bencher: Bencher<'_, '_>, size: usize) {
    let (records, author) = (records(size), author());
    bencher.bench(|| {
        let identity = records.identity(&name(size / 2)).unwrap().unwrap();
        let batch = Batch::new().identity(&identity);
        records.commit(&author, now(), batch).unwrap();
    });
}

/// Of a copy: the other one is open.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn opening(bencher: Bencher<'_, '_>, size: usize) {
    let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let from = home(size);
    std::fs::copy(from.join("store.key"), copy.path().join("store.key")).unwrap();
    copy_all(&from.join("store"), &copy.path().join("store"));
    bencher.bench(|| drop(open(copy.path())));
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}
