//! countersign keeps mutual-TLS client identities alive.
//!
//! Layers, of which each imports only those below it:
//!
//! ```text
//! cli                                 arguments, prompts, output, exit codes
//! demo                                the whole story with embedded peers
//! daemon                              sockets, scheduler, watchers
//! service                             everything that can be asked for
//! config                              countersign.toml, raw to resolved
//! rotation                            what to do next, and doing it
//! records  exchange  probe  delivery  the store, letters, the wire, connectors
//! policy   pki      gateway           rules; keys, certificates, requests; what to install at which product
//! model                               the domain
//! ```
//!
//! A test reads the `use` lines and fails on an import that goes up or sideways.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod delivery;
pub mod demo;
pub mod exchange;
pub mod gateway;
pub mod model;
pub mod pki;
pub mod policy;
pub mod probe;
pub mod records;
pub mod rotation;
pub mod service;
