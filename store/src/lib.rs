//! Sealed, versioned, journalled bytes over an embedded engine.
mod crypto;
mod engine;
mod error;
mod fault;
mod files;
mod header;
mod kdf;
mod lock;
mod plan;
mod secret;
mod slot;
mod store;
#[cfg(test)]
mod suite;
mod survey;
mod transaction;
mod vault;

pub use engine::{EngineError, EngineKind, UnknownEngine};
pub use error::{Damage, Error, Fault, HeaderFault, Place, Result};
pub use kdf::KdfCost;
pub use secret::{KeyFile, Passphrase, Unlock};
pub use store::{InitOptions, Store};
pub use survey::{Survey, Verification};
pub use transaction::{Expect, Transaction};
pub use vault::{Entry, Record};
