//! Layer 2: identities into connectors.
//!
//! Handing over a private key is an explicit act with a named receiver. What is published is whole or
//! not there at all, has its owner and mode before it has content, and counts as applied only when the
//! receiver was seen presenting it, or, for a program that cannot be asked, when its reload succeeded.
//! That a key leaves is written down before it does, or it does not.

mod error;
mod exports;
mod files;
mod handover;
mod hub;
mod publisher;
mod reload;
mod report;

pub use error::DeliveryError;
pub use exports::{Export, Exports, NotWrittenDown};
pub use handover::Handover;
pub use hub::{ConnectorHub, HubState};
pub use publisher::{Publisher, Sinks};
pub use reload::{Reload, ReloadSignal};

use std::path::PathBuf;

/// How an identity reaches a connector.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sink {
    /// It holds a connection to our connector socket.
    Socket,
    /// One PEM file with key and chain, for readers that open one path.
    Bundle(FileSink),
    /// A directory for each generation with `cert.pem`, `key.pem` and `bundle.pem`, and the link `current`.
    Directory(FileSink),
}

/// Files on disk, and how their reader learns of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileSink {
    /// The file or directory.
    pub path: PathBuf,
    /// Numeric owner; ours when nothing is said.
    pub owner: Option<u32>,
    /// Numeric group; ours when nothing is said.
    pub group: Option<u32>,
    /// Permission bits of the files.
    pub mode: u32,
    /// How the reader learns of it.
    pub reload: Option<Reload>,
    /// Where the reader writes what it presents, if it can.
    pub report: Option<PathBuf>,
}
