//! Requests outlive a swap; connections with the old identity do not outlive the drain deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign_connector::client::{Body, Error};
use countersign_connector::{Client, Offer, Versions, reload};
use http_body_util::BodyExt;
use hyper::{Method, Response};
use tokio::task::JoinSet;

use crate::peers::{Held, Peer, Product, Seen};
use crate::pki::Pki;
use crate::{eventually, in_the_end, request};

/// How many requests are in flight at the moment of the swap.
const IN_FLIGHT: usize = 1000;

/// Long enough that nothing is cut in a test that is not about it.
const FOR_EVER: Duration = Duration::from_secs(3600);

async fn across_the_swap(versions: Versions) {
    allow_many_sockets();
    let pki = Pki::new();
    let held = Held::start().await;
    let peer = Peer::start(Product::Nginx, versions, &pki, Some(held.address));
    let (first, second) = (pki.client("first"), pki.client("second"));
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(first.bundle());
    let client = Client::builder(pki.tls(versions))
        .base(peer.base())
        .connect_timeout(FOR_EVER)
        .request_timeout(FOR_EVER)
        .drain_deadline(FOR_EVER)
        .build(subscription)
        .unwrap();

    // In flight: the heads have come, the bodies have not ended.
    let mut starting = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let client = client.clone();
        starting.spawn(async move { client.stream(request(Method::GET, "/held")).await.unwrap() });
    }
    let in_flight: Vec<Response<Body>> = starting.join_all().await;
    // And others that come and go all the time.
    let swapped = Arc::new(AtomicBool::new(false));
    let enough = Arc::new(AtomicBool::new(false));
    let mut busy = JoinSet::new();
    for _ in 0..8 {
        let (client, swapped, enough) = (client.clone(), Arc::clone(&swapped), Arc::clone(&enough));
        busy.spawn(async move {
            let mut made = 0;
            while !enough.load(Ordering::Acquire) {
                let after = swapped.load(Ordering::Acquire);
                let response = client.request(request(Method::POST, "/")).await.unwrap();
                let seen = Seen::of(response.headers()).client;
                assert!(
                    !after || seen == "second",
                    "a request after the swap presented {seen}"
                );
                made += 1;
            }
            made
        });
    }
    let before = client.status().requests;
    eventually("traffic before the swap", || {
        client.status().requests > before + 100
    })
    .await;
    publisher.publish(second.bundle());
    swapped.store(true, Ordering::Release);
    let before = client.status().requests;
    eventually("traffic after the swap", || {
        client.status().requests > before + 100
    })
    .await;
    enough.store(true, Ordering::Release);
    let made: u64 = busy.join_all().await.into_iter().sum();
    eventually("only requests in flight hold the old identity", || {
        client.status().open_previous == IN_FLIGHT
    })
    .await;

    held.release();
    for response in in_flight {
        assert_eq!(Seen::of(response.headers()).client, "first");
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            Held::BODY
        );
    }
    eventually("no connection with the old identity", || {
        client.status().open_previous == 0
    })
    .await;
    let status = client.status();
    assert_eq!(
        (status.requests, status.failed),
        (IN_FLIGHT as u64 + made, 0)
    );
    assert_eq!(status.in_use, Some(second.fingerprint()));
    assert!(status.handshakes_current > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_in_flight_over_tls_1_2_survive_the_swap() {
    across_the_swap(Versions::Only12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_in_flight_over_tls_1_3_survive_the_swap() {
    across_the_swap(Versions::Only13).await;
}

#[tokio::test]
async fn the_deadline_cuts_what_still_presents_the_old_identity() {
    let pki = Pki::new();
    let held = Held::start().await;
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, Some(held.address));
    let (first, second) = (pki.client("first"), pki.client("second"));
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(first.bundle());
    let client = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .build(subscription)
        .unwrap();
    let waiting = client.stream(request(Method::GET, "/held")).await.unwrap();
    client.request(request(Method::GET, "/")).await.unwrap();
    assert_eq!(client.status().open_current, 2);

    let mut offer = Offer::from(second.bundle());
    offer.drain = Some(Duration::from_millis(50));
    publisher.publish(offer);
    // Nobody makes a request: the drain must begin by itself.
    eventually("no connection with the old identity", || {
        client.status().open_previous == 0
    })
    .await;
    let cut = waiting.into_body().collect().await.unwrap_err();
    assert!(
        matches!(cut, Error::Cut { presented, .. } if presented == first.fingerprint()),
        "{cut}"
    );
    assert_eq!(client.status().failed, 1);
    let response = client.request(request(Method::GET, "/")).await.unwrap();
    assert_eq!(Seen::of(response.headers()), Seen::full("second"));
    assert_eq!(client.status().failed, 1);
}

#[tokio::test]
async fn a_connection_closed_by_the_server_costs_an_idempotent_request_nothing() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(pki.client("first").bundle());
    let client = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .build(subscription)
        .unwrap();
    // The server closes at the second request of a connection, without an answer. Whether a connection is back in the
    // pool when the next request begins is up to the scheduler, so there are many.
    for _ in 0..20 {
        client.request(request(Method::PUT, "/once")).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(client.status().failed, 0);
    // It may have been acted upon, so it must not be sent twice.
    let posting = async {
        loop {
            if let Err(lost) = client.request(request(Method::POST, "/once")).await {
                return lost;
            }
        }
    };
    let lost = in_the_end("a lost request", posting).await;
    assert!(matches!(lost, Error::Http { .. }), "{lost}");
    assert_eq!(client.status().failed, 1);
}

#[tokio::test]
async fn a_longer_body_than_the_limit_is_refused() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(pki.client("first").bundle());
    let builder = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .max_body(1);
    let client = builder.build(subscription).unwrap();
    let refused = client.request(request(Method::GET, "/")).await.unwrap_err();
    assert!(
        matches!(refused, Error::BodyTooLong { limit: 1 }),
        "{refused}"
    );
}

#[tokio::test]
async fn without_an_identity_no_request_goes_out() {
    let pki = Pki::new();
    let (_publisher, subscription) = reload::channel();
    let client = Client::builder(pki.tls(Versions::Both))
        .build(subscription)
        .unwrap();
    let refused = client
        .request(request(Method::GET, "https://localhost:1/"))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::NoIdentity), "{refused}");
}

/// Both ends of the upstream and one of every client connection are in this process.
fn allow_many_sockets() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
