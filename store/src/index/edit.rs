//! Changing the tree: nodes are changed in memory, and each that changed is sealed once, at the end.

use std::collections::HashMap;
use std::sync::Arc;

use super::key::{self, Span};
use super::node::ID;
use super::tree::{Nodes, Top, span_of};
use super::{Entry, Id, Node, Pointer};
use crate::crypto::{self, NONCE};
use crate::error::{Error, Result};

/// A tree as it will be.
pub(crate) struct Edit<N> {
    nodes: N,
    top: Option<Top>,
    /// What changed, and is not sealed yet.
    changed: HashMap<Id, Arc<Node>>,
    gone: Vec<Id>,
    ids: Ids,
}

/// What an edit comes to.
pub(crate) struct Edited {
    pub(crate) top: Option<Top>,
    /// Every node that changed, sealed by its pointer's nonce.
    pub(crate) sealed: Vec<(Pointer, Node, Vec<u8>)>,
    pub(crate) gone: Vec<Id>,
}

/// Seals a node, and says under which nonce.
type Sealer<'s> = dyn FnMut(&Id, &Node) -> Result<(crypto::Nonce, Vec<u8>)> + 's;

/// For nodes that are not sealed yet.
const NO_NONCE: [u8; NONCE] = [0; NONCE];

impl<N: Nodes> Nodes for Edit<N> {
    fn node(&self, to: &Pointer, span: &Span) -> Result<Arc<Node>> {
        match self.changed.get(&to.id) {
            Some(node) => Ok(node.clone()),
            None => self.nodes.node(to, span),
        }
    }
}

impl<N: Nodes> Edit<N> {
    pub(crate) fn new(nodes: N, top: Option<Top>) -> Self {
        Self {
            nodes,
            top,
            changed: HashMap::new(),
            gone: Vec::new(),
            ids: Ids::default(),
        }
    }

    /// Gives what is written for the first time, from here on, names that begin alike.
    pub(crate) fn name_alike(&mut self) {
        self.ids = Ids::Together(None);
    }

    /// A name for what is written for the first time.
    pub(crate) fn new_id(&mut self) -> Result<Id> {
        self.ids.next()
    }

    pub(crate) fn top(&self) -> Option<&Top> {
        self.top.as_ref()
    }

    pub(crate) fn source(&self) -> &N {
        &self.nodes
    }

    /// Puts an entry in, in the place of one of the same key.
    pub(crate) fn set(&mut self, entry: Entry) -> Result<()> {
        let parts = match self.top {
            None => {
                let id = self.new_id()?;
                self.place(id, 0, vec![entry], None)?
            }
            Some(top) => self.set_under(&top.to, &Span::ALL, entry)?,
        };
        self.raise(parts)
    }

