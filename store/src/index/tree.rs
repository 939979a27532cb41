//! Reading the tree. No call reads more nodes than lie on the way to what is asked for.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::key::Span;
use super::{Entry, Node, Pointer};
use crate::error::{Damage, Error, Result};

/// The topmost node, and how many records and events there are under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Top {
    pub(crate) to: Pointer,
    pub(crate) count: u64,
}

/// Where nodes come from.
pub(crate) trait Nodes {
    /// The node at `to`, which has the entries within `span` under it.
    ///
    /// # Errors
    /// [`Error::Damaged`] when what is stored there is not it.
    fn node(&self, to: &Pointer, span: &Span) -> Result<Arc<Node>>;
}

impl<N: Nodes> Nodes for &N {
    fn node(&self, to: &Pointer, span: &Span) -> Result<Arc<Node>> {
        (*self).node(to, span)
    }
}

/// What a walk meets.
pub(crate) enum Met<'n> {
    Entry(&'n Entry),
    /// A node that cannot be read, and the stretch that it would tell of.
    Lost(Damage, Span),
}

/// The stretch under the entry at `index` of a node that has `span` under it.
pub(crate) fn span_of(node: &Node, index: usize, span: &Span) -> Span {
    let from = if index == 0 {
        span.from.clone()
    } else {
        Bound::Included(node.entries[index].key.clone())
    };
    let to = match node.entries.get(index + 1) {
        Some(next) => Bound::Excluded(next.key.clone()),
        None => span.to.clone(),
    };
    Span { from, to }
}

/// The entry of a key.
pub(crate) fn find(nodes: &impl Nodes, top: Option<&Top>, key: &[u8]) -> Result<Option<Entry>> {
    let Some(top) = top else {
        return Ok(None);
    };
    let (mut to, mut span) = (top.to, Span::ALL);
    loop {
        let node = nodes.node(&to, &span)?;
        if node.level == 0 {
            let found = node.entries.binary_search_by(|entry| (*entry.key).cmp(key));
            return Ok(found.ok().map(|index| node.entries[index].clone()));
        }
        let index = node.child_for(key);
        span = span_of(&node, index, &span);
        to = node.entries[index].to;
    }
}

/// Visits the entries within `wanted` in ascending order, until told to stop.
///
/// A node that cannot be read is met, too; it is for the visitor to go on or not.
pub(crate) fn walk(
    nodes: &impl Nodes,
    top: Option<&Top>,
    wanted: &Span,
    visit: &mut dyn FnMut(Met<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    if let Some(top) = top {
        let _ = walk_under(nodes, &top.to, &Span::ALL, wanted, visit)?;
    }
    Ok(())
}

fn walk_under(
    nodes: &impl Nodes,
    to: &Pointer,
    span: &Span,
    wanted: &Span,
    visit: &mut dyn FnMut(Met<'_>) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    let node = match nodes.node(to, span) {
        Ok(node) => node,
        Err(Error::Damaged { damage }) => return visit(Met::Lost(damage, span.clone())),
        Err(error) => return Err(error),
    };
    for (index, entry) in node.entries.iter().enumerate() {
        if node.level == 0 {
            if wanted.is_after(&entry.key) {
                continue;
            }
            if wanted.is_before(&entry.key) {
                break;
            }
            if visit(Met::Entry(entry))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            continue;
        }
        let next = node.entries.get(index + 1);
        if next.is_some_and(|next| ends_before(&next.key, wanted)) {
            continue;
        }
        if index > 0 && wanted.is_before(&entry.key) {
            break;
        }
        let span = span_of(&node, index, span);
        if walk_under(nodes, &entry.to, &span, wanted, visit)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Whether what ends just below `key` ends before `wanted` begins.
fn ends_before(key: &[u8], wanted: &Span) -> bool {
    match &wanted.from {
        Bound::Included(from) | Bound::Excluded(from) => key <= &**from,
        Bound::Unbounded => false,
    }
}

/// The last entry within `wanted`.
pub(crate) fn last(nodes: &impl Nodes, top: Option<&Top>, wanted: &Span) -> Result<Option<Entry>> {
    top.map_or(Ok(None), |top| {
        last_under(nodes, &top.to, &Span::ALL, wanted)
    })
}

fn last_under(
    nodes: &impl Nodes,
    to: &Pointer,
    span: &Span,
    wanted: &Span,
) -> Result<Option<Entry>> {
    let node = nodes.node(to, span)?;
    for (index, entry) in node.entries.iter().enumerate().rev() {
        if node.level == 0 {
            if wanted.is_before(&entry.key) {
                continue;
            }
            return Ok((!wanted.is_after(&entry.key)).then(|| entry.clone()));
        }
        if index > 0 && wanted.is_before(&entry.key) {
            continue;
        }
        let span = span_of(&node, index, span);
        // Bounds are not tight: what may hold it need not.
        if let Some(found) = last_under(nodes, &entry.to, &span, wanted)? {
            return Ok(Some(found));
        }
        if index > 0 && ends_before(&entry.key, wanted) {
            break;
        }
    }
    Ok(None)
}

/// How many entries come before `key`.
pub(crate) fn rank(nodes: &impl Nodes, top: Option<&Top>, key: &[u8]) -> Result<u64> {
    let Some(top) = top else {
        return Ok(0);
    };
    let (mut to, mut span, mut before) = (top.to, Span::ALL, 0);
    loop {
        let node = nodes.node(&to, &span)?;
        if node.level == 0 {
            let here = node.entries.partition_point(|entry| &*entry.key < key);
            return Ok(before + here as u64);
        }
        let index = node.child_for(key);
        before += node.entries[..index].iter().map(|e| e.number).sum::<u64>();
        span = span_of(&node, index, &span);
        to = node.entries[index].to;
    }
}
