//! Secrets in the memory of a running daemon: kept from swap and core dumps, and wiped when they have been used.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use countersign_peers::eventually;
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::{
    cli_home::{Home, Opens, PASSPHRASE},
    tokens::{PIN, installation, reader},
};

fn of_process(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

/// The number in a line of `/proc/PID/status`.
fn status_number(pid: u32, name: &str) -> u64 {
    let status = of_process(pid, "status");
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

#[test]
fn the_memory_of_a_daemon_is_locked() {
    let mut home = Home::with_store(Opens::KeyFile);
    home.start_daemon();
    assert!(status_number(home.daemon_pid(), "VmLck:") > 0);
}

#[test]
fn a_daemon_that_may_lock_next_to_nothing_runs_and_warns() {
    let home = Home::with_store(Opens::KeyFile);
    let mut command = Command::new("setpriv");
    // Root passes every limit; without the capabilities it is bound by them as everybody is.
    command.args(["--bounding-set", "-ipc_lock,-sys_resource", "--"]);
    command.args(["prlimit", "--memlock=65536:65536"]);
    command.arg(env!("CARGO_BIN_EXE_countersign"));
    command.arg("daemon").current_dir(home.path(""));
    let log = fs::File::create(home.path("daemon.log")).unwrap();
    let mut child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
    let served = eventually("the daemon serves or ends", || {
        let ended = child.try_wait().unwrap().is_some();
        let serves = home.daemon_log().contains("serving");
        (ended || serves).then_some(serves)
    });
    assert!(served, "{}", home.daemon_log());
    assert!(
        home.daemon_log().contains("LimitMEMLOCK"),
        "{}",
        home.daemon_log()
    );
    home.ok(&["status"]);
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn a_daemon_that_crashes_leaves_no_core() {
    let home = Home::with_store(Opens::KeyFile);
    let log = fs::File::create(home.path("daemon.log")).unwrap();
    let mut child = Command::new("prlimit")
        .arg("--core=unlimited")
        .arg(env!("CARGO_BIN_EXE_countersign"))
        .arg("daemon")
        .current_dir(home.path(""))
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    eventually("the daemon serves", || {
        home.daemon_log().contains("serving").then_some(())
    });
    let limits = of_process(child.id(), "limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let mut numbers = line.unwrap()["Max core file size".len()..].split_whitespace();
    assert_eq!((numbers.next(), numbers.next()), (Some("0"), Some("0")));
    kill_process(Pid::from_child(&child), Signal::ABORT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!status.core_dumped());
    let left: Vec<_> = fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with("core"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Everything in the memory of a process that can be read, as root can.
fn memory(pid: u32) -> Vec<Vec<u8>> {
    let mut file = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = of_process(pid, "maps");
    let mut pieces = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else {
            continue;
        };
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(from)).unwrap();
        // A mapping may end before it says, or be gone by now.
        let _ = file.by_ref().take(to - from).read_to_end(&mut piece);
        pieces.push(piece);
    }
    pieces
}

fn is_in_memory(pid: u32, needle: &[u8]) -> bool {
    let characters =
        |bytes: &[u8]| -> String { bytes.iter().map(|byte| char::from(*byte)).collect() };
    let needle = characters(needle);
    memory(pid)
        .iter()
        .any(|piece| characters(piece).contains(&needle))
}

/// Needs to read another process's memory, so it proves something only where the tests run as root, as in CI.
#[test]
fn the_passphrase_that_unlocked_a_daemon_is_not_in_its_memory() {
    if !geteuid().is_root() {
        return;
    }
    let mut home = Home::new(Opens::Terminal);
    home.ok(&["store", "init", "--passphrase-file", "passphrase"]);
    home.start_daemon_without_terminal();
    let pid = home.daemon_pid();
    home.ok(&["store", "unlock", "--passphrase-file", "passphrase"]);
    home.ok(&["identity", "list"]);
    // Something that is known to be there: the search finds what is there.
    assert!(is_in_memory(pid, b"Align Ops"));
    assert!(!is_in_memory(pid, PASSPHRASE.as_bytes()));
}

#[test]
fn the_key_of_a_key_file_is_in_the_memory_of_no_daemon_that_it_opened_the_store_for() {
    if !geteuid().is_root() {
        return;
    }
    let mut home = Home::with_store(Opens::KeyFile);
    home.start_daemon();
    home.ok(&["identity", "list"]);
    let text = fs::read_to_string(home.path("store.key")).unwrap();
    let digits = text.trim();
    assert!(!is_in_memory(home.daemon_pid(), digits.as_bytes()));
    assert!(!is_in_memory(
        home.daemon_pid(),
        &hex::decode(digits).unwrap()
    ));
}

#[test]
fn the_pin_of_a_token_is_in_the_memory_of_no_daemon_that_it_opened_the_store_for() {
    if !geteuid().is_root() {
        return;
    }
    let hsm = reader();
    let mut home = installation(&hsm, Opens::Terminal, "pin-file = \"pin\"");
    home.ok(&["store", "init"]);
    home.start_daemon();
    home.ok(&["store", "seal"]);
    home.ok(&["store", "unlock"]);
    home.ok(&["identity", "list"]);
    assert!(is_in_memory(home.daemon_pid(), b"libsofthsm2.so"));
    assert!(!is_in_memory(home.daemon_pid(), PIN.as_bytes()));
}
