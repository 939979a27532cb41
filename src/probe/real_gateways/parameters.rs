//! Parameters of TLS that one side has and the other has not.

use countersign_peers::Algorithm;

use super::*;

/// A server with an RSA key, for the suites that need one.
fn rsa(world: &World) -> Identity {
    let mut request = Request::new(Purpose::Server, "gateway.test");
    request.algorithm = Algorithm::Rsa2048;
    world.servers.issue(&request)
}

async fn probe_with(
    world: &World,
    address: SocketAddr,
    client: &Identity,
    tls: TlsParity,
) -> ProbeReport {
    let anchors = [world.servers.der()];
    probe_all(
        &[address],
        &anchors,
        Some(client),
        "https://gateway.test",
        tls,
    )
    .await
}

#[tokio::test]
async fn a_server_that_takes_dhe_only_is_out_of_our_reach_and_not_of_the_connectors() {
    let world = World::new();
    let server = rsa(&world);
    let mut gateway = Gateway::new(&server, Clients::Anchored(world.clients.pem()));
    gateway.tls = TlsVersions::Tls12;
    gateway.suites = Some("DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384");
    let openssl = OpensslServer::start(&gateway);
    let client = world.clients.client("connector.test");
    for tls in [TlsParity::Tls12Only, TlsParity::Tls12And13] {
        let report = probe_with(&world, openssl.addr(), &client, tls).await;
        assert_seen(
            &report,
            Unreachable,
            Tier::Tls,
            "the connector gets through where the probe does not",
        );
        assert!(!report.proves_refusal(), "{report:#?}");
    }
}

#[tokio::test]
async fn signatures_that_are_taken_decide_which_keys_can_be_shown() {
    let world = World::new();
    let mut request = Request::new(Purpose::Client, "connector.test");
    let p256 = world.clients.issue(&request);
    request.algorithm = Algorithm::Rsa2048;
    let rsa = world.clients.issue(&request);
    for (signatures, tls, of_rsa) in [
        ("RSA-PSS+SHA256", TlsParity::Tls12Only, Accepted),
        ("RSA-PSS+SHA256", TlsParity::Tls12And13, Accepted),
        ("RSA+SHA256", TlsParity::Tls12Only, Accepted),
    ] {
        let mut gateway = world.anchored(TlsVersions::Both);
        gateway.client_signatures = Some(signatures);
        let nginx = Nginx::start(gateway);
        let report = probe_with(&world, nginx.addr(), &rsa, tls).await;
        assert_eq!(report.verdict, of_rsa, "{signatures}, {tls:?}: {report:#?}");
        let report = probe_with(&world, nginx.addr(), &p256, tls).await;
        assert_seen(
            &report,
            Inconclusive,
            Tier::ClientCertificate,
            "our key makes none of the signatures",
        );
        assert_eq!(report.owner, Some(Role::Ops));
    }
}

#[tokio::test]
async fn a_gateway_that_fails_within_itself_is_not_told_to_change_its_suites() {
    let world = World::new();
    // RFC 8446 §4.2.3: RSASSA-PKCS1-v1_5 signs no handshake of TLS 1.3, so OpenSSL finds nothing to ask for.
    let mut gateway = world.anchored(TlsVersions::Tls13);
    gateway.client_signatures = Some("RSA+SHA256");
    let nginx = Nginx::start(gateway);
    let client = world.clients.client("connector.test");
    let report = probe_with(&world, nginx.addr(), &client, TlsParity::Tls12And13).await;
    assert_seen(&report, Unreachable, Tier::Tls, "internal_error");
    assert_eq!(report.owner, Some(Role::JiraSec));
    assert!(report.remedy.unwrap().contains("the gateway's log"));
}
