//! The other side, for real: gateways, mail servers and judges that the tests drive.
//!
//! A peer is a value. Starting it writes its configuration into a temporary directory,
//! runs the program on a free port of 127.0.0.1 and returns when it answers; dropping it
//! ends the process and removes the directory. Nothing of the machine's own configuration
//! is read, and no daemon of the machine is touched, so any number of tests may run at
//! once.
//!
//! This is a library for tests: whatever goes wrong is a panic that says what was run,
//! what it answered and, where a program is missing, the command that installs it.

// A test helper reports by panicking; the messages say what was expected.
#![allow(clippy::missing_panics_doc)]

pub mod age;
mod apache;
mod backend;
mod caddy;
mod chromium;
mod envoy;
mod gateway;
mod haproxy;
mod hitch;
mod identity;
mod jira;
mod nginx;
mod oauthlib;
mod openssl_server;
mod pki;
mod pkilint;
mod postfix;
mod postgres;
mod process;
mod softhsm;
mod standin;
mod stunnel;

pub mod openssl;
pub mod whole;

pub use apache::Apache;
pub use backend::{Backend, Heard};
pub use caddy::Caddy;
pub use chromium::Chromium;
pub use envoy::Envoy;
pub use gateway::{Clients, Demand, Gateway, TlsVersions, Upstream};
pub use haproxy::Haproxy;
pub use hitch::Hitch;
pub use identity::Identity;
pub use jira::JiraStandIn;
pub use nginx::{LogEntry, Nginx};
pub use oauthlib::OauthClient;
pub use openssl_server::OpensslServer;
pub use pki::{Algorithm, Authority, Purpose, Request, Validity};
pub use pkilint::{Finding, Severity, lint_certificate, lint_crl};
pub use postfix::{Postfix, SmtpTls};
pub use postgres::{DATABASE, PASSWORD, Postgres, ROLE, SharedPostgres};
pub use process::{Port, eventually};
pub use softhsm::SoftHsm;
pub use stunnel::Stunnel;
