//! What a program asked of the kernel, as steps on a tree of files.
//!
//! A write counts from when it returned, and a sync covers what had returned before it began: the
//! least that the kernel may be held to. An acknowledgement counts from when it began.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::scribe::Scribe;
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
    /// A new name, for a new node or one that had none.
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
