//! Layer 3: deciding and driving rotations.
//!
//! [`decide`] is pure; the [`Driver`] notes the intent, performs one step, notes the outcome, and asks
//! again. What cannot be noted is not done. Nothing is retried inside a step: the next activation, by
//! timer, change or signal, finds what is to be done in the facts, after a crash as on any other day.

mod adopt;
mod decide;
mod driver;
mod error;
mod import;
mod lead;
mod setting;
mod steps;

pub use adopt::{AdoptError, Adopted, Adoption, adopt};
pub use decide::{Decision, Facts, Next, decide};
pub use driver::{Driver, Observer, Silent};
pub use error::DriveError;
pub use import::{ImportError, import_chain};
pub use lead::{Due, due};
pub use setting::Setting;
pub use steps::{Questions, RehearsalError, handover, issuing_authority, probe_request};
