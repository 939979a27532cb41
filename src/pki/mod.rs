//! Layer 1: bytes to model and back. Keys, certificates, requests and revocation lists.
//!
//! What is made here is judged by OpenSSL and pkilint in the tests. What is read here comes from other
//! people: its size is bounded, its texts are made printable, and whatever does not parse to the last
//! byte is refused. Nothing here does I/O or asks for the time.

mod armour;
mod authority;
mod chain;
mod credentials;
mod digest;
pub mod foreign;
mod inspect;
mod issue;
mod key;
pub mod pem;
mod profile;
mod public_key;
pub mod request;
mod revocation;
mod signed;
mod subject;
mod subject_of;

pub use authority::{AuthorityError, CertificateAuthority};
pub use chain::{ChainError, inspect_chain, order_chain, other_chain};
pub use credentials::{Credentials, CredentialsError};
pub use digest::digest_of;
pub use inspect::{InspectError, LARGEST_CERTIFICATE, inspect};
pub use issue::{IssueError, random_serial, self_signed};
pub use key::{KeyError, PrivateKey};
pub use profile::{InvalidSerial, Profile};
pub use public_key::{PublicKey, key_facts, key_id};
pub use request::{RequestError, VerifiedRequest};
pub use revocation::{RevocationReason, Revoked};
pub use subject::SubjectError;
pub use subject_of::subject_of;

#[cfg(test)]
mod tests;
