//! Layer 5: the whole story in under a minute, with nothing installed.

mod gateway;
mod jira;
mod mailbox;
mod tls;
mod verifier;
