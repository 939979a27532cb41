//! A disk that loses power.
//!
//! What was synced is there. Of everything else, each sector is in one of the states that it went
//! through since the last sync, and which one is the adversary's choice; so is whether a new
//! length or a name has come to the disk. A name that moved has moved or not, and two names were
//! exchanged or not: that much every journalling file system promises.

use std::collections::{BTreeMap, HashMap};

use crate::image::{Entry, Image};
use crate::record::{Node, ROOT, Recording, Start, Step};

const PAGE: u64 = 4096;
const SECTOR: u64 = 512;

/// What the adversary lets come to the disk of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Nothing.
    Everything,
    /// All of it: the kernel happened to have written everything.
    Nothing,
    /// All names, and no byte of any content.
    AllButNames,
    /// What came first, up to some step.
    FromSomeStepOn,
    /// The same, and of the next write a part: some sectors at its beginning, or at its end, or
    /// bytes up to any.
    TornWrite,
    /// Nothing of the first writes to a page, all of the last.
    AllButTheLast,
    /// Each page as it was after any of the writes to it.
    PagesAtRandom,
    /// Each sector as it was after any of the writes to it.
    SectorsAtRandom,
}

impl Loss {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Everything,
        Self::Nothing,
        Self::AllButNames,
        Self::FromSomeStepOn,
        Self::TornWrite,
        Self::AllButTheLast,
        Self::PagesAtRandom,
        Self::SectorsAtRandom,
    ];
}

/// A change to a file that may be lost.
struct Change {
    step: usize,
    /// Where bytes change, and to what; none stands for zeros.
    at: u64,
    bytes: Vec<u8>,
    /// The length of the file afterwards.
    length: u64,
    /// Only the length was to change: that comes at once or not at all.
    resizes: bool,
}

/// A file: what is sure, and what may be lost.
#[derive(Default)]
struct File {
    durable: Vec<u8>,
    /// As the program sees it.
    length: u64,
    pending: Vec<Change>,
}

/// A change to a directory that may be lost.
struct Naming {
    step: usize,
    remove: Option<String>,
    insert: Vec<(String, Node)>,
}

#[derive(Default)]
struct Directory {
    durable: BTreeMap<String, Node>,
    pending: Vec<Naming>,
}

/// The disk at some moment of a recording.
pub struct Disk {
    files: HashMap<Node, File>,
    directories: HashMap<Node, Directory>,
}

impl Disk {
    /// The disk when the recording began.
    pub fn new(recording: &Recording) -> Self {
        let mut disk = Self {
            files: HashMap::new(),
            directories: HashMap::new(),
        };
        for (node, start) in recording.start.iter().enumerate() {
            match start {
                Start::Directory(names) => {
                    let directory = Directory {
                        durable: names.clone(),
                        pending: Vec::new(),
                    };
                    disk.directories.insert(node, directory);
                }
                Start::File(bytes) => {
                    let file = File {
                        durable: bytes.clone(),
                        length: bytes.len() as u64,
                        pending: Vec::new(),
                    };
                    disk.files.insert(node, file);
                }
            }
        }
        disk
    }

