//! Is what was acknowledged still there, whatever happened to the machine?
//!
//! A store is kept busy by a program that says aloud what is durable, and strace records what that
//! program asks of the kernel. From the recording follows every state in which a power cut may have
//! left the disk: only what was synced is sure. Each such state is put into a directory and opened
//! as a store, which has to hold everything that had been acknowledged by then, and nothing else.
//!
//! The same judge looks at stores of which one byte was changed, or the end is missing.

/// Backups that are being written.
pub mod backups;
/// Slots and master keys that are changed.
pub mod changes;
/// States of a disk.
pub mod disk;
/// Bytes that change by themselves.
pub mod flip;
/// What lies on a disk.
pub mod image;
/// What a store makes of them.
pub mod judge;
/// Stores that are put in the place of others.
pub mod moves;
/// The power cuts.
pub mod powercut;
/// From a running program to a recording.
pub mod record;
/// From calls to steps.
mod scribe;
/// From strace's text to calls.
pub mod strace;
/// Judging and counting.
pub mod tally;
/// A process of which the disk is taken away.
pub mod victim;
/// What the store is busy with.
pub mod workload;
