//! The probe against nginx, HAProxy and OpenSSL, in right and wrong configurations, over TLS 1.2 and 1.3.

mod parameters;

use std::net::SocketAddr;

use countersign_peers::{
    Authority, Clients, Gateway, Haproxy, Identity, Nginx, OpensslServer, Purpose, Request,
    TlsVersions, Validity,
};
use zeroize::Zeroizing;

use super::{ClientIdentity, ProbeRequest, Prober as _, TlsParity, TlsProber};
use crate::model::{
    Control, GatewayProduct, ProbeReport, Role, Tier,
    Verdict::{self, Accepted, Inconclusive, Rejected, Unreachable},
};

const VERSIONS: [TlsVersions; 2] = [TlsVersions::Tls12, TlsVersions::Tls13];

/// The authorities of both sides, and the gateway's certificate.
struct World {
    servers: Authority,
    clients: Authority,
    server: Identity,
}

impl World {
    fn new() -> Self {
        let servers = Authority::root("server root");
        let server = servers.server("gateway.test");
        Self {
            servers,
            clients: Authority::root("client root"),
            server,
        }
    }

    fn gateway(&self, clients: Clients, tls: TlsVersions) -> Gateway {
        let mut gateway = Gateway::new(&self.server, clients);
        gateway.tls = tls;
        gateway
    }

    fn anchored(&self, tls: TlsVersions) -> Gateway {
        self.gateway(Clients::Anchored(self.clients.pem()), tls)
    }

    /// Probes as our own configuration would have it, with everything that can be asked for.
    async fn probe(&self, address: SocketAddr, presented: Option<&Identity>) -> ProbeReport {
        self.probe_at(address, presented, "https://gateway.test")
            .await
    }

    async fn probe_at(
        &self,
        address: SocketAddr,
        presented: Option<&Identity>,
        url: &str,
    ) -> ProbeReport {
        let anchors = [self.servers.der()];
        probe_all(&[address], &anchors, presented, url, TlsParity::Tls12And13).await
    }
}

async fn probe_all(
    addresses: &[SocketAddr],
    anchors: &[Vec<u8>],
    presented: Option<&Identity>,
    url: &str,
    tls: TlsParity,
) -> ProbeReport {
    let request = ProbeRequest {
        probe_id: "probe-1".to_owned(),
        at: "2026-11-24T00:00:00Z".parse().unwrap(),
        url: url.to_owned(),
        anchors,
        resolve: addresses,
        tls,
        presented: presented.map(client_identity),
        controls: true,
        verbs: true,
        gateway: GatewayProduct::Nginx,
    };
    TlsProber::default().probe(&request).await
}

fn client_identity(identity: &Identity) -> ClientIdentity {
    ClientIdentity {
        chain: identity.chain_der(),
        key_pkcs8: Zeroizing::new(identity.key_der()),
        fingerprint: identity.sha256_lower().parse().unwrap(),
    }
}

fn control(report: &ProbeReport, control: Control) -> Verdict {
    let found = report.controls.iter().find(|c| c.control == control);
    found.unwrap_or_else(|| panic!("{report:#?}")).verdict
}

#[track_caller]
fn assert_seen(report: &ProbeReport, verdict: Verdict, tier: Tier, words: &str) {
    assert_eq!(
        (report.verdict, report.tier),
        (verdict, tier),
        "{report:#?}"
    );
    assert!(report.summary.contains(words), "{report:#?}");
}

/// Accepted, both controls refused, four methods through.
#[track_caller]
fn assert_proven(report: &ProbeReport) {
    assert_seen(report, Accepted, Tier::Jira, "Jira answered");
    assert!(report.proves_acceptance(), "{report:#?}");
    assert_eq!(report.controls.len(), 2, "{report:#?}");
    assert_eq!(report.verbs.len(), 4, "{report:#?}");
    assert!(
        report.verbs.iter().all(|v| v.passed == Some(true)),
        "{report:#?}"
    );
    assert_eq!(report.owner, None);
}

#[tokio::test]
async fn a_trusted_certificate_is_accepted_and_strangers_are_not() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    for tls in VERSIONS {
        let nginx = Nginx::start(world.anchored(tls));
        let report = world.probe(nginx.addr(), Some(&client)).await;
        assert_proven(&report);
        let seen = &report.addresses[0];
        let version = match tls {
            TlsVersions::Tls12 => "TLSv1.2",
            _ => "TLSv1.3",
        };
        assert_eq!(seen.tls_version.as_deref(), Some(version));
        assert!(seen.cipher_suite.as_deref().unwrap().starts_with("TLS_"));
        assert_eq!(seen.server_chain[0].subject, "CN=gateway.test");
        assert_eq!(seen.certificate_requested, Some(true));
        assert_eq!(seen.authority_hints, 1);
        assert_eq!(seen.http_status, Some(200));
        assert!(seen.headers.contains_key("x-arequestid"), "{seen:?}");

        let haproxy = Haproxy::start(&world.anchored(tls));
        assert_proven(&world.probe(haproxy.addr(), Some(&client)).await);
    }
}

