//! A TLS client identity that is replaced while the program runs, without a failed request.
//!
//! Whoever authenticates to a partner by mutual TLS has to change the certificate some day, and a restart is not always
//! to be had. The obvious way, to exchange the key that rustls asks a resolver for, does not work: resumed sessions go on
//! presenting the *old* identity. Here every generation of the identity has a TLS configuration and connections of its
//! own, and what is seen in use is told apart from what was asked for ([`Status`]).
//!
//! - [`source`] brings identities: from the countersign daemon over its socket, or from a PEM file that is replaced.
//! - [`reload::channel`] joins the one [`Publisher`] with any number of [`Subscription`]s.
//! - `Client` (feature `hyper`, on by default) is a pooled HTTP/1.1 client that drains the old identity's connections.
//! - [`Identity`] is for other stacks: rustls, reqwest, or whatever takes a [`rustls::ClientConfig`].
//!
//! Broken bundles change nothing: the last good identity stays in use, and [`Status::fault`] says why.
//!
//! # A client that follows the daemon
//!
//! ```no_run
//! # #[cfg(feature = "hyper")]
//! # async fn example(anchors_pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! use countersign_connector::{Client, Tls, Versions, reload, source::Socket};
//! use hyper::Request;
//!
//! let (publisher, subscription) = reload::channel();
//! let _running = Socket::new("/run/countersign/connectors.sock", "jira-align-1").spawn(publisher);
//! subscription.ready().await?;
//!
//! // What the *partner's server* is verified with: nothing else is trusted.
//! let tls = Tls::new(anchors_pem, Versions::Only12)?;
//! let client = Client::builder(tls).base("https://jira.example:8443").build(subscription)?;
//! let myself = Request::get("/rest/api/2/myself").body(Default::default())?;
//! let response = client.request(myself).await?;
//! println!("{} with {:?}", response.status(), client.status().in_use);
//! # Ok(())
//! # }
//! ```
//!
//! With a file instead: `source::BundleFile::new("/etc/align/identity.pem").report().spawn(publisher)`.
//!
//! # reqwest
//!
//! A `reqwest::Client` keeps the identity that it was built with, so one is built for each generation. Ask for it for
//! every request and do not keep clones: connections of the old identity live as long as the old client does.
//!
//! ```no_run
//! # async fn example(anchors_pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use countersign_connector::{Identity, Tls, Versions, reload, source::BundleFile};
//!
//! let (publisher, subscription) = reload::channel();
//! let _running = BundleFile::new("/etc/align/identity.pem").report().spawn(publisher);
//! subscription.ready().await?;
//!
//! let clients = Identity::new(subscription, Tls::new(anchors_pem, Versions::Both)?).per_generation(|config| {
//!     reqwest::Client::builder().tls_backend_preconfigured((*config).clone()).build().map_err(Arc::new)
//! });
//! let (generation, client) = clients.current().ok_or("no identity yet")?;
//! let response = client?.get("https://jira.example:8443/rest/api/2/myself").send().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # rustls
//!
//! [`Identity::connect`] makes the handshake over any stream; [`Identity::tls_config`] gives the configuration for the
//! *next* connection; [`Subscription::changed`] says when open ones should be let go.
//!
//! # Secrets
//!
//! Private keys are never shown and are wiped where this crate holds them. The PEM and JSON parsers' scratch memory is
//! theirs and is not wiped: forbid core dumps in programs that hold keys.

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
