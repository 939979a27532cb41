//! A store that stays open while its disk fills up, fails, or takes no changes any more.
//!
//! A small tmpfs in a mount namespace of its own can be filled; strace answers for a disk that
//! fails.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use countersign_durability::victim::{Request, Victim};
use countersign_store::EngineKind;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use Request::{Close, Fill, Free, Limit, Open, Read, Transact, Unlimit};

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign-durability");

struct Scene {
    victim: Victim,
    directory: TempDir,
}

impl Scene {
    /// On a file system of four mebibytes that nobody else sees.
    fn on_a_small_disk(engine: EngineKind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"";
        command
            .args(["--mount", "sh", "-c", script])
            .arg(directory.path())
            .arg(PROGRAM);
        Self::begin(command, directory, engine)
    }

    /// On the machine's own disk.
    fn on_a_disk(engine: EngineKind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::begin(Command::new(PROGRAM), directory, engine)
    }

    /// Where the signal of a file that grows too large is left aside.
    fn unmoved_by_signals(engine: EngineKind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("bash");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", PROGRAM]);
        Self::begin(command, directory, engine)
    }

    fn begin(command: Command, directory: TempDir, engine: EngineKind) -> Self {
        let victim = Victim::start(command, directory.path(), engine).unwrap();
        let mut scene = Self { victim, directory };
        for number in 1..=5 {
            scene.works(Transact, number);
        }
        scene
    }

    #[track_caller]
    fn works(&mut self, request: Request, count: u64) {
        assert_eq!(self.victim.ask(request).unwrap(), format!("ok {count}"));
    }

    #[track_caller]
    fn refused(&mut self, request: Request, why: &str) {
        let answer = self.victim.ask(request).unwrap();
        assert!(answer.starts_with("refused"), "{answer}");
        assert!(answer.contains(why), "{answer}");
    }

    /// Writes until that is refused, and returns how many were not.
    #[track_caller]
    fn writes_until_refused(&mut self, why: &str) -> u64 {
        for count in 6..500 {
            let answer = self.victim.ask(Transact).unwrap();
            if answer.starts_with("refused") {
                assert!(answer.contains(why), "{answer}");
                return count - 1;
            }
            assert_eq!(answer, format!("ok {count}"));
        }
        panic!("nothing was refused");
    }

    /// What was refused may have been done all the same, and nothing else was.
    #[track_caller]
    fn holds(&mut self, count: u64) -> u64 {
        let answer = self.victim.ask(Read).unwrap();
        let found = answer
            .strip_prefix("ok ")
            .map(|count| count.parse().unwrap());
        let found: u64 = found.unwrap_or_else(|| panic!("{answer}"));
        assert!(found == count || found == count + 1, "{found} of {count}");
        found
    }

    /// Has the kernel answer each call that writes to the engine's files with an error.
    fn break_disk(&self, error: &str) -> Fault {
        let engine = self.directory.path().join("store/engine");
        let mut files: Vec<_> = std::fs::read_dir(&engine)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        // And to the one that an engine tries first, to see whether it may go on.
        files.push(engine.join("room"));
        Fault::inject(self.victim.pid(), &files, error)
    }
}

/// A tracer that answers for the kernel; gone when dropped.
struct Fault(Child);

impl Fault {
    fn inject(pid: u32, files: &[impl AsRef<Path>], error: &str) -> Self {
        const WRITING: &str = "pwrite64,write,ftruncate,fallocate,fsync,fdatasync,sync_file_range";
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-p", &pid.to_string()]);
        for file in files {
            command.arg("-P").arg(file.as_ref());
        }
        let mut tracer = command
            .args(["-e", &format!("trace={WRITING}")])
            .args(["-e", &format!("inject={WRITING}:error={error}")])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is missing: install it with `apt-get install -y strace`");
        let mut told = BufReader::new(tracer.stderr.take().unwrap());
        let mut line = String::new();
        // Each path that is not the kernel's name for a file is remarked upon.
        while !line.contains("attached") {
            line.clear();
            assert!(
                told.read_line(&mut line).unwrap() > 0,
                "strace did not attach"
            );
        }
        // It may have more to say, and must not wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Self(tracer)
    }

    fn mend(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

macro_rules! for_each_engine {
    ($($claim:ident),+ $(,)?) => {
        mod redb {
            $(#[test] fn $claim() { super::$claim(countersign_store::EngineKind::Redb); })+
        }
        mod sled {
            $(#[test] fn $claim() { super::$claim(countersign_store::EngineKind::Sled); })+
        }
    };
}

for_each_engine!(
    a_full_disk_is_named_read_on_and_written_again_when_there_is_room,
    a_store_is_not_opened_on_a_full_disk_and_takes_no_harm,
    a_disk_that_fails_is_named_read_on_and_written_again_when_it_works,
    a_file_system_that_became_read_only_is_named_and_read_on,
    a_bound_on_the_size_of_files_is_named_and_read_on,
);

fn a_full_disk_is_named_read_on_and_written_again_when_there_is_room(engine: EngineKind) {
    let mut scene = Scene::on_a_small_disk(engine);
    scene.works(Fill, 0);
    let count = scene.writes_until_refused("the disk is full: make room");
    for _ in 0..3 {
        scene.holds(count);
        scene.refused(Transact, "the disk is full");
    }
    scene.works(Free, 0);
    let count = scene.holds(count);
    scene.works(Transact, count + 1);
    scene.works(Transact, count + 2);
    scene.works(Close, 0);
    scene.works(Open, count + 2);
    scene.works(Read, count + 2);
}

fn a_store_is_not_opened_on_a_full_disk_and_takes_no_harm(engine: EngineKind) {
    let mut scene = Scene::on_a_small_disk(engine);
    scene.works(Close, 0);
    scene.works(Fill, 0);
    for _ in 0..3 {
        let answer = scene.victim.ask(Open).unwrap();
        // There may be room in what it has already.
        if answer == "ok 5" {
            scene.works(Close, 0);
        } else {
            assert!(answer.contains("the disk is full"), "{answer}");
        }
    }
    scene.works(Free, 0);
    scene.works(Open, 5);
    scene.works(Read, 5);
    scene.works(Transact, 6);
}

fn a_disk_that_fails_is_named_read_on_and_written_again_when_it_works(engine: EngineKind) {
    let mut scene = Scene::on_a_disk(engine);
    let fault = scene.break_disk("EIO");
    scene.refused(Transact, "the disk fails");
    scene.holds(5);
    scene.refused(Transact, "cannot be written");
    scene.holds(5);
    fault.mend();
    let count = scene.holds(5);
    scene.works(Transact, count + 1);
    scene.works(Close, 0);
    scene.works(Open, count + 1);
    scene.works(Read, count + 1);
}

fn a_file_system_that_became_read_only_is_named_and_read_on(engine: EngineKind) {
    let mut scene = Scene::on_a_disk(engine);
    let fault = scene.break_disk("EROFS");
    scene.refused(Transact, "the file system is read-only");
    scene.holds(5);
    fault.mend();
    let count = scene.holds(5);
    scene.works(Transact, count + 1);
    scene.works(Read, count + 1);
}

fn a_bound_on_the_size_of_files_is_named_and_read_on(engine: EngineKind) {
    let mut scene = Scene::unmoved_by_signals(engine);
    scene.works(Limit, 0);
    let count = scene.writes_until_refused("a limit on the size of files is reached");
    scene.holds(count);
    scene.works(Unlimit, 0);
    let count = scene.holds(count);
    scene.works(Transact, count + 1);
    scene.works(Read, count + 1);
}
