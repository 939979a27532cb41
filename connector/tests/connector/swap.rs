//! After a swap, the very next connection presents the new identity, however many tickets of the old one there are.

use countersign_connector::{BundleError, Client, Identity, Versions, reload};
use hyper::Method;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use crate::peers::{Gate, Peer, Product, Seen, ask};
use crate::pki::Pki;
use crate::request;

/// With the connections of this crate, and with the configuration that other libraries get.
async fn swap_with_warm_tickets(product: Product, versions: Versions) {
    let pki = Pki::new();
    let peer = Peer::start(product, versions, &pki, None);
    let (first, second) = (pki.client("first"), pki.client("second"));
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(first.bundle());

    let identity = Identity::new(subscription.clone(), pki.tls(versions));
    let name = || ServerName::try_from("localhost").unwrap();
    let own = async || {
        let stream = TcpStream::connect(peer.address()).await.unwrap();
        ask(&mut identity.connect(stream, name()).await.unwrap()).await
    };
    let foreign = async || {
        let stream = TcpStream::connect(peer.address()).await.unwrap();
        let config = identity.tls_config().unwrap().config;
        ask(&mut tokio_rustls::TlsConnector::from(config)
            .connect(name(), stream)
            .await
            .unwrap())
        .await
    };
    assert_eq!(
        [own().await, own().await],
        [Seen::full("first"), Seen::resumed("first")]
    );
    assert_eq!(
        [foreign().await, foreign().await],
        [Seen::full("first"), Seen::resumed("first")]
    );
    let status = subscription.status();
    assert_eq!(
        (status.in_use, status.handshakes_current),
        (Some(first.fingerprint()), 2)
    );

    publisher.publish(second.bundle());
    let status = subscription.status();
    assert_eq!(status.presenting, Some(second.fingerprint()));
    assert_eq!(
        (status.in_use, status.handshakes_current),
        (Some(first.fingerprint()), 0),
        "swapped is not used"
    );

    assert_eq!(
        [own().await, own().await],
        [Seen::full("second"), Seen::resumed("second")]
    );
    assert_eq!(
        [foreign().await, foreign().await],
        [Seen::full("second"), Seen::resumed("second")]
    );
    let status = subscription.status();
    assert_eq!(
        (status.in_use, status.handshakes_current),
        (Some(second.fingerprint()), 2)
    );
}

#[tokio::test]
async fn the_next_connection_presents_the_new_identity_to_nginx_over_tls_1_2() {
    swap_with_warm_tickets(Product::Nginx, Versions::Only12).await;
}

#[tokio::test]
async fn the_next_connection_presents_the_new_identity_to_nginx_over_tls_1_3() {
    swap_with_warm_tickets(Product::Nginx, Versions::Only13).await;
}

#[tokio::test]
async fn the_next_connection_presents_the_new_identity_to_haproxy_over_tls_1_2() {
    swap_with_warm_tickets(Product::Haproxy, Versions::Only12).await;
}

#[tokio::test]
async fn the_next_connection_presents_the_new_identity_to_haproxy_over_tls_1_3() {
    swap_with_warm_tickets(Product::Haproxy, Versions::Only13).await;
}

#[tokio::test]
async fn a_broken_or_mismatched_bundle_leaves_the_identity_and_shows_the_fault() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (first, second) = (pki.client("first"), pki.client("second"));
    let (mut publisher, subscription) = reload::channel();
    let client = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .build(subscription)
        .unwrap();
    publisher.publish(first.bundle());

    let mismatch = format!("{}{}", first.key_pem, second.leaf_pem);
    let refused = publisher.publish_pem(mismatch.as_bytes()).unwrap_err();
    assert!(
        matches!(refused, BundleError::Mismatch { leaf } if leaf == second.fingerprint()),
        "{refused}"
    );
    for broken in [
        "",
        "nonsense",
        &second.leaf_pem,
        &second.key_pem,
        &second.pem()[..400],
    ] {
        assert!(publisher.publish_pem(broken.as_bytes()).is_err());
        let status = client.status();
        assert_eq!(status.presenting, Some(first.fingerprint()));
        assert!(status.fault.is_some());
    }
    let response = client.request(request(Method::GET, "/")).await.unwrap();
    assert_eq!(Seen::of(response.headers()), Seen::full("first"));

    publisher.publish_pem(second.pem().as_bytes()).unwrap();
    let response = client.request(request(Method::GET, "/")).await.unwrap();
    assert_eq!(Seen::of(response.headers()), Seen::full("second"));
    assert_eq!(client.status().fault, None);
}

#[tokio::test]
async fn a_server_that_the_anchors_do_not_vouch_for_is_refused() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(pki.client("first").bundle());
    let client = Client::builder(stranger.tls(Versions::Both))
        .base(peer.base())
        .build(subscription)
        .unwrap();
    let refused = client.request(request(Method::GET, "/")).await.unwrap_err();
    assert!(
        matches!(
            refused,
            countersign_connector::client::Error::Handshake { .. }
        ),
        "{refused}"
    );
    let status = client.status();
    assert_eq!(
        (
            status.requests,
            status.failed,
            status.handshakes_current,
            status.open_current
        ),
        (1, 1, 0, 0)
    );
}

#[tokio::test]
async fn a_handshake_that_is_overtaken_by_the_swap_is_made_again_with_the_new_identity() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let mut gate = Gate::before(peer.address()).await;
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(pki.client("first").bundle());
    let base = format!("https://localhost:{}", gate.address.port());
    let client = Client::builder(pki.tls(Versions::Both))
        .base(base)
        .build(subscription)
        .unwrap();
    let overtaken = tokio::spawn({
        let client = client.clone();
        async move { client.request(request(Method::POST, "/")).await.unwrap() }
    });
    gate.reached().await;
    publisher.publish(pki.client("second").bundle());
    gate.open();
    assert_eq!(
        Seen::of(overtaken.await.unwrap().headers()),
        Seen::full("second")
    );
}

#[tokio::test]
async fn a_server_that_does_not_ask_for_the_identity_is_no_evidence_of_its_use() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(pki.client("first").bundle());
    let identity = Identity::new(subscription.clone(), pki.tls(Versions::Both));
    let connect = async |name: &'static str| {
        let stream = TcpStream::connect(peer.address()).await.unwrap();
        identity
            .connect(stream, ServerName::try_from(name).unwrap())
            .await
            .unwrap()
    };
    let _unasked = connect("open.localhost").await;
    let status = subscription.status();
    assert_eq!(
        (
            status.open_current,
            status.handshakes_current,
            status.in_use
        ),
        (1, 0, None)
    );
    let asked = connect("localhost").await;
    let status = subscription.status();
    assert_eq!(
        (status.handshakes_current, status.in_use),
        (1, Some(asked.generation().fingerprint()))
    );
}
