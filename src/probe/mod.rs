//! Layer 2: the probe, which proves what a mail only claims.
//!
//! A probe is a full, non-resumed handshake and one request with a given generation, at every address
//! behind the name. It goes through the tiers in order (name, TCP, TLS, the server's chain, the judgement of our
//! certificate, the gateway, Jira), stops where it must, and says what was seen, what that means, who can mend it
//! and how. It never fails: what cannot be known is a verdict too.
//!
//! I/O gathers observations and nothing else; what they mean is concluded by pure functions.

mod account;
mod alert;
mod classify;
mod conclude;
mod controls;
mod converse;
mod crowd;
mod dial;
mod findings;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
mod observation;
mod other_chain;
mod prober;
#[cfg(test)]
mod real_gateways;
mod remedy;
mod report;
mod request;
#[cfg(test)]
mod scripted;
mod server_chain;
mod shown;
mod signatures;
mod since;
mod sureness;
mod tls;
mod verbs;
#[cfg(test)]
mod verdicts;

pub use account::{Account, AccountFault, AccountFile};
pub use crowd::side_by_side;
pub use prober::{Further, ProbeLimits, TlsProber};
pub use request::{ClientIdentity, ProbeRequest, Prober, TlsParity};
pub use since::note_server_change;
