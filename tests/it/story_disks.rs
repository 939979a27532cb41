//! A daemon whose disk fills up: it says so, answers what it can, and goes on by itself when there is room.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
};

use countersign_peers::eventually;

use crate::cli_home::{Home, Opens};

/// Set in the process that may mount what it likes.
const INSIDE: &str = "COUNTERSIGN_TEST_MAY_MOUNT";

#[test]
fn a_daemon_on_a_full_disk_says_so_reads_on_and_writes_again_when_there_is_room() {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let status = unshare
        .arg("--mount")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "story_disks::inside", "--nocapture"])
        .env(INSIDE, "")
        .status()
        .unwrap();
    assert!(
        status.success(),
        "in a mount namespace of its own: {status}"
    );
}

/// The same, from inside: does nothing unless it is told that it may mount.
#[test]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let mut home = Home::new(Opens::KeyFile);
    let store = home.path("store");
    fs::create_dir(&store).unwrap();
    run(Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
        .arg(&store));
    home.ok(&["store", "init"]);
    home.start_daemon();
    let pid = home.daemon_pid();
    add(&home, "first").expect(0);
    let ballast = store.join("ballast");
    fill(&ballast);
    let name = refused(&home, "the disk is full: make room");
    for number in 0..3 {
        assert_eq!(
            home.json(&["identity", "show", "first"])["identity"],
            "first"
        );
        home.ok(&["status"]);
        // In what the store has already there may be room for one more.
        let again = add(&home, &format!("again-{number}"));
        let full = again.stderr.contains("the disk is full");
        assert!(full || again.code == Some(0), "{again:?}");
    }
    fs::remove_file(&ballast).unwrap();
    goes_on(&home, &name);
    assert_eq!(home.daemon_pid(), pid);
    home.stop_daemon();
    home.ok(&["store", "verify"]);
    // A disk that is full from the beginning.
    fill(&ballast);
    let refused = home.run(&["identity", "list"]);
    assert!(
        refused.code == Some(0) || refused.stderr.contains("the disk is full"),
        "{refused:?}"
    );
    fs::remove_file(&ballast).unwrap();
    home.ok(&["identity", "show", &name]);
}

#[test]
fn a_daemon_survives_a_bound_on_the_size_of_files() {
    let mut home = Home::with_store(Opens::KeyFile);
    home.start_daemon();
    let pid = home.daemon_pid();
    add(&home, "first").expect(0);
    let size = fs::metadata(home.path("store/engine/store.redb"))
        .unwrap()
        .len();
    limit(pid, &format!("{size}:unlimited"));
    let name = refused(&home, "a limit on the size of files is reached");
    home.ok(&["identity", "show", "first"]);
    limit(pid, "unlimited:unlimited");
    goes_on(&home, &name);
    assert_eq!(home.daemon_pid(), pid);
    home.stop_daemon();
    home.ok(&["store", "verify"]);
}

fn add(home: &Home, name: &str) -> crate::world::Outcome {
    let host = format!("{name}.align.test");
    home.run(&[
        "identity", "add", name, "--issuer", "own", "--policy", "own", "--name", &host,
    ])
}

/// Adds identities until one is refused, and returns its name.
fn refused(home: &Home, why: &str) -> String {
    for number in 0..400 {
        let name = format!("more-{number}");
        let added = add(home, &name);
        if added.code != Some(0) {
            assert_eq!(added.code, Some(2), "{added:?}");
            assert!(added.stderr.contains(why), "{added:?}");
            return name;
        }
    }
    panic!("nothing was refused");
}

/// What was refused is done now. It may have been begun before, and then the daemon goes on with it by itself.
fn goes_on(home: &Home, name: &str) {
    let added = add(home, name);
    let begun = added.stderr.contains("already");
    assert!(begun || added.code == Some(0), "{added:?}");
    eventually("it has its key", || {
        let shown = home.json(&["identity", "show", name]);
        shown["generations"][0]["certificate"]
            .is_object()
            .then_some(())
    });
}

/// Takes all the room there is, down to the last byte.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    for piece in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0; piece]).is_ok() {}
    }
}

fn limit(pid: u32, size: &str) {
    run(Command::new("prlimit")
        .arg(format!("--pid={pid}"))
        .arg(format!("--fsize={size}")));
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
