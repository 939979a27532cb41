//! The index: an ordered tree over the names of everything that is stored, sealed node by node.
//!
//! It is a B-tree whose entries authenticate what they point to, as in a Merkle tree: a leaf knows
//! with which nonce each value was last sealed, an inner node knows it of the nodes under it, and the
//! store's root knows it of the topmost. So whatever is read is known to be the latest, or is found out;
//! names are found in order without reading anything else; and what a group contains is known without
//! reading it. Outside, nodes and values lie under random ids and tell nothing.
//!
//! Reading is in [`tree`], changing in [`edit`], and neither knows where nodes come from.

mod cache;
pub(crate) mod edit;
pub(crate) mod key;
mod node;
#[cfg(test)]
mod tests;
pub(crate) mod tree;

pub(crate) use cache::Cache;
pub(crate) use edit::Edit;
pub(crate) use key::{Group, Member, Span};
pub(crate) use node::{Entry, Id, Node, Pointer};
pub(crate) use tree::{Nodes, Top};
