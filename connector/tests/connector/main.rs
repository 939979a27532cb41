//! The connector against real servers: nginx and HAProxy, which say in a header whose certificate they saw.

// Clippy knows test functions, but not their helpers.
#![allow(clippy::unwrap_used)]

mod drain;
mod foreign;
mod peers;
mod pki;
mod sources;
mod swap;
mod trap;

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request};

/// Waits until a condition holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_the_end(what, waiting).await;
}

/// What comes of something that must end. The limit only ends a hanging test; nothing is measured by it.
async fn in_the_end<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(180), work).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("it never came to this: {what}"),
    }
}

/// A request without a body.
fn request(method: Method, uri: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(Full::default())
        .unwrap()
}
