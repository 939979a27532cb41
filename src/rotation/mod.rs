//! Layer 3: deciding and driving rotations.

mod decide;

pub use decide::{Decision, Facts, Next, decide};
