//! The tree against a map that cannot be wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::edit::{Edited, Ids};
use super::tree::{self, Met};
use super::{Edit, Entry, Id, Node, Nodes, Pointer, Span, Top};
use crate::error::{Damage, Fault, Place, Result};

/// Nodes in memory, "sealed" under a counter, and how many were read.
#[derive(Default)]
struct Memory {
    nodes: HashMap<Id, (Pointer, Arc<Node>)>,
    reads: RefCell<usize>,
}

impl Nodes for Memory {
    fn node(&self, to: &Pointer, _: &Span) -> Result<Arc<Node>> {
        *self.reads.borrow_mut() += 1;
        match self.nodes.get(&to.id) {
            Some((latest, node)) if latest == to => Ok(node.clone()),
            _ => Err(Damage {
                place: Place::Root,
                fault: Fault::Missing,
            }
            .into()),
        }
    }
}

/// Numbers that look random and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }
}

#[derive(Default)]
struct Tree {
    memory: Memory,
    top: Option<Top>,
    seals: u64,
}

impl Tree {
    fn change(&mut self, change: impl FnOnce(&mut Edit<&'_ Memory>)) {
        let mut edit = Edit::new(&self.memory, self.top);
        change(&mut edit);
        let seals = &mut self.seals;
        let Edited { top, sealed, gone } = edit
            .seal(&mut |_, node| {
                // What is read back is what was encoded, and it fits.
                let bytes = node.encode();
                assert!(bytes.len() <= super::node::LONGEST);
                assert_eq!(Node::decode(&bytes).as_ref(), Ok(node));
                *seals += 1;
                let mut nonce = [0; 24];
                nonce[..8].copy_from_slice(&seals.to_be_bytes());
                Ok((nonce, bytes))
            })
            .unwrap();
        for id in gone {
            self.memory.nodes.remove(&id);
        }
        for (to, node, _) in sealed {
            self.memory.nodes.insert(to.id, (to, Arc::new(node)));
        }
        self.top = top;
    }

    fn all(&self, span: &Span) -> Vec<(Vec<u8>, u64)> {
        let mut found = Vec::new();
        tree::walk(&self.memory, self.top.as_ref(), span, &mut |met| {
            if let Met::Entry(entry) = met {
                found.push((entry.key.clone(), entry.number));
            }
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        found
    }

    fn reachable(&self) -> usize {
        fn under(memory: &Memory, to: &Pointer) -> usize {
            let node = memory.node(to, &Span::ALL).unwrap();
            if node.level == 0 {
                return 1;
            }
            1 + node
                .entries
                .iter()
                .map(|e| under(memory, &e.to))
                .sum::<usize>()
        }
        self.top.map_or(0, |top| under(&self.memory, &top.to))
    }
}

fn entry(key: &[u8], number: u64) -> Entry {
    Entry {
        key: key.to_vec(),
        to: Pointer {
            id: Ids::default().next().unwrap(),
            nonce: [1; 24],
        },
        number,
    }
}

/// Keys with long parts in common and with none, short and long.
fn a_key(chance: &mut Chance) -> Vec<u8> {
    let number = chance.below(3000);
    match chance.below(8) {
        0 => format!("{number}{}", "x".repeat(number % 500)).into_bytes(),
        1 => [&[0xff; 300][..], &number.to_be_bytes()].concat(),
        2 => vec![(number % 256) as u8],
        _ => format!("rotation/identity-{number:05}").into_bytes(),
    }
}

#[test]
fn whatever_is_done_the_tree_holds_what_a_map_holds() {
    let mut chance = Chance(7);
    let (mut tree, mut map) = (Tree::default(), BTreeMap::<Vec<u8>, u64>::new());
    for round in 0..120_u64 {
        // It grows, and then it shrinks to nothing.
        let removals = if round < 60 { 2 } else { 7 };
        let mut todo = Vec::new();
        for _ in 0..chance.below(120) {
            let key = a_key(&mut chance);
            let removed = chance.below(10) < removals;
            todo.push((key, (!removed).then_some(round)));
        }
        if round >= 60 {
            let some: Vec<_> = map.keys().cloned().collect();
            for _ in 0..some.len().min(60) {
                todo.push((some[chance.below(some.len())].clone(), None));
            }
        }
        tree.change(|edit| {
            for (key, value) in &todo {
                match value {
                    Some(number) => edit.set(entry(key, *number)).unwrap(),
                    None => edit.remove(key).unwrap(),
                }
            }
        });
        for (key, value) in todo {
            match value {
                Some(number) => map.insert(key, number),
                None => map.remove(&key),
            };
        }
        let expected: Vec<_> = map.clone().into_iter().collect();
        assert_eq!(tree.all(&Span::ALL), expected, "round {round}");
        assert_eq!(tree.top.map_or(0, |top| top.count), map.len() as u64);
        assert_eq!(tree.reachable(), tree.memory.nodes.len(), "a node is lost");

        for _ in 0..20 {
            let (from, to) = (a_key(&mut chance), a_key(&mut chance));
            let top = tree.top.as_ref();
            let found = tree::find(&tree.memory, top, &from).unwrap();
            assert_eq!(found.map(|entry| entry.number), map.get(&from).copied());
            let rank = tree::rank(&tree.memory, top, &from).unwrap();
            assert_eq!(rank, map.range(..from.clone()).count() as u64);
            if from < to {
                let span = Span {
                    from: Bound::Excluded(from.clone()),
                    to: Bound::Included(to.clone()),
                };
                let range = (Bound::Excluded(from), Bound::Included(to));
                let expected: Vec<_> = map.range(range).map(|(k, n)| (k.clone(), *n)).collect();
                let last = tree::last(&tree.memory, top, &span).unwrap();
                assert_eq!(
                    last.map(|entry| entry.key),
                    expected.last().map(|(key, _)| key.clone())
                );
                assert_eq!(tree.all(&span), expected);
            }
        }
    }
    let keys: Vec<_> = map.keys().cloned().collect();
    tree.change(|edit| keys.iter().for_each(|key| edit.remove(key).unwrap()));
    assert_eq!(tree.top, None);
    assert!(tree.memory.nodes.is_empty());
}

#[test]
fn what_is_read_grows_with_the_height_and_not_with_the_size() {
    let mut reads = Vec::new();
    for size in [1_000, 100_000] {
        let mut tree = Tree::default();
        tree.change(|edit| {
            for number in 0..size {
                edit.set(entry(format!("identity/{number:08}").as_bytes(), 1))
                    .unwrap();
            }
        });
        let count = |read: &dyn Fn(&Tree)| {
            *tree.memory.reads.borrow_mut() = 0;
            read(&tree);
            *tree.memory.reads.borrow()
        };
        let key = b"identity/00000500";
        let span = Span::prefixed(key.to_vec());
        let top = tree.top.as_ref();
        reads.push([
            count(&|tree| assert!(tree::find(&tree.memory, top, key).unwrap().is_some())),
            count(&|tree| assert!(tree::last(&tree.memory, top, &span).unwrap().is_some())),
            count(&|tree| assert_eq!(tree::rank(&tree.memory, top, key).unwrap(), 500)),
            count(&|tree| assert_eq!(tree.all(&span).len(), 1)),
        ]);
        // Ascending writes leave full nodes.
        assert!(tree.memory.nodes.len() < size / 50);
    }
    for (few, many) in reads[0].iter().zip(reads[1]) {
        assert!(*few <= 3 && many <= few + 1, "{reads:?}");
    }
}

#[test]
fn names_that_begin_alike_lie_side_by_side_and_none_comes_twice() {
    let (mut one, mut other) = (Ids::Together(None), Ids::Together(None));
    let names = |ids: &mut Ids| -> Vec<Id> { (0..500).map(|_| ids.next().unwrap()).collect() };
    let of_one = names(&mut one);
    let of_other = names(&mut other);
    let mut in_order: Vec<&Id> = of_one.iter().chain(&of_other).collect();
    in_order.sort_unstable();
    in_order.dedup();
    assert_eq!(in_order.len(), 1_000);
    let changes_hands = in_order
        .windows(2)
        .filter(|pair| of_one.contains(pair[0]) != of_one.contains(pair[1]))
        .count();
    assert_eq!(changes_hands, 1);
}
