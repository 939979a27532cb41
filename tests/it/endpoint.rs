//! An endpoint, and the files of a person who has a key and no store.

use std::net::SocketAddr;

use countersign_peers::{Authority, Clients, Gateway};
use serde_json::Value;

use crate::cli_home::{Home, Opens};
use crate::world::Outcome;

/// What is probed.
pub(crate) const URL: &str = "https://gateway.test";

/// Both sides, and the files: `ours.pem` is trusted, `other.pem` is not.
pub(crate) struct Endpoint {
    /// Where the files lie.
    pub(crate) home: Home,
    /// Who certifies the gateway.
    pub(crate) server: Authority,
    /// Whom the gateway trusts.
    pub(crate) clients: Authority,
}

impl Endpoint {
    /// The authority of the server is the `server root`.
    pub(crate) fn new() -> Self {
        Self::of("server root")
    }

    /// The authority of the server has this name.
    pub(crate) fn of(server: &str) -> Self {
        let endpoint = Self {
            home: Home::new(Opens::KeyFile),
            server: Authority::root(server),
            clients: Authority::root("client root"),
        };
        let ours = endpoint.clients.client("connector.test");
        endpoint.home.file("ours.pem", ours.bundle_pem());
        let other = Authority::root("another root").client("stranger.test");
        endpoint.home.file("other.pem", other.bundle_pem());
        endpoint.home.file("anchors.pem", endpoint.server.pem());
        endpoint
    }

    /// The gateway, to be altered and started.
    pub(crate) fn gateway(&self) -> Gateway {
        let server = self.server.server("gateway.test");
        Gateway::new(&server, Clients::Anchored(self.clients.pem()))
    }

    /// `probe URL` with one of the files, and more.
    pub(crate) fn probe(&self, at: SocketAddr, identity: &str, more: &[&str]) -> Outcome {
        let at = at.to_string();
        let usual = [
            "probe",
            URL,
            "--identity",
            identity,
            "--anchors",
            "anchors.pem",
            "--resolve",
            &at,
        ];
        self.home.run(&[&usual, more].concat())
    }
}

/// What a report says of a check.
#[track_caller]
pub(crate) fn finding<'a>(report: &'a Value, check: &str) -> &'a Value {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["check"] == check)
        .unwrap_or_else(|| panic!("{check} is missing: {report:#}"))
}
