//! A TLS client identity that is replaced while the program runs.
pub mod bundle;
#[cfg(feature = "hyper")]
pub mod client;
mod connection;
mod fingerprint;
pub mod identity;
pub mod protocol;
pub mod reload;
pub mod source;
mod status;
pub mod tls;
mod usage;

pub use bundle::{Bundle, BundleError};
#[cfg(feature = "hyper")]
pub use client::Client;
pub use connection::Connection;
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use identity::{ConnectError, Current, Identity, PerGeneration};
pub use reload::{Generation, Offer, Publisher, PublisherGone, Subscription};
pub use status::Status;
pub use tls::{Tls, TlsError, Versions};