    /// Goes on by one step, the one of this number.
    pub fn take(&mut self, number: usize, step: &Step) {
        match step {
            Step::Said(_) => {}
            Step::Made { parent, name, node } => self.name(
                *parent,
                Naming {
                    step: number,
                    remove: None,
                    insert: vec![(name.clone(), *node)],
                },
            ),
            Step::Renamed {
                parent,
                from,
                to,
                node,
            } => self.name(
                *parent,
                Naming {
                    step: number,
                    remove: Some(from.clone()),
                    insert: vec![(to.clone(), *node)],
                },
            ),
            Step::Exchanged { parent, names } => self.name(
                *parent,
                Naming {
                    step: number,
                    remove: None,
                    insert: names.to_vec(),
                },
            ),
            Step::Removed { parent, name } => self.name(
                *parent,
                Naming {
                    step: number,
                    remove: Some(name.clone()),
                    insert: Vec::new(),
                },
            ),
            Step::Wrote {
                node,
                offset,
                bytes,
            } => {
                let file = self.files.entry(*node).or_default();
                file.length = file.length.max(offset + bytes.len() as u64);
                file.pending.push(Change {
                    step: number,
                    at: *offset,
                    bytes: bytes.clone(),
                    length: file.length,
                    resizes: false,
                });
            }
            Step::Resized { node, length } => {
                let file = self.files.entry(*node).or_default();
                // What is cut off does not come back when the file grows again.
                let gone = file.length.saturating_sub(*length);
                file.length = *length;
                file.pending.push(Change {
                    step: number,
                    at: *length,
                    bytes: vec![0; usize::try_from(gone).unwrap_or(usize::MAX)],
                    length: *length,
                    resizes: true,
                });
            }
            Step::Synced { node, covers } => self.sync(*node, *covers),
        }
    }

    fn name(&mut self, parent: Node, naming: Naming) {
        self.directories
            .entry(parent)
            .or_default()
            .pending
            .push(naming);
    }

    fn sync(&mut self, node: Node, covers: usize) {
        if let Some(file) = self.files.get_mut(&node) {
            let late = file.pending.partition_point(|change| change.step < covers);
            let rest = file.pending.split_off(late);
            let done = std::mem::replace(&mut file.pending, rest);
            for change in &done {
                overlay(&mut file.durable, change.at, &change.bytes);
            }
            if let Some(last) = done.last() {
                file.durable.resize(last.length as usize, 0);
            }
        }
        if let Some(directory) = self.directories.get_mut(&node) {
            let late = directory
                .pending
                .partition_point(|naming| naming.step < covers);
            let rest = directory.pending.split_off(late);
            for naming in std::mem::replace(&mut directory.pending, rest) {
                rename(&mut directory.durable, &naming);
            }
        }
    }

    /// What is found if the power is cut now.
    pub fn cut(&self, loss: Loss, random: &mut fastrand::Rng) -> Image {
        let steps = self.pending_steps();
        // The first step that is lost, for those losses that go by time.
        let lost_from = match steps.len() {
            0 => 0,
            count => steps[random.usize(..count)],
        };
        Image {
            entries: self.directory(ROOT, loss, lost_from, random),
        }
    }

    /// Whether there is anything to lose.
    pub fn is_clean(&self) -> bool {
        self.pending_steps().is_empty()
    }

    fn pending_steps(&self) -> Vec<usize> {
        let data = self.files.values().flat_map(|file| &file.pending);
        let names = self
            .directories
            .values()
            .flat_map(|directory| &directory.pending);
        let mut steps: Vec<_> = data
            .map(|change| change.step)
            .chain(names.map(|naming| naming.step))
            .collect();
        steps.sort_unstable();
        steps
    }

    fn directory(
        &self,
        node: Node,
        loss: Loss,
        lost_from: usize,
        random: &mut fastrand::Rng,
    ) -> BTreeMap<String, Entry> {
        let Some(directory) = self.directories.get(&node) else {
            return BTreeMap::new();
        };
        let mut names = directory.durable.clone();
        for naming in &directory.pending {
            let survives = match loss {
                Loss::Everything => false,
                Loss::Nothing | Loss::AllButNames => true,
                Loss::FromSomeStepOn | Loss::TornWrite => naming.step < lost_from,
                Loss::AllButTheLast | Loss::PagesAtRandom | Loss::SectorsAtRandom => random.bool(),
            };
            if survives {
                rename(&mut names, naming);
            }
        }
        let mut entries = BTreeMap::new();
        for (name, child) in names {
            let entry = if self.directories.contains_key(&child) {
                Entry::Directory(self.directory(child, loss, lost_from, random))
            } else {
                Entry::File(
                    self.files
                        .get(&child)
                        .map_or_else(Vec::new, |file| file.cut(loss, lost_from, random)),
                )
            };
            entries.insert(name, entry);
        }
        entries
    }
}

