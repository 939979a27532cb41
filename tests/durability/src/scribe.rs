//! From calls to steps: which file each descriptor means, and what a call does to the tree.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::record::{Node, ROOT, RecordError, Recording, Start, Step};
use crate::strace::{self, Call};

/// An open file, as several descriptors may share it.
#[derive(Clone, Copy)]
struct Open {
    node: Node,
    position: u64,
    appends: bool,
}

/// Writes down what each call does to the tree.
pub(crate) struct Scribe {
    root: PathBuf,
    pub(crate) recording: Recording,
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
    pub(crate) fn new(root: &Path, start: Vec<Start>) -> Self {
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

    pub(crate) fn begin(&mut self, pid: u32, call: &Call) -> Result<(), RecordError> {
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

    pub(crate) fn end(&mut self, pid: u32, call: &Call, value: i64) -> Result<(), RecordError> {
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
            "linkat" => self.link(call, argument(1), argument(3))?,
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
        let node = if flags.contains("O_TMPFILE") {
            if !self.is_ours(path) {
                return Ok(());
            }
            self.recording.start.push(Start::File(Vec::new()));
            self.recording.start.len() - 1
        } else if let Some((parent, name)) = self.resolve(path) {
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
        } else if self.is_root(path) {
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

    fn is_root(&self, argument: &str) -> bool {
        strace::bytes(argument).is_some_and(|path| path == self.root.as_os_str().as_encoded_bytes())
    }

    fn is_ours(&self, argument: &str) -> bool {
        self.is_root(argument) || self.resolve(argument).is_some()
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

    /// An open file gets a name, by way of what the kernel calls it.
    fn link(&mut self, call: &Call, from: &str, to: &str) -> Result<(), RecordError> {
        let from = strace::bytes(from).and_then(|path| String::from_utf8(path).ok());
        let descriptor = from
            .as_deref()
            .and_then(|path| path.strip_prefix("/proc/self/fd/"));
        let descriptor: Option<i64> = descriptor.and_then(|number| number.parse().ok());
        let open = descriptor.and_then(|number| self.descriptors.get(&number));
        match (open.map(|open| self.opened[*open].node), self.resolve(to)) {
            (Some(node), Some((parent, name))) => {
                self.names.insert((parent, name.clone()), node);
                self.recording.steps.push(Step::Made { parent, name, node });
                Ok(())
            }
            (None, None) => Ok(()),
            _ => Err(not_modelled(call, None)),
        }
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
