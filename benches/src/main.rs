//! `countersign-measure`: makes populated homes, and measures one of them in a process of its own, so that its memory
//! is that of one opening.
//!
//! - `countersign-measure populate HOME N`
//! - `countersign-measure measure HOME`: one JSON object on stdout
//! - `countersign-measure program COUNTERSIGN HOME PARTNERS`: the program itself, over a populated home, with so many
//!   partners in its configuration
//! - `countersign-measure issue`: issuing, compared with a bare loop
//! - `countersign-measure probe COUNTERSIGN`: full probes of an nginx, compared with `openssl s_client`, and the program's
//!   over a thousand places

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use countersign::{model::Lapse, records::Batch};
use countersign_benches::{
    Models, POLICY, issuing, memory_of, name, now, open, populate, probing, program, secret,
};
use serde_json::json;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["populate", home, count] => {
            let home = PathBuf::from(home);
            std::fs::create_dir_all(&home).unwrap();
            let began = Instant::now();
            populate(&home, count.parse().unwrap(), now());
            println!(
                "{}",
                json!({ "populated": count, "seconds": began.elapsed().as_secs_f64() })
            );
        }
        ["measure", home] => measure(Path::new(home)),
        ["program", program, home, partners] => {
            let partners = partners.parse().unwrap();
            let facts = program::measure(Path::new(program), Path::new(home), partners);
            println!("{facts}");
        }
        ["issue"] => issue(),
        ["probe", program] => println!("{}", probing::measure(Path::new(program))),
        _ => {
            eprintln!(
                "countersign-measure populate HOME N | measure HOME | program COUNTERSIGN HOME PARTNERS | issue | probe COUNTERSIGN"
            );
            std::process::exit(2);
        }
    }
}

/// The best of several, in microseconds: what the machine's other work adds is not ours.
fn best(times: usize, mut work: impl FnMut()) -> f64 {
    (0..times)
        .map(|_| timed(&mut work))
        .min()
        .unwrap()
        .as_secs_f64()
        * 1e6
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn memory(field: &str) -> u64 {
    memory_of("self", field)
}

fn measure(home: &Path) {
    // Derived before the clock runs: what the secret costs is not the store's.
    drop(secret(home));
    let empty = memory("VmRSS");
    let mut records = None;
    let opening = timed(|| records = Some(open(home))).as_secs_f64() * 1e6;
    let records = records.unwrap();
    let policy = POLICY.parse().unwrap();
    let find_due = || {
        let mut seen = 0;
        records
            .each_expiring(&policy, |expiring| {
                seen += 1;
                expiring.not_after < Lapse::days(100).after(now())
            })
            .unwrap();
        assert!(seen == 1 && records.under_way().unwrap().is_empty());
    };
    let first_due = timed(find_due).as_secs_f64() * 1e6;
    let resident = memory("VmRSS");
    let reads_before = records.store().reads();
    let due = best(50, find_due);
    let due_reads = (records.store().reads() - reads_before) / 50;
    let count = records.count_identities().unwrap();
    let mut next = 0_u64;
    let mut somewhere = || {
        next = next.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(7);
        name(((next >> 33) % count) as usize)
    };
    let read = best(500, || {
        records.identity(&somewhere()).unwrap().unwrap();
    });
    let cold_read = {
        let began = Instant::now();
        for _ in 0..200 {
            records.identity(&somewhere()).unwrap().unwrap();
        }
        began.elapsed().as_secs_f64() * 1e6 / 200.0
    };
    let page = best(20, || {
        let page = records.identities_after(Some(&somewhere()), 100).unwrap();
        assert!(page.len() <= 100);
    });
    let write = best(50, || {
        let identity = records.identity(&somewhere()).unwrap().unwrap();
        let batch = Batch::new().identity(&identity);
        records
            .commit(&countersign_benches::author(), now(), batch)
            .unwrap();
    });
    println!(
        "{}",
        json!({
            "identities": count, "opening_us": opening, "first_due_us": first_due, "due_us": due,
            "due_reads": due_reads, "read_us": read, "read_mean_us": cold_read, "page_100_us": page,
            "durable_write_us": write, "resident_kib": resident, "resident_before_kib": empty,
            "peak_kib": memory("VmHWM"),
        })
    );
}

/// The best of some rounds; a bare loop runs in the same rounds, so that both meet the same machine.
fn issue() {
    const COUNT: usize = 8_000;
    let now = now();
    let home = tempfile::tempdir_in(".").unwrap();
    populate(home.path(), 0, now);
    let records = open(home.path());
    let models = Models::new(now);
    let bare = issuing::Bare::default();
    let mut first = 0;
    let mut ours = |makers| {
        let begun = first;
        first += COUNT;
        timed(|| issuing::with_countersign(&records, &models, begun, COUNT, now, makers))
            .as_secs_f64()
    };
    let rounds: Vec<_> = (0..3)
        .map(|_| {
            let alone = timed(|| assert!(bare.issue(COUNT) > COUNT)).as_secs_f64();
            [alone, ours(0), ours(1), ours(2)]
        })
        .collect();
    let per_second = |which: usize| {
        let least = rounds.iter().map(|r| r[which]).fold(f64::MAX, f64::min);
        COUNT as f64 / least
    };
    let bare = per_second(0);
    println!(
        "{}",
        json!({
            "certificates": COUNT, "bare_per_second": bare,
            "one_thread": { "per_second": per_second(1), "ratio": per_second(1) / bare },
            "a_thread_that_makes_and_one_that_commits":
                { "per_second": per_second(2), "ratio": per_second(2) / bare },
            "two_threads_that_make_and_one_that_commits":
                { "per_second": per_second(3), "ratio": per_second(3) / bare },
        })
    );
}
