//! The trap that this crate exists for: changing the key behind a resolver that stays does not change the identity.
//!
//! These tests also prove that the servers keep sessions and that the other tests would see an old identity.

use std::sync::{Arc, Mutex};

use countersign_connector::Versions;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::peers::{Peer, Product, Seen, ask};
use crate::pki::{Credentials, Pki};

/// The obvious design: one configuration, whose key is exchanged.
#[derive(Debug)]
struct Naive(Mutex<Arc<CertifiedKey>>);

impl ResolvesClientCert for Naive {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap()))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn certified(credentials: &Credentials) -> Arc<CertifiedKey> {
    let chain = vec![CertificateDer::from_pem_slice(credentials.leaf_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes()).unwrap();
    Arc::new(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).unwrap())
}

async fn naive_swap(product: Product, versions: Versions) {
    let pki = Pki::new();
    let peer = Peer::start(product, versions, &pki, None);
    let (first, second) = (pki.client("first"), pki.client("second"));
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pki.anchor_pem.as_bytes()).unwrap())
        .unwrap();
    let resolver = Arc::new(Naive(Mutex::new(certified(&first))));
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::clone(&resolver) as Arc<dyn ResolvesClientCert>);
    let connector = TlsConnector::from(Arc::new(config));
    let seen = async || {
        let stream = TcpStream::connect(peer.address()).await.unwrap();
        ask(&mut connector
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
            .unwrap())
        .await
    };
    assert_eq!(seen().await, Seen::full("first"));
    *resolver.0.lock().unwrap() = certified(&second);
    assert_eq!(
        seen().await,
        Seen::resumed("first"),
        "{product:?}, {versions:?}"
    );
}

#[tokio::test]
async fn a_swapped_resolver_goes_on_presenting_the_old_identity_to_nginx_over_tls_1_2() {
    naive_swap(Product::Nginx, Versions::Only12).await;
}

#[tokio::test]
async fn a_swapped_resolver_goes_on_presenting_the_old_identity_to_nginx_over_tls_1_3() {
    naive_swap(Product::Nginx, Versions::Only13).await;
}

#[tokio::test]
async fn a_swapped_resolver_goes_on_presenting_the_old_identity_to_haproxy_over_tls_1_2() {
    naive_swap(Product::Haproxy, Versions::Only12).await;
}

#[tokio::test]
async fn a_swapped_resolver_goes_on_presenting_the_old_identity_to_haproxy_over_tls_1_3() {
    naive_swap(Product::Haproxy, Versions::Only13).await;
}