    /// Takes the entry of this key out, if there is one.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<()> {
        let Some(top) = self.top else {
            return Ok(());
        };
        let parts = self.remove_under(&top.to, &Span::ALL, key)?;
        self.raise(parts)
    }

    /// Seals what changed, each node after those that it points to.
    pub(crate) fn seal(mut self, seal: &mut Sealer<'_>) -> Result<Edited> {
        let mut sealed = Vec::with_capacity(self.changed.len());
        if let Some(top) = &mut self.top {
            seal_under(&mut self.changed, &mut top.to, &mut sealed, seal)?;
        }
        Ok(Edited {
            top: self.top,
            sealed,
            gone: self.gone,
        })
    }

    fn take(&mut self, to: &Pointer, span: &Span) -> Result<Node> {
        match self.changed.remove(&to.id) {
            Some(node) => Ok(Arc::unwrap_or_clone(node)),
            None => Ok(Arc::unwrap_or_clone(self.nodes.node(to, span)?)),
        }
    }

    fn set_under(&mut self, to: &Pointer, span: &Span, entry: Entry) -> Result<Vec<Entry>> {
        let node = self.node(to, span)?;
        if node.level == 0 {
            drop(node);
            let mut node = self.take(to, span)?;
            let found = node
                .entries
                .binary_search_by(|other| other.key.cmp(&entry.key));
            let added = match found {
                Ok(index) => {
                    node.entries[index] = entry;
                    None
                }
                Err(index) => {
                    node.entries.insert(index, entry);
                    Some(index)
                }
            };
            return self.place(to.id, 0, node.entries, added);
        }
        let index = node.child_for(&entry.key);
        let under = span_of(&node, index, span);
        let child = node.entries[index].to;
        drop(node);
        // Nothing is taken before all that is needed was read.
        let parts = self.set_under(&child, &under, entry)?;
        let mut node = self.take(to, span)?;
        let added = (parts.len() > 1).then(|| index + parts.len() - 1);
        splice(&mut node, index, parts);
        self.place(to.id, node.level, node.entries, added)
    }

    fn remove_under(&mut self, to: &Pointer, span: &Span, key: &[u8]) -> Result<Vec<Entry>> {
        let node = self.node(to, span)?;
        if node.level == 0 {
            drop(node);
            let mut node = self.take(to, span)?;
            node.entries.retain(|entry| entry.key != key);
            return self.place(to.id, 0, node.entries, None);
        }
        let index = node.child_for(key);
        let under = span_of(&node, index, span);
        let child = node.entries[index].to;
        drop(node);
        let parts = self.remove_under(&child, &under, key)?;
        let mut node = self.take(to, span)?;
        let remains = !parts.is_empty();
        splice(&mut node, index, parts);
        if remains {
            self.join(&mut node, index, span)?;
        }
        self.place(to.id, node.level, node.entries, None)
    }

    /// Joins a short child with a neighbour, if that can be read and both are short enough.
    fn join(&mut self, parent: &mut Node, index: usize, span: &Span) -> Result<()> {
        let read = |index: usize| match parent.entries.get(index) {
            None => Ok(None),
            Some(entry) => {
                match self.node(&entry.to, &span_of(parent, index, span)) {
                    Ok(node) => Ok(Some(node)),
                    // A neighbour that is damaged is let alone.
                    Err(Error::Damaged { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        };
        let Some(child) = read(index)?.filter(|child| child.is_short()) else {
            return Ok(());
        };
        let left_of = |index: usize| -> Result<Option<(usize, Node)>> {
            let (Some(left), Some(right)) = (read(index)?, read(index + 1)?) else {
                return Ok(None);
            };
            let joined = left.joined(&right, &parent.entries[index + 1].key);
            Ok(joined.map(|node| (index, node)))
        };
        drop(child);
        let joined = match left_of(index)? {
            Some(joined) => Some(joined),
            None if index > 0 => left_of(index - 1)?,
            None => None,
        };
        if let Some((left, node)) = joined {
            let right = parent.entries.remove(left + 1);
            self.free(right.to.id);
            let entry = &mut parent.entries[left];
            entry.number = node.count();
            self.changed.insert(entry.to.id, Arc::new(node));
        }
        Ok(())
    }

    /// Keeps entries as the node `id`, and as further nodes if they are too many for one; gives what
    /// points to them. No entries are no node.
    fn place(
        &mut self,
        id: Id,
        level: u8,
        entries: Vec<Entry>,
        added: Option<usize>,
    ) -> Result<Vec<Entry>> {
        if entries.is_empty() {
            self.free(id);
            return Ok(Vec::new());
        }
        let mut before: Option<Vec<u8>> = None;
        let mut pointers = Vec::new();
        for entries in (Node { level, entries }).parts(added) {
            let (id, bound) = match &before {
                None => (id, Vec::new()),
                Some(last) if level == 0 => (self.ids.next()?, key::divider(last, &entries[0].key)),
                // What lies under the last one before goes up to this.
                Some(_) => (self.ids.next()?, entries[0].key.clone()),
            };
            before = entries.last().map(|entry| entry.key.clone());
            let node = Node { level, entries };
            pointers.push(Entry {
                key: bound,
                to: Pointer {
                    id,
                    nonce: NO_NONCE,
                },
                number: node.count(),
            });
            self.changed.insert(id, Arc::new(node));
        }
        Ok(pointers)
    }

    /// Makes `parts` the top: under a new node, if they are several.
    fn raise(&mut self, mut parts: Vec<Entry>) -> Result<()> {
        while parts.len() > 1 {
            let level = parts
                .first()
                .and_then(|part| self.changed.get(&part.to.id))
                .map_or(0, |node| node.level)
                + 1;
            let id = self.new_id()?;
            parts = self.place(id, level, parts, None)?;
        }
        self.top = parts.pop().map(|part| Top {
            to: part.to,
            count: part.number,
        });
        // A node that has but one under it is not needed above it.
        while let Some(top) = self.top {
            match self.changed.get(&top.to.id) {
                Some(node) if node.level > 0 && node.entries.len() == 1 => {
                    let only = node.entries[0].to;
                    self.free(top.to.id);
                    self.top = Some(Top { to: only, ..top });
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn free(&mut self, id: Id) {
        self.changed.remove(&id);
        self.gone.push(id);
    }
}

/// Puts what has become of the entry at `index` in its place, under the bound that it had.
fn splice(node: &mut Node, index: usize, mut parts: Vec<Entry>) {
    if let Some(first) = parts.first_mut() {
        first.key.clone_from(&node.entries[index].key);
    }
    node.entries.splice(index..=index, parts);
}

fn seal_under(
    changed: &mut HashMap<Id, Arc<Node>>,
    to: &mut Pointer,
    sealed: &mut Vec<(Pointer, Node, Vec<u8>)>,
    seal: &mut Sealer<'_>,
) -> Result<()> {
    let Some(node) = changed.remove(&to.id) else {
        return Ok(());
    };
    let mut node = Arc::unwrap_or_clone(node);
    if node.level > 0 {
        for entry in &mut node.entries {
            seal_under(changed, &mut entry.to, sealed, seal)?;
        }
    }
    let (nonce, bytes) = seal(&to.id, &node)?;
    to.nonce = nonce;
    sealed.push((*to, node, bytes));
    Ok(())
}

/// Makes names, by chance alone, or such as begin alike.
#[derive(Default)]
pub(crate) enum Ids {
    /// A name says nothing of what else was written with it.
    #[default]
    Scattered,
    /// In an engine's tree they lie side by side, and are written as few pages.
    Together(Option<[u8; ALIKE]>),
}

/// How many bytes of such a name are the same: so many that no two transactions draw the same ones.
const ALIKE: usize = ID / 2;

impl Ids {
    pub(crate) fn next(&mut self) -> Result<Id> {
        let mut id = Id::default();
        crypto::fill(&mut id)?;
        if let Self::Together(alike) = self {
            let (start, _) = id.split_at_mut(ALIKE);
            match alike {
                Some(alike) => start.copy_from_slice(alike),
                None => *alike = start.try_into().ok(),
            }
        }
        Ok(id)
    }
}