impl File {
    fn cut(&self, loss: Loss, lost_from: usize, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mut length = self.durable.len() as u64;
        let count = self.pending.len();
        match loss {
            Loss::Everything | Loss::AllButNames => {}
            Loss::Nothing => {
                for change in &self.pending {
                    overlay(&mut bytes, change.at, &change.bytes);
                    length = change.length;
                }
            }
            Loss::FromSomeStepOn | Loss::TornWrite => {
                for change in &self.pending {
                    if change.step < lost_from {
                        overlay(&mut bytes, change.at, &change.bytes);
                        length = change.length;
                    } else if change.step == lost_from && loss == Loss::TornWrite && !change.resizes
                    {
                        tear(&mut bytes, change, random);
                        length = length.max(random.u64(length..=length.max(change.length)));
                    }
                }
            }
            Loss::AllButTheLast => {
                if let Some(last) = self.pending.last() {
                    overlay(&mut bytes, last.at, &last.bytes);
                    length = last.length;
                }
            }
            Loss::PagesAtRandom | Loss::SectorsAtRandom => {
                let unit = if loss == Loss::PagesAtRandom {
                    PAGE
                } else {
                    SECTOR
                };
                let mut reached = HashMap::new();
                for (number, change) in self.pending.iter().enumerate() {
                    for (at, piece) in pieces(change, unit) {
                        let reached = *reached
                            .entry(at / unit)
                            .or_insert_with(|| any(count, random));
                        if number < reached {
                            overlay(&mut bytes, at, piece);
                        }
                    }
                }
                if let Some(change) = any(count, random)
                    .checked_sub(1)
                    .and_then(|n| self.pending.get(n))
                {
                    length = change.length;
                }
            }
        }
        bytes.resize(length as usize, 0);
        bytes
    }
}

/// How many of `count` changes have come: none, all, or any number, each as often.
fn any(count: usize, random: &mut fastrand::Rng) -> usize {
    match random.u8(..3) {
        0 => 0,
        1 => count,
        _ => random.usize(..=count),
    }
}

/// A change in pieces that do not cross a boundary.
fn pieces(change: &Change, unit: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let (mut at, mut rest) = (change.at, change.bytes.as_slice());
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let room = (unit - at % unit) as usize;
        let (piece, after) = rest.split_at(room.min(rest.len()));
        let here = at;
        (at, rest) = (at + piece.len() as u64, after);
        Some((here, piece))
    })
}

/// A part of a write: its first sectors, its last, or its bytes up to any.
fn tear(bytes: &mut Vec<u8>, change: &Change, random: &mut fastrand::Rng) {
    let sectors: Vec<_> = pieces(change, SECTOR).collect();
    if sectors.is_empty() {
        return;
    }
    let edge = random.usize(..=sectors.len());
    match random.u8(..3) {
        0 => {
            for (at, piece) in &sectors[..edge] {
                overlay(bytes, *at, piece);
            }
        }
        1 => {
            for (at, piece) in &sectors[edge..] {
                overlay(bytes, *at, piece);
            }
        }
        _ => {
            let edge = random.usize(..=change.bytes.len());
            overlay(bytes, change.at, &change.bytes[..edge]);
        }
    }
}

fn overlay(bytes: &mut Vec<u8>, at: u64, piece: &[u8]) {
    let from = at as usize;
    let to = from + piece.len();
    if bytes.len() < to {
        bytes.resize(to, 0);
    }
    bytes[from..to].copy_from_slice(piece);
}

fn rename(names: &mut BTreeMap<String, Node>, naming: &Naming) {
    if let Some(name) = &naming.remove {
        names.remove(name);
    }
    for (name, node) in &naming.insert {
        names.insert(name.clone(), *node);
    }
}
