//! What a program asked of the kernel, as steps on a tree of files.
//!
//! A write counts from when it returned, and a sync covers what had returned before it began: the
//! least that the kernel may be held to. An acknowledgement counts from when it began.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::strace::{self, Call, Moment};

/// A file or directory; a number that it keeps whatever it is called.
pub type Node = usize;

/// The directory under which everything happens.
pub const ROOT: Node = 0;

/// What a node is when the recording begins, all of it durable.
#[derive(Clone, Debug)]
pub enum Start {
    /// A directory and its names.
    Directory(BTreeMap<String, Node>),
    /// A file and its content.
    File(Vec<u8>),
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Step {
    /// A line that the program wrote to its standard output: known to the world outside.
    Said(String),
    /// A new name for a new node.
    Made {
        /// The directory of the name.
        parent: Node,
        /// The name.
        name: String,
        /// What it names.
        node: Node,
    },
    /// A name was given to another file, or taken.
    Renamed {
        /// The directory of both names.
        parent: Node,
        /// The old name.
        from: String,
        /// The new name.
        to: String,
        /// What is renamed.
        node: Node,
    },
    /// Two names of one directory were exchanged.
    Exchanged {
        /// Their directory.
        parent: Node,
        /// Each name, with what it names from now on.
        names: [(String, Node); 2],
    },
    /// A name is gone.
    Removed {
        /// Its directory.
        parent: Node,
        /// The name.
        name: String,
    },
    /// Bytes were written.
    Wrote {
        /// To which file.
        node: Node,
        /// From where on.
        offset: u64,
        /// Which.
        bytes: Vec<u8>,
    },
    /// A file was given another length.
    Resized {
        /// The file.
        node: Node,
        /// Its length.
        length: u64,
    },
    /// A file or directory was synced: every step on it before this one of the recording is durable.
    Synced {
        /// Which.
        node: Node,
        /// The number of steps that are covered.
        covers: usize,
    },
}

/// A recording: what was there, and what happened.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What each node was at the beginning; those that were made later are empty.
    pub start: Vec<Start>,
    /// In the order in which they took effect.
    pub steps: Vec<Step>,
    /// Calls of `sync_file_range`, which promise nothing and are not among the steps.
    pub hints: usize,
}

impl Recording {
    /// What would have happened without the syncs of the files of this name.
    pub fn forget_syncs_of(&mut self, name: &str) {
        let mut nodes = Vec::new();
        for step in &self.steps {
            if let Step::Made {
                name: made, node, ..
            } = step
                && made == name
            {
                nodes.push(*node);
            }
        }
        for step in &mut self.steps {
            if let Step::Synced { node, covers } = step
                && nodes.contains(node)
            {
                *covers = 0;
            }
        }
    }
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says it")]
pub enum RecordError {
    #[error("cannot run strace: install it with `apt-get install -y strace`")]
    NoStrace(#[source] std::io::Error),
    #[error("the program under strace ended with {0}")]
    Failed(std::process::ExitStatus),
    #[error("cannot {operation} {path}")]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Unreadable(#[from] strace::Unreadable),
    #[error("{call:?} on {node:?} is not in the model")]
    NotModelled { call: Call, node: Option<Node> },
}

/// Runs `command` under strace and records what it does under `root`, a directory that exists.
///
/// # Errors
/// When strace is missing or not allowed, the program fails, or it does what is not in the model.
pub fn record(command: &mut Command, root: &Path) -> Result<Recording, RecordError> {
    let trace = root.with_extension("strace");
    let io = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| RecordError::Io {
            operation,
            path,
            source,
        }
    };
    let mut start = Vec::new();
    load(root, &mut start).map_err(io("read", root))?;
    let status = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-xx", "-s", "67108864", "-o"])
        .arg(&trace)
        .args(["-e", &format!("trace={}", strace::CALLS), "--"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(RecordError::NoStrace)?;
    if !status.success() {
        return Err(RecordError::Failed(status));
    }
    let text = fs::read_to_string(&trace).map_err(io("read", &trace))?;
    fs::remove_file(&trace).map_err(io("remove", &trace))?;
    let mut scribe = Scribe::new(root, start);
    for moment in strace::parse(&text)? {
        match moment {
            Moment::Begun(pid, call) => scribe.begin(pid, &call)?,
            Moment::Ended(pid, call, value) => scribe.end(pid, &call, value)?,
        }
    }
    Ok(scribe.recording)
}

fn load(path: &Path, nodes: &mut Vec<Start>) -> std::io::Result<Node> {
    let node = nodes.len();
    if path.is_dir() {
        nodes.push(Start::Directory(BTreeMap::new()));
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            names.insert(name, load(&entry.path(), nodes)?);
        }
        nodes[node] = Start::Directory(names);
    } else {
        nodes.push(Start::File(fs::read(path)?));
    }
    Ok(node)
}

/// An open file, as several descriptors may share it.
#[derive(Clone, Copy)]
struct Open {
    node: Node,
    position: u64,
    appends: bool,
}

struct Scribe {
    root: PathBuf,
    recording: Recording,
    /// The names as the program sees them.
    names: HashMap<(Node, String), Node>,
    descriptors: HashMap<i64, usize>,
    opened: Vec<Open>,
    /// Which descriptor each thread is working on, taken when the call began, and how many steps
    /// there were then.
    working: HashMap<u32, (Option<usize>, usize)>,
    executed: bool,
}

impl Scribe {
    fn new(root: &Path, start: Vec<Start>) -> Self {
        let mut names = HashMap::new();
        for (node, begin) in start.iter().enumerate() {
            if let Start::Directory(entries) = begin {
                for (name, child) in entries {
                    names.insert((node, name.clone()), *child);
                }
            }
        }
        Self {
            root: root.to_owned(),
            recording: Recording {
                start,
                steps: Vec::new(),
                hints: 0,
            },
            names,
            descriptors: HashMap::new(),
            opened: Vec::new(),
            working: HashMap::new(),
            executed: false,
        }
    }

