//! One node of the index, and how it becomes bytes.
//!
//! A leaf lists what is stored, an inner node lists nodes. Both are entries in ascending order of
//! their keys, and each points to a value or a node: its id, and the nonce with which it was last
//! sealed. A nonce never comes twice, and nothing opens under a nonce that we did not seal under it;
//! so the nonce stands for the content, and who holds the top of the tree holds all of it.
//!
//! The key of an inner entry is a lower bound for what lies under it; the first takes whatever is
//! lower still. What the keys of a node have in common is written once.

use crate::crypto::{NONCE, Nonce};
use crate::error::Fault;
use crate::index::key;

/// The longest a node is, encoded. With its padding and its seal it fits a page of the engine (4 KiB).
pub(crate) const LONGEST: usize = 3836;

/// A node shorter than this is joined with a neighbour, if both fit well into one.
const SHORT: usize = LONGEST / 3;
const COMFORTABLE: usize = LONGEST / 4 * 3;

pub(super) const ID: usize = 16;

/// Random, or among the many of one transaction alike in their beginning; the engine's key of a value or node is made of it and of nothing else.
pub(crate) type Id = [u8; ID];

/// A value or node, and which write of it is the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) id: Id,
    pub(crate) nonce: Nonce,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) to: Pointer,
    /// In a leaf: the version of the record. In an inner node: how many records and events lie
    /// under this entry.
    pub(crate) number: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// How far from the leaves: 0 for one.
    pub(crate) level: u8,
    pub(crate) entries: Vec<Entry>,
}

impl Node {
    /// How many records and events lie under it.
    pub(crate) fn count(&self) -> u64 {
        if self.level == 0 {
            self.entries.len() as u64
        } else {
            self.entries.iter().map(|entry| entry.number).sum()
        }
    }

    /// Which entry of an inner node a key lies under.
    pub(crate) fn child_for(&self, key: &[u8]) -> usize {
        self.entries
            .partition_point(|entry| &*entry.key <= key)
            .saturating_sub(1)
    }

    pub(crate) fn is_short(&self) -> bool {
        length(&self.entries) < SHORT
    }

    /// This node with the entries of its right neighbour, whose key in their parent was `bound`; or
    /// `None` when that would be too much.
    pub(crate) fn joined(&self, right: &Self, bound: &[u8]) -> Option<Self> {
        let mut entries = self.entries.clone();
        entries.extend(right.entries.iter().cloned());
        if self.level > 0 {
            // The first of the right one may have taken what is lower than its key says.
            entries[self.entries.len()].key = bound.to_vec();
        }
        (length(&entries) <= COMFORTABLE).then_some(Self {
            level: self.level,
            entries,
        })
    }

    /// The entries in parts of which each fits into a node; `added` is where one came in last.
    pub(crate) fn parts(mut self, added: Option<usize>) -> Vec<Vec<Entry>> {
        if length(&self.entries) <= LONGEST {
            return vec![self.entries];
        }
        let last = self.entries.len() - 1;
        // What is written in ascending order leaves full nodes behind.
        let at = if added == Some(last) {
            last
        } else {
            middle(&self.entries)
        };
        let right = Self {
            level: self.level,
            entries: self.entries.split_off(at),
        };
        let mut parts = self.parts(None);
        parts.extend(right.parts(None));
        parts
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let common = common(&self.entries);
        let prefix = self.entries.first().map_or(&[][..], |e| &e.key[..common]);
        let mut bytes = Vec::with_capacity(length(&self.entries));
        bytes.push(self.level);
        put_number(&mut bytes, common as u64);
        bytes.extend(prefix);
        put_number(&mut bytes, self.entries.len() as u64);
        for Entry { key, to, number } in &self.entries {
            put_number(&mut bytes, (key.len() - common) as u64);
            bytes.extend(&key[common..]);
            put_number(&mut bytes, *number);
            bytes.extend(to.id);
            bytes.extend(to.nonce);
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, Fault> {
        let bytes = &mut bytes;
        let [level] = *take_array(bytes)?;
        let common = take_number(bytes)?;
        let prefix = take(bytes, common)?;
        let count = take_number(bytes)?;
        let mut entries = Vec::with_capacity(count.min(bytes.len()));
        for _ in 0..count {
            let length = take_number(bytes)?;
            let key = [prefix, take(bytes, length)?].concat();
            let number = take_number(bytes)? as u64;
            let id = *take_array(bytes)?;
            let nonce = *take_array::<NONCE>(bytes)?;
            entries.push(Entry {
                key,
                to: Pointer { id, nonce },
                number,
            });
        }
        let in_order = entries.is_sorted_by(|a, b| a.key < b.key);
        if !bytes.is_empty() || entries.is_empty() || !in_order {
            return Err(Fault::Malformed);
        }
        Ok(Self { level, entries })
    }

    /// How much memory it takes, about.
    pub(crate) fn weight(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| size_of::<Entry>() + entry.key.len())
            .sum()
    }
}

/// How long entries are, encoded as one node.
fn length(entries: &[Entry]) -> usize {
    length_of(
        entries.len(),
        entries.iter().map(entry_length).sum(),
        common(entries),
    )
}

/// The same from the sum of [`entry_length`]s: an upper bound, off by some bytes for short keys.
fn length_of(count: usize, sum: usize, common: usize) -> usize {
    1 + number_length(common as u64) + common + number_length(count as u64) + sum - count * common
}

/// How long an entry is when it has nothing in common with others.
fn entry_length(entry: &Entry) -> usize {
    number_length(entry.key.len() as u64)
        + entry.key.len()
        + number_length(entry.number)
        + ID
        + NONCE
}

/// How many bytes all keys have in common: as many as the first and the last.
fn common(entries: &[Entry]) -> usize {
    match entries {
        [first, .., last] => key::common_prefix(&first.key, &last.key),
        [only] => only.key.len(),
        [] => 0,
    }
}

/// Where to divide so that both sides are about as long.
fn middle(entries: &[Entry]) -> usize {
    let lengths: Vec<usize> = entries.iter().map(entry_length).collect();
    let total: usize = lengths.iter().sum();
    let mut left = 0;
    let mut best = (usize::MAX, 1);
    for at in 1..entries.len() {
        left += lengths[at - 1];
        let (a, b) = entries.split_at(at);
        let a = length_of(a.len(), left, common(a));
        let b = length_of(b.len(), total - left, common(b));
        best = best.min((a.abs_diff(b), at));
    }
    best.1
}

// === Numbers: seven bits to a byte, the lowest first ===

fn number_length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Result<usize, Fault> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = *take_array(bytes)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(number).map_err(|_| Fault::Malformed);
        }
    }
    Err(Fault::Malformed)
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Result<&'b [u8], Fault> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Fault::Malformed)?;
    *bytes = rest;
    Ok(taken)
}

