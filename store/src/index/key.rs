//! The name of everything that is stored, as bytes whose order is the order of names.
//!
//! A tag for the kind, the name of the collection or journal, and the id or number in it. Zeros in a
//! name are escaped and a name ends with a pair that none can contain, so that no two names give the
//! same bytes, and what belongs to one collection stands together.

use std::ops::Bound;

use crate::error::Place;

const COLLECTION: u8 = b'R';
const JOURNAL: u8 = b'J';

const ZERO: u8 = 0;
const ESCAPED: u8 = 0xff;
const END: u8 = 1;

/// What members belong to: a collection of records, or a journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Collection(String),
    Stream(String),
}

/// One record or one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Member {
    Record { collection: String, id: String },
    Entry { stream: String, sequence: u64 },
}

impl Member {
    pub(crate) fn group(&self) -> Group {
        match self {
            Self::Record { collection, .. } => Group::Collection(collection.clone()),
            Self::Entry { stream, .. } => Group::Stream(stream.clone()),
        }
    }

    pub(crate) fn place(self) -> Place {
        match self {
            Self::Record { collection, id } => Place::Record { collection, id },
            Self::Entry { stream, sequence } => Place::Entry { stream, sequence },
        }
    }
}

pub(crate) fn record(collection: &str, id: &str) -> Vec<u8> {
    let mut key = collection_prefix(collection);
    key.extend(id.as_bytes());
    key
}

pub(crate) fn entry(stream: &str, sequence: u64) -> Vec<u8> {
    let mut key = stream_prefix(stream);
    key.extend(sequence.to_be_bytes());
    key
}

/// What the keys of all records of a collection begin with.
pub(crate) fn collection_prefix(collection: &str) -> Vec<u8> {
    prefix(COLLECTION, collection)
}

/// What the keys of all events of a journal begin with.
pub(crate) fn stream_prefix(stream: &str) -> Vec<u8> {
    prefix(JOURNAL, stream)
}

/// What the keys of all collections, or of all journals, begin with.
pub(crate) fn kind_of(group: &Group) -> [u8; 1] {
    match group {
        Group::Collection(_) => [COLLECTION],
        Group::Stream(_) => [JOURNAL],
    }
}

pub(crate) fn group_prefix(group: &Group) -> Vec<u8> {
    match group {
        Group::Collection(name) => collection_prefix(name),
        Group::Stream(name) => stream_prefix(name),
    }
}

fn prefix(tag: u8, name: &str) -> Vec<u8> {
    let mut key = vec![tag];
    for &byte in name.as_bytes() {
        key.push(byte);
        if byte == ZERO {
            key.push(ESCAPED);
        }
    }
    key.extend([ZERO, END]);
    key
}

/// What a key names; `None` for bytes that are no key.
pub(crate) fn parse(key: &[u8]) -> Option<Member> {
    let (&tag, mut rest) = key.split_first()?;
    let mut name = Vec::new();
    loop {
        match *rest {
            [ZERO, END, ..] => break,
            [ZERO, ESCAPED, ..] => {
                name.push(ZERO);
                rest = &rest[2..];
            }
            [ZERO, ..] | [] => return None,
            [byte, ..] => {
                name.push(byte);
                rest = &rest[1..];
            }
        }
    }
    let name = String::from_utf8(name).ok()?;
    let rest = &rest[2..];
    match tag {
        COLLECTION => Some(Member::Record {
            collection: name,
            id: String::from_utf8(rest.to_vec()).ok()?,
        }),
        JOURNAL => Some(Member::Entry {
            stream: name,
            sequence: u64::from_be_bytes(rest.try_into().ok()?),
        }),
        _ => None,
    }
}

/// What the beginning of a key names: a record or event, or a collection or journal with nothing of
/// what is in it.
pub(crate) fn parse_beginning(key: &[u8]) -> Option<Place> {
    if let Some(member) = parse(key) {
        return Some(member.place());
    }
    let (tag, rest) = key.split_first()?;
    let end = rest.iter().position(|&byte| byte == ZERO);
    let name = String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]).into_owned();
    match *tag {
        COLLECTION => Some(Place::Collection { collection: name }),
        JOURNAL => Some(Place::Journal { stream: name }),
        _ => None,
    }
}

/// A stretch of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Bound<Vec<u8>>,
    pub(crate) to: Bound<Vec<u8>>,
}

impl Span {
    pub(crate) const ALL: Self = Self {
        from: Bound::Unbounded,
        to: Bound::Unbounded,
    };

    /// All keys that begin with `prefix`, which is not empty and does not end in the highest byte.
    pub(crate) fn prefixed(prefix: Vec<u8>) -> Self {
        let to = Bound::Excluded(after_prefix(&prefix));
        Self {
            from: Bound::Included(prefix),
            to,
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        !self.is_before(key) && !self.is_after(key)
    }

    /// Whether all of it comes before `key`.
    pub(crate) fn is_before(&self, key: &[u8]) -> bool {
        match &self.to {
            Bound::Included(to) => &**to < key,
            Bound::Excluded(to) => &**to <= key,
            Bound::Unbounded => false,
        }
    }

    /// Whether all of it comes after `key`.
    pub(crate) fn is_after(&self, key: &[u8]) -> bool {
        match &self.from {
            Bound::Included(from) => &**from > key,
            Bound::Excluded(from) => &**from >= key,
            Bound::Unbounded => false,
        }
    }
}

/// The first key that is greater than every key that begins with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            break;
        }
        end.pop();
    }
    end
}

/// The shortest key that divides `left` from `right`: greater than the one, not greater than the
/// other.
pub(crate) fn divider(left: &[u8], right: &[u8]) -> Vec<u8> {
    let common = common_prefix(left, right);
    right[..right.len().min(common + 1)].to_vec()
}

pub(crate) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_what_it_names() {
        for name in ["a", "rotation/jira/1", "\0", "a\0b", "\u{1}", "é"] {
            assert_eq!(
                parse(&record(name, "x\0y")),
                Some(Member::Record {
                    collection: name.to_owned(),
                    id: "x\0y".to_owned()
                })
            );
            assert_eq!(
                parse(&entry(name, 1 << 40)),
                Some(Member::Entry {
                    stream: name.to_owned(),
                    sequence: 1 << 40
                })
            );
        }
        for nonsense in [
            &b""[..],
            b"R",
            b"Ra",
            b"Ra\0",
            b"Ra\0\x02x",
            b"Xa\0\x01x",
            b"Ja\0\x01x",
        ] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn keys_are_ordered_as_names_are() {
        let keys = [
            entry("a", 1),
            entry("a", 2),
            entry("a", 256),
            entry("ab", 1),
            record("", "z"),
            record("\0", "a"),
            record("a", ""),
            record("a", "a"),
            record("a", "aa"),
            record("a", "b"),
            record("a\0", "a"),
            record("ab", "a"),
            record("b", "a"),
        ];
        assert!(keys.is_sorted());
        let of_a = Span::prefixed(collection_prefix("a"));
        assert_eq!(keys.iter().filter(|key| of_a.contains(key)).count(), 4);
        assert!(of_a.is_before(&record("ab", "a")));
        assert!(of_a.is_after(&entry("a", 1)));
    }

    #[test]
    fn a_divider_is_no_longer_than_it_must_be() {
        assert_eq!(divider(b"abc", b"abxyz"), b"abx");
        assert_eq!(divider(b"ab", b"abc"), b"abc");
        assert_eq!(after_prefix(b"ab"), b"ac");
        assert_eq!(after_prefix(&[b'a', 0xff]), b"b");
    }
}