    fn begin(&mut self, pid: u32, call: &Call) -> Result<(), RecordError> {
        let descriptor = call.arguments.first().and_then(|text| text.parse().ok());
        let open = descriptor.and_then(|fd: i64| self.descriptors.get(&fd).copied());
        self.working.insert(pid, (open, self.recording.steps.len()));
        match call.name.as_str() {
            // Another thread may be given the number before this call returns.
            "close" => drop(descriptor.and_then(|fd| self.descriptors.remove(&fd))),
            "write" if descriptor == Some(1) => {
                let said = call.arguments.get(1).and_then(|text| strace::bytes(text));
                let said = said.ok_or_else(|| not_modelled(call, None))?;
                for line in String::from_utf8_lossy(&said).lines() {
                    self.recording.steps.push(Step::Said(line.to_owned()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, pid: u32, call: &Call, value: i64) -> Result<(), RecordError> {
        let (open, before) = self.working.remove(&pid).unwrap_or((None, 0));
        if value < 0 && call.name != "mmap" {
            return Ok(());
        }
        let node = open.map(|open| self.opened[open].node);
        let number = |index: usize| -> Result<i64, RecordError> {
            let text = call.arguments.get(index).map(String::as_str);
            text.and_then(|text| text.parse().ok())
                .ok_or_else(|| not_modelled(call, node))
        };
        let argument = |index: usize| call.arguments.get(index).map_or("", String::as_str);
        match call.name.as_str() {
            "openat" => self.opened(call, value)?,
            "dup" | "dup2" | "dup3" => self.share(open, value),
            "fcntl" if argument(1).starts_with("F_DUPFD") => {
                self.share(open, value);
            }
            "mkdir" => {
                if let Some((parent, name)) = self.resolve(argument(0)) {
                    self.make(parent, name, Start::Directory(BTreeMap::new()));
                }
            }
            "unlink" | "rmdir" => {
                if let Some((parent, name)) = self.resolve(argument(0)) {
                    self.remove(parent, name);
                }
            }
            "rename" => self.rename(call, argument(0), argument(1))?,
            "renameat2" if argument(4) == "RENAME_EXCHANGE" => {
                self.exchange(call, argument(1), argument(3))?;
            }
            "renameat2" if argument(4) == "RENAME_NOREPLACE" => {
                self.rename(call, argument(1), argument(3))?;
            }
            "close" | "fcntl" => {}
            "execve" if !self.executed => self.executed = true,
            // What has no file of ours in it does not matter, if it names its file by descriptor.
            "read" | "readv" | "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2"
            | "lseek" | "ftruncate" | "fallocate" | "fsync" | "fdatasync" | "sync_file_range"
                if open.is_none() => {}
            "mmap" => {
                let shared = argument(3).contains("MAP_SHARED") && argument(2).contains("WRITE");
                let file = argument(4).parse().ok();
                let ours = file.is_some_and(|fd: i64| self.descriptors.contains_key(&fd));
                if shared && ours {
                    return Err(not_modelled(call, node));
                }
            }
            _ => {
                let (Some(open), Some(node)) = (open, node) else {
                    return Err(not_modelled(call, node));
                };
                match call.name.as_str() {
                    "read" | "readv" => self.opened[open].position += value.cast_unsigned(),
                    "lseek" => self.opened[open].position = value.cast_unsigned(),
                    "write" | "writev" => {
                        if self.opened[open].appends {
                            return Err(not_modelled(call, Some(node)));
                        }
                        let offset = self.opened[open].position;
                        self.opened[open].position += value.cast_unsigned();
                        self.write(call, node, offset, value)?;
                    }
                    "pwrite64" | "pwritev" => {
                        let offset = number(3)?.cast_unsigned();
                        self.write(call, node, offset, value)?;
                    }
                    "ftruncate" => self.recording.steps.push(Step::Resized {
                        node,
                        length: number(1)?.cast_unsigned(),
                    }),
                    "fsync" | "fdatasync" => self.recording.steps.push(Step::Synced {
                        node,
                        covers: before,
                    }),
                    "sync_file_range" => self.recording.hints += 1,
                    _ => return Err(not_modelled(call, Some(node))),
                }
            }
        }
        Ok(())
    }

    fn share(&mut self, open: Option<usize>, descriptor: i64) {
        if let Some(open) = open {
            self.descriptors.insert(descriptor, open);
        }
    }

    fn opened(&mut self, call: &Call, descriptor: i64) -> Result<(), RecordError> {
        let flags = call.arguments.get(2).map_or("", String::as_str);
        let path = call.arguments.get(1).map_or("", String::as_str);
        self.descriptors.remove(&descriptor);
        let node = if let Some((parent, name)) = self.resolve(path) {
            match self.names.get(&(parent, name.clone())) {
                Some(node) => {
                    if flags.contains("O_TRUNC") {
                        self.recording.steps.push(Step::Resized {
                            node: *node,
                            length: 0,
                        });
                    }
                    *node
                }
                None if flags.contains("O_CREAT") => {
                    self.make(parent, name, Start::File(Vec::new()))
                }
                None => return Err(not_modelled(call, None)),
            }
        } else if strace::bytes(path)
            .is_some_and(|path| path == self.root.as_os_str().as_encoded_bytes())
        {
            ROOT
        } else {
            return Ok(());
        };
        self.descriptors.insert(descriptor, self.opened.len());
        self.opened.push(Open {
            node,
            position: 0,
            appends: flags.contains("O_APPEND"),
        });
        Ok(())
    }

    /// The directory and the name that a path of ours means; none if it is not ours, or the root.
    fn resolve(&self, argument: &str) -> Option<(Node, String)> {
        let path = String::from_utf8(strace::bytes(argument)?).ok()?;
        let inside = Path::new(&path).strip_prefix(&self.root).ok()?;
        let mut names = inside
            .iter()
            .map(|name| name.to_string_lossy().into_owned());
        let mut name = names.next()?;
        let mut parent = ROOT;
        for next in names {
            parent = *self.names.get(&(parent, name))?;
            name = next;
        }
        Some((parent, name))
    }

    fn make(&mut self, parent: Node, name: String, start: Start) -> Node {
        let node = self.recording.start.len();
        self.recording.start.push(start);
        self.names.insert((parent, name.clone()), node);
        self.recording.steps.push(Step::Made { parent, name, node });
        node
    }

    fn remove(&mut self, parent: Node, name: String) {
        self.names.remove(&(parent, name.clone()));
        self.recording.steps.push(Step::Removed { parent, name });
    }

    fn rename(&mut self, call: &Call, from: &str, to: &str) -> Result<(), RecordError> {
        match (self.resolve(from), self.resolve(to)) {
            (Some((parent, from)), Some((there, to))) if parent == there => {
                let node = self.names.remove(&(parent, from.clone()));
                let node = node.ok_or_else(|| not_modelled(call, None))?;
                self.names.insert((parent, to.clone()), node);
                self.recording.steps.push(Step::Renamed {
                    parent,
                    from,
                    to,
                    node,
                });
                Ok(())
            }
            (None, None) => Ok(()),
            _ => Err(not_modelled(call, None)),
        }
    }

    fn exchange(&mut self, call: &Call, one: &str, other: &str) -> Result<(), RecordError> {
        let ((parent, one), other) = match (self.resolve(one), self.resolve(other)) {
            (Some(one), Some((there, other))) if one.0 == there => (one, other),
            (None, None) => return Ok(()),
            _ => return Err(not_modelled(call, None)),
        };
        let named = |name: &String| self.names.get(&(parent, name.clone())).copied();
        let (Some(first), Some(second)) = (named(&one), named(&other)) else {
            return Err(not_modelled(call, None));
        };
        let names = [(one, second), (other, first)];
        for (name, node) in &names {
            self.names.insert((parent, name.clone()), *node);
        }
        self.recording.steps.push(Step::Exchanged { parent, names });
        Ok(())
    }

    fn write(
        &mut self,
        call: &Call,
        node: Node,
        offset: u64,
        count: i64,
    ) -> Result<(), RecordError> {
        let bytes = call.arguments.get(1).and_then(|text| strace::bytes(text));
        let mut bytes = bytes.ok_or_else(|| not_modelled(call, Some(node)))?;
        // Fewer bytes may have been taken than were offered.
        bytes.truncate(usize::try_from(count).unwrap_or(0));
        self.recording.steps.push(Step::Wrote {
            node,
            offset,
            bytes,
        });
        Ok(())
    }
}

fn not_modelled(call: &Call, node: Option<Node>) -> RecordError {
    let mut call = call.clone();
    for argument in &mut call.arguments {
        argument.truncate(120);
    }
    RecordError::NotModelled { call, node }
}
