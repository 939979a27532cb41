//! A missing intermediate, told from an authority that nobody there trusts, by every product.

use countersign_peers::{
    Authority, Clients as Admitted, Gateway, Haproxy, Identity, Nginx, Upstream,
};

use super::{super::Further, *};
use crate::model::{Check, Finding, GatewayProduct, Role, Sureness};

/// What is presented, what may belong above it, and what a second conversation shows.
struct Case {
    what: &'static str,
    presented: Identity,
    spare: Vec<Vec<u8>>,
    let_in: bool,
}

async fn examine(
    world: &World,
    address: SocketAddr,
    tls: Tls,
    case: &Case,
    gateway: GatewayProduct,
) -> ProbeReport {
    let anchors = [world.servers.der()];
    let request = ProbeRequest {
        probe_id: "probe-1".to_owned(),
        at: "2026-11-25T00:00:00Z".parse().unwrap(),
        url: "https://gateway.test".to_owned(),
        anchors: &anchors,
        resolve: &[address],
        tls: match tls {
            Tls::V12 => TlsParity::Tls12Only,
            Tls::V13 => TlsParity::Tls12And13,
        },
        presented: Some(ClientIdentity {
            chain: case.presented.chain_der(),
            key_pkcs8: Zeroizing::new(case.presented.key_der()),
            fingerprint: case.presented.sha256_lower().parse().unwrap(),
        }),
        controls: false,
        verbs: false,
        gateway,
    };
    let further = Further {
        spare: Some(case.spare.clone()),
        ..Further::default()
    };
    TlsProber::default().examine(&request, further).await
}

fn certificate(report: &ProbeReport) -> &Finding {
    let found = report
        .findings
        .iter()
        .find(|f| f.check == Check::Certificate);
    found.unwrap_or_else(|| panic!("{report:#?}"))
}

/// What is not as it must be, if anything.
fn disagreement(case: &Case, report: &ProbeReport, gateway: GatewayProduct) -> Option<String> {
    let found = certificate(report);
    let other = report.addresses[0].other_chain.as_ref();
    let (matter, sureness) = if case.let_in {
        (Matter::Intermediate, Sureness::Certain)
    } else {
        (Matter::Trust, Sureness::Likely)
    };
    let wrong = report.verdict != Verdict::Rejected
        || report.tier != Tier::ClientCertificate
        || other.map(|other| other.let_in) != Some(case.let_in)
        || report.remedy != Some(matter.remedy(gateway))
        || found.sureness != sureness
        || found.owner != Some(matter.owner())
        // What is let in with another chain is not refused.
        || report.proves_refusal() == case.let_in;
    wrong.then(|| format!("{}: {report:#?}", case.what))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_intermediate_is_told_from_an_unknown_authority_by_every_product() {
    let world = Arc::new(World::new());
    let issuing = &world.clients.issuing;
    let elsewhere = Authority::root("another root").intermediate("another issuing CA");
    let spare = vec![elsewhere.der(), issuing.der(), world.clients.root.der()];
    let case = |what, presented, let_in| Case {
        what,
        presented,
        spare: spare.clone(),
        let_in,
    };
    let cases = [
        case(
            "missing",
            issuing.client("connector.test").without_intermediates(),
            true,
        ),
        case(
            "missing, and not trusted",
            elsewhere.client("connector.test").without_intermediates(),
            false,
        ),
        case("not trusted", elsewhere.client("connector.test"), false),
    ];
    let mut wrong = Vec::new();
    for product in Product::ALL {
        let starting = world.clone();
        let running = tokio::task::spawn_blocking(move || {
            let mut gateway =
                product.gateway(Setting::Trusted, &starting.server, &starting.clients);
            gateway.upstream = Upstream::At(starting.jira.addr());
            product.start(gateway)
        })
        .await
        .unwrap();
        for tls in [Tls::V12, Tls::V13] {
            for case in &cases {
                let remedies = product.remedies();
                let report = examine(&world, running.addr, tls, case, remedies).await;
                wrong.extend(
                    disagreement(case, &report, remedies)
                        .map(|what| format!("{}, {tls:?}, {what}", product.name())),
                );
            }
        }
        tokio::task::spawn_blocking(move || drop(running))
            .await
            .unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_two_roots_certify_is_found_through_the_one_that_is_trusted() {
    let world = World::new();
    let (ours, theirs) = (Authority::root("our root"), Authority::root("their root"));
    let issuing = ours.intermediate("issuing CA");
    let case = Case {
        what: "cross-signed",
        presented: issuing.client("connector.test"),
        spare: vec![issuing.cross_certificate("issuing CA", &theirs)],
        let_in: true,
    };
    let gateway = Gateway::new(&world.server, Admitted::Anchored(theirs.pem()));
    let (nginx, haproxy) = (Nginx::start(gateway.clone()), Haproxy::start(&gateway));
    for address in [nginx.addr(), haproxy.addr()] {
        for tls in [Tls::V12, Tls::V13] {
            let report = examine(&world, address, tls, &case, GatewayProduct::Other).await;
            assert_eq!(disagreement(&case, &report, GatewayProduct::Other), None);
            assert!(
                report.summary.contains("in place of the other"),
                "{report:#?}"
            );
        }
    }
    // Each address asked twice, and no more: what is let in, and what is not.
    nginx.await_log(|log| log.len() == 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_lets_us_in_or_is_not_believed_is_shown_no_other_chain() {
    let mut world = World::new();
    let mut case = Case {
        what: "good",
        presented: world.clients.issuing.client("connector.test"),
        spare: vec![world.clients.issuing.der()],
        let_in: false,
    };
    let anchors = world.clients.root.pem();
    let nginx = Nginx::start(Gateway::new(&world.server, Admitted::Anchored(anchors)));
    let report = examine(&world, nginx.addr(), Tls::V13, &case, GatewayProduct::Nginx).await;
    assert_eq!(report.verdict, Verdict::Accepted);
    assert_eq!(report.addresses[0].other_chain, None);
    assert_eq!(nginx.await_log(|log| !log.is_empty()).len(), 1);

    world.servers = Authority::root("elsewhere");
    case.presented = world
        .clients
        .issuing
        .client("connector.test")
        .without_intermediates();
    let report = examine(&world, nginx.addr(), Tls::V13, &case, GatewayProduct::Nginx).await;
    assert_eq!(report.tier, Tier::ServerChain);
    assert_eq!(report.owner, Some(Role::Ops));
    assert_eq!(report.addresses[0].other_chain, None);
    assert_eq!(nginx.access_log().len(), 1);
}
