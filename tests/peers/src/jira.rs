//! A Jira behind whatever gateway is under test: it speaks HTTP/1.1 without TLS and knows nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::{self, Backend};
use crate::standin;

/// A running stand-in. It answers each request on a connection of its own, from the table that all gateways share.
pub struct JiraStandIn {
    backend: Backend,
    answered: Arc<AtomicUsize>,
}

impl JiraStandIn {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&answered);
        let backend = Backend::answering(move |method, path| {
            counter.fetch_add(1, Ordering::Relaxed);
            answer(method, path)
        });
        Self { backend, answered }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.backend.addr()
    }

    /// How many requests came through to it.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

fn answer(method: &str, path: &str) -> String {
    let (status, body) = if (method, path) == ("GET", "/rest/api/2/serverInfo") {
        ("200 OK", standin::SERVER_INFO)
    } else if path.starts_with("/rest/") {
        (
            "401 Unauthorized\r\nX-Seraph-LoginReason: OUT",
            standin::UNAUTHENTICATED,
        )
    } else {
        ("404 Not Found", standin::NOT_FOUND)
    };
    let marks = format!(
        "X-AREQUESTID: 600x1x1\r\nX-ANODEID: {}\r\nContent-Type: application/json\r\n",
        standin::NODE
    );
    backend::answer(status, &marks, body)
}