fn take_array<'b, const N: usize>(bytes: &mut &'b [u8]) -> Result<&'b [u8; N], Fault> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Fault::Malformed)?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, number: u64) -> Entry {
        Entry {
            key: key.as_bytes().to_vec(),
            to: Pointer {
                id: [7; ID],
                nonce: [9; NONCE],
            },
            number,
        }
    }

    fn node(keys: impl IntoIterator<Item = String>) -> Node {
        Node {
            level: 0,
            entries: keys.into_iter().map(|key| entry(&key, 1)).collect(),
        }
    }

    #[test]
    fn a_node_comes_back_as_it_was_encoded() {
        let long = "x".repeat(300);
        for entries in [
            vec![entry("only", 1)],
            vec![entry("", 0), entry("a", 127), entry("ab", 128)],
            vec![
                entry(&format!("{long}a"), 1),
                entry(&format!("{long}b"), u64::MAX >> 1),
            ],
        ] {
            let node = Node { level: 3, entries };
            let bytes = node.encode();
            assert!(bytes.len() <= length(&node.entries));
            assert_eq!(Node::decode(&bytes), Ok(node));
            for end in 0..bytes.len() {
                assert_eq!(Node::decode(&bytes[..end]), Err(Fault::Malformed));
            }
        }
        // Out of order, twice the same, nothing at all.
        for entries in [
            vec![entry("b", 1), entry("a", 1)],
            vec![entry("a", 1), entry("a", 1)],
            vec![],
        ] {
            let bytes = Node { level: 0, entries }.encode();
            assert_eq!(Node::decode(&bytes), Err(Fault::Malformed));
        }
    }

    #[test]
    fn too_many_entries_become_parts_that_fit() {
        let uniform = node((0..100).map(|n| format!("collection/{n:05}")));
        // One key that has nothing in common with the others makes all of them long.
        let long = "x".repeat(500);
        let mut odd: Vec<_> = (0..40).map(|n| format!("{long}{n:03}")).collect();
        odd.insert(0, "a".to_owned());
        for node in [uniform, node(odd)] {
            let parts = node.clone().parts(Some(3));
            assert!(parts.len() > 1);
            assert!(parts.iter().all(|part| !part.is_empty()));
            for part in &parts {
                let node = Node {
                    level: 0,
                    entries: part.clone(),
                };
                assert!(node.encode().len() <= LONGEST);
            }
            assert_eq!(parts.concat(), node.entries);
        }
    }

    #[test]
    fn what_is_added_in_order_leaves_full_nodes() {
        let mut full = node((0..200).map(|n| format!("{n:05}")));
        while length(&full.entries) > LONGEST {
            full.entries.pop();
        }
        let count = full.entries.len();
        full.entries.push(entry("1", 1));
        let parts = full.parts(Some(count));
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [count, 1]);
    }
}
