//! Layer 1: bytes to model and back. Keys, certificates, requests and revocation lists.
//!
//! What is made here is judged by OpenSSL and pkilint in the tests. What is read here comes from other
//! people: its size is bounded, its texts are made printable, and whatever does not parse to the last
//! byte is refused. Nothing here does I/O or asks for the time.

mod chain;
mod credentials;
mod inspect;
mod key;
pub mod pem;
mod signed;

pub use chain::{ChainError, inspect_chain, order_chain};
pub use credentials::{Credentials, CredentialsError};
pub use inspect::{InspectError, LARGEST_CERTIFICATE, inspect};
pub use key::{KeyError, PrivateKey};
