//! What was acknowledged stays, for each engine; a bounded part of what `scripts/durability` runs.

// Clippy's leave for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

/// Full, failing and read-only disks, under a store that stays open.
mod disks;

/// Changed bytes and missing ends.
mod flips;

/// Power cuts.
mod powercuts;
