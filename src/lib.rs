//! countersign keeps mutual-TLS client identities alive.

pub mod exchange;
pub mod model;
pub mod pki;
pub mod policy;
pub mod probe;
pub mod rotation;