#[tokio::test]
async fn the_gateways_log_tells_what_the_probe_presented_and_never_resumes() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    let nginx = Nginx::start(world.anchored(TlsVersions::Both));
    for _ in 0..2 {
        assert_proven(&world.probe(nginx.addr(), Some(&client)).await);
    }
    // Twice serverInfo, two controls and four methods.
    let log = nginx.await_log(|log| log.len() == 14);
    assert!(log.iter().all(|entry| !entry.resumed), "{log:#?}");
    let ours = log.iter().filter(|e| e.fingerprint == client.sha1_lower());
    assert_eq!(ours.count(), 10, "{log:#?}");
}

#[tokio::test]
async fn nothing_presented_is_refused_for_want_of_a_certificate() {
    let world = World::new();
    for tls in VERSIONS {
        let nginx = Nginx::start(world.anchored(tls));
        let report = world.probe(nginx.addr(), None).await;
        assert_seen(
            &report,
            Rejected,
            Tier::ClientCertificate,
            "no client certificate was sent",
        );

        let haproxy = Haproxy::start(&world.anchored(tls));
        let report = world.probe(haproxy.addr(), None).await;
        assert_seen(
            &report,
            Rejected,
            Tier::ClientCertificate,
            "for want of a certificate",
        );
        let alert = match tls {
            TlsVersions::Tls12 => "handshake_failure",
            _ => "certificate_required",
        };
        assert_eq!(report.addresses[0].alert.as_deref(), Some(alert));
    }
}

#[tokio::test]
async fn an_unfit_certificate_is_refused_by_the_alert_that_names_why() {
    let world = World::new();
    let unfit = |purpose, validity| {
        let mut request = Request::new(purpose, "connector.test");
        request.validity = validity;
        world.clients.issue(&request)
    };
    let cases = [
        (
            unfit(Purpose::Client, Validity::Expired),
            "certificate_expired",
            Role::Ops,
        ),
        (
            unfit(Purpose::Client, Validity::NotYet),
            "bad_certificate",
            Role::Ops,
        ),
        (
            unfit(Purpose::Server, Validity::Valid),
            "unsupported_certificate",
            Role::Ops,
        ),
        (
            Authority::root("other root").client("connector.test"),
            "unknown_ca",
            Role::JiraSec,
        ),
    ];
    for tls in VERSIONS {
        let nginx = Nginx::start(world.anchored(tls));
        let haproxy = Haproxy::start(&world.anchored(tls));
        let openssl = OpensslServer::start(&world.anchored(tls));
        for (client, alert, owner) in &cases {
            for address in [haproxy.addr(), openssl.addr()] {
                let report = world.probe(address, Some(client)).await;
                assert_seen(&report, Rejected, Tier::ClientCertificate, alert);
                assert_eq!(report.addresses[0].alert.as_deref(), Some(*alert));
                assert_eq!(report.owner, Some(*owner));
                assert!(report.proves_refusal());
            }
            let report = world.probe(nginx.addr(), Some(client)).await;
            assert_seen(&report, Rejected, Tier::ClientCertificate, "did not verify");
            assert_eq!(report.addresses[0].http_status, Some(400));
        }
    }
}

#[tokio::test]
async fn a_pin_that_was_removed_turns_acceptance_into_refusal() {
    let world = World::new();
    let old = world.clients.client("connector.test");
    let new = world.clients.client("connector.test");
    for tls in VERSIONS {
        let pins = vec![old.sha1_lower(), new.sha1_lower()];
        let mut nginx = Nginx::start(world.gateway(Clients::Pinned(pins), tls));
        for generation in [&old, &new] {
            assert_proven(&world.probe(nginx.addr(), Some(generation)).await);
        }
        nginx.set_pins(&[&new.sha1_lower()]);
        let report = world.probe(nginx.addr(), Some(&old)).await;
        assert_seen(&report, Rejected, Tier::Gateway, "403");
        assert!(report.proves_refusal());
        assert_proven(&world.probe(nginx.addr(), Some(&new)).await);

        let anchors = world.clients.pem();
        let pins = vec![new.sha256_upper()];
        let haproxy =
            Haproxy::start(&world.gateway(Clients::AnchoredAndPinned { anchors, pins }, tls));
        let report = world.probe(haproxy.addr(), Some(&old)).await;
        assert_seen(&report, Rejected, Tier::Gateway, "403");
        assert_proven(&world.probe(haproxy.addr(), Some(&new)).await);
    }
}

#[tokio::test]
async fn a_gateway_that_asks_but_lets_strangers_in_proves_nothing() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    for tls in VERSIONS {
        // A map that finds every fingerprint, and even none.
        let anybody = Clients::Pinned(["", "~.*"].map(str::to_owned).to_vec());
        let nginx = Nginx::start(world.gateway(anybody, tls));
        let report = world.probe(nginx.addr(), Some(&client)).await;
        assert_seen(&report, Accepted, Tier::Jira, "gets in too");
        assert_eq!(control(&report, Control::NoCertificate), Accepted);
        assert_eq!(control(&report, Control::Stranger), Accepted);
        assert!(!report.proves_acceptance());
        assert_eq!(report.owner, Some(Role::JiraSec));
    }
}

