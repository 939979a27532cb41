//! Opened nodes, kept by the nonce they were sealed with: what a nonce stands for never changes, so
//! nothing kept is ever out of date.
//!
//! Two generations: when the young one is full it becomes the old one, and what was old and was not
//! asked for again is let go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Node;
use crate::crypto::Nonce;

/// The most that is kept, in bytes of memory, about.
const LIMIT: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct Cache(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Nonce, Arc<Node>>,
    old: HashMap<Nonce, Arc<Node>>,
    weight: usize,
}

impl Cache {
    pub(crate) fn get(&self, nonce: &Nonce) -> Option<Arc<Node>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = kept.young.get(nonce) {
            return Some(node.clone());
        }
        let node = kept.old.remove(nonce)?;
        kept.keep(*nonce, node.clone());
        Some(node)
    }

    pub(crate) fn keep(&self, nonce: Nonce, node: Arc<Node>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.keep(nonce, node);
    }
}

impl Generations {
    fn keep(&mut self, nonce: Nonce, node: Arc<Node>) {
        self.weight += node.weight();
        self.young.insert(nonce, node);
        if self.weight > LIMIT / 2 {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Entry, Pointer};

    #[test]
    fn what_is_used_stays_and_the_whole_stays_bounded() {
        let node = Arc::new(Node {
            level: 0,
            entries: vec![
                Entry {
                    key: vec![0; 1000],
                    to: Pointer {
                        id: [0; 16],
                        nonce: [0; 24]
                    },
                    number: 1,
                };
                100
            ],
        });
        let cache = Cache::default();
        let nonce = |n: u64| {
            let mut nonce = [0; 24];
            nonce[..8].copy_from_slice(&n.to_be_bytes());
            nonce
        };
        for n in 0..1000 {
            cache.keep(nonce(n), node.clone());
            assert!(cache.get(&nonce(0)).is_some(), "{n}");
        }
        assert!(cache.get(&nonce(1)).is_none());
        let kept = (0..1000)
            .filter(|n| cache.get(&nonce(*n)).is_some())
            .count();
        assert!(kept * node.weight() <= LIMIT + 2 * node.weight());
    }
}
