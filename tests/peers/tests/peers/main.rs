//! Each peer, driven by a client that is not ours, so that the tests may believe it.

mod gateways;
mod judges;
mod mail;
mod sessions;
mod tools;
mod world;