#[tokio::test]
async fn a_gateway_that_asks_for_no_certificate_says_nothing_of_ours() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    for tls in VERSIONS {
        let gateway = world.gateway(Clients::Anybody, tls);
        let (nginx, haproxy) = (Nginx::start(gateway.clone()), Haproxy::start(&gateway));
        for address in [nginx.addr(), haproxy.addr()] {
            let report = world.probe(address, Some(&client)).await;
            assert_seen(
                &report,
                Inconclusive,
                Tier::Jira,
                "asks for no client certificate",
            );
            assert_eq!(report.addresses[0].certificate_requested, Some(false));
            assert_eq!(report.owner, Some(Role::JiraSec));
            assert_eq!(control(&report, Control::NoCertificate), Accepted);
        }
    }
}

#[tokio::test]
async fn a_blocked_method_is_found() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    let mut gateway = world.anchored(TlsVersions::Both);
    gateway.methods = vec!["GET", "POST"];
    let (nginx, haproxy) = (Nginx::start(gateway.clone()), Haproxy::start(&gateway));
    for address in [nginx.addr(), haproxy.addr()] {
        let report = world.probe(address, Some(&client)).await;
        assert_seen(&report, Accepted, Tier::Jira, "blocks PUT, DELETE");
        let passed: Vec<_> = report.verbs.iter().map(|v| v.passed).collect();
        assert_eq!(passed, [Some(true), Some(true), Some(false), Some(false)]);
        assert!(!report.proves_acceptance());
    }
}

#[tokio::test]
async fn a_server_that_is_not_believed_is_told_apart_and_shown_nothing() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    let nginx = Nginx::start(world.anchored(TlsVersions::Both));

    let wrong_name = world
        .probe_at(nginx.addr(), Some(&client), "https://other.test")
        .await;
    assert_seen(&wrong_name, Inconclusive, Tier::ServerChain, "gateway.test");

    let anchors = [Authority::root("elsewhere").der()];
    let unknown = probe_all(
        &[nginx.addr()],
        &anchors,
        Some(&client),
        "https://gateway.test",
        TlsParity::Tls12And13,
    )
    .await;
    assert_seen(
        &unknown,
        Inconclusive,
        Tier::ServerChain,
        "issued by `CN=server root`",
    );
    assert_eq!(unknown.owner, Some(Role::Ops));
    // What the server sent is kept although it was not believed.
    assert_eq!(
        unknown.addresses[0].server_chain[0].subject,
        "CN=gateway.test"
    );

    let mut request = Request::new(Purpose::Server, "gateway.test");
    request.validity = Validity::Expired;
    let expired = Nginx::start(Gateway::new(
        &world.servers.issue(&request),
        Clients::Anchored(world.clients.pem()),
    ));
    let report = world.probe(expired.addr(), Some(&client)).await;
    assert_seen(&report, Inconclusive, Tier::ServerChain, "has expired");
    assert_eq!(report.owner, Some(Role::JiraSec));

    assert!(nginx.access_log().is_empty());
    for report in [wrong_name, unknown, report] {
        assert!(report.controls.is_empty() && report.verbs.is_empty());
    }
}

#[tokio::test]
async fn a_version_that_the_connector_does_not_speak_is_no_rejection() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    let nginx = Nginx::start(world.anchored(TlsVersions::Tls13));
    let report = probe_all(
        &[nginx.addr()],
        &[world.servers.der()],
        Some(&client),
        "https://gateway.test",
        TlsParity::Tls12Only,
    )
    .await;
    assert_seen(&report, Unreachable, Tier::Tls, "protocol_version");
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let world = World::new();
    let client = world.clients.client("connector.test");
    let report = world.probe(address, Some(&client)).await;
    assert_seen(&report, Unreachable, Tier::Tcp, "refused");
    assert!(!report.proves_refusal());
}

#[tokio::test]
async fn one_address_with_the_old_configuration_spoils_the_verdict() {
    let world = World::new();
    let client = world.clients.client("connector.test");
    let good = Nginx::start(world.anchored(TlsVersions::Both));
    let stale = Authority::root("last year's root").pem();
    let old = Nginx::start(world.gateway(Clients::Anchored(stale), TlsVersions::Both));
    let report = probe_all(
        &[good.addr(), old.addr()],
        &[world.servers.der()],
        Some(&client),
        "https://gateway.test",
        TlsParity::Tls12And13,
    )
    .await;
    assert_seen(
        &report,
        Rejected,
        Tier::ClientCertificate,
        "1 of 2 addresses",
    );
    let verdicts: Vec<_> = report.addresses.iter().map(|a| a.verdict).collect();
    assert_eq!(verdicts, [Accepted, Rejected]);
    assert!(!report.proves_acceptance() && !report.proves_refusal());
}
