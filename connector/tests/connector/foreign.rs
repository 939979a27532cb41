//! The recipe for reqwest, which keeps the identity that a client was built with.

use countersign_connector::{Identity, Versions, reload};

use crate::eventually;
use crate::peers::{Peer, Product, Seen};
use crate::pki::Pki;

#[tokio::test]
async fn a_reqwest_client_for_each_generation_presents_the_new_identity() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (first, second) = (pki.client("first"), pki.client("second"));
    let (mut publisher, subscription) = reload::channel();
    let clients =
        Identity::new(subscription.clone(), pki.tls(Versions::Both)).per_generation(|config| {
            reqwest::Client::builder()
                .no_proxy()
                .tls_backend_preconfigured((*config).clone())
                .build()
                .unwrap()
        });
    assert!(clients.current().is_none(), "there is no identity yet");
    let seen = async || {
        let (_, client) = clients.current().unwrap();
        Seen::of(client.get(peer.base()).send().await.unwrap().headers())
    };
    publisher.publish(first.bundle());
    assert_eq!(seen().await, Seen::full("first"));
    publisher.publish(second.bundle());
    assert_eq!(seen().await, Seen::full("second"));
    eventually("the use of the new identity is seen", || {
        subscription.status().handshakes_current == 1
    })
    .await;
    assert_eq!(subscription.status().in_use, Some(second.fingerprint()));
}
