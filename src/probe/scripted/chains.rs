//! A gateway that takes a leaf alone, as none at hand can be told to.

use super::*;
use crate::{
    model::{Check, Sureness},
    probe::Further,
};

#[tokio::test]
async fn what_was_sent_above_a_leaf_may_be_why_it_is_refused() {
    let (address, root) = run(Script::LeafOnly(
        "HTTP/1.1 200 OK\r\nX-ANODEID: node1\r\nContent-Length: 0\r\n\r\n",
    ))
    .await;
    let issuing = Authority::root("client root").intermediate("issuing CA");
    let client = issuing.client("connector.test");
    let request = ProbeRequest {
        probe_id: "probe-1".to_owned(),
        at: "2026-11-24T00:00:00Z".parse().unwrap(),
        url: "https://gateway.test".to_owned(),
        anchors: &[root],
        resolve: &[address],
        tls: TlsParity::Tls12Only,
        presented: Some(ClientIdentity {
            chain: client.chain_der(),
            key_pkcs8: Zeroizing::new(client.key_der()),
            fingerprint: client.sha256_lower().parse().unwrap(),
        }),
        controls: false,
        verbs: false,
        gateway: GatewayProduct::Other,
    };
    let with = |spare| Further {
        spare,
        ..Further::default()
    };
    let report = TlsProber::default()
        .examine(&request, with(Some(Vec::new())))
        .await;
    assert_seen(
        &report,
        Rejected,
        Tier::ClientCertificate,
        "sent alone it was let in",
    );
    assert_eq!(report.owner, Some(Role::Ops));
    assert!(
        report
            .remedy
            .as_ref()
            .unwrap()
            .contains("without the intermediates")
    );
    let certificate = report
        .findings
        .iter()
        .find(|f| f.check == Check::Certificate);
    assert_eq!(certificate.unwrap().sureness, Sureness::Certain);
    assert!(!report.proves_refusal());

    // Rotations ask for the certificate as it is presented, and for nothing else.
    let report = TlsProber::default().examine(&request, with(None)).await;
    assert_seen(&report, Rejected, Tier::ClientCertificate, "unknown_ca");
    assert_eq!(report.addresses[0].other_chain, None);
    assert!(report.proves_refusal());
}
