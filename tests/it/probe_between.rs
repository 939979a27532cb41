//! What stands between us and Jira: limits on bodies, certificates that are asked for again, and proxies that inspect.

use std::net::SocketAddr;

use countersign_peers::{
    Apache, Authority, Clients, Demand, Gateway, JiraStandIn, Nginx, TlsVersions, Upstream,
};
use serde_json::Value;

use crate::endpoint::{Endpoint, finding};

/// What is said in JSON, and on the page.
fn told(endpoint: &Endpoint, at: SocketAddr) -> (Value, String) {
    let said = endpoint.probe(at, "ours.pem", &["--json", "--page", "probe.html"]);
    let page = std::fs::read_to_string(endpoint.home.path("probe.html")).unwrap();
    (said.expect(1).json(), page)
}

#[track_caller]
fn assert_large_body_is_refused(report: &Value, page: &str) {
    assert_eq!(report["verdict"], "accepted", "{report:#}");
    let large = finding(report, "large-body");
    assert_eq!(
        (&large["outcome"], &large["sureness"], &large["owner"]),
        (&"bad".into(), &"likely".into(), &"jira-sec".into()),
        "{large:#}"
    );
    assert_eq!(large["seen"], "a POST of 200 kB is refused (413)");
    let remedy = large["remedy"].as_str().unwrap();
    for words in ["raise the limit on bodies", "in the first handshake"] {
        assert!(remedy.contains(words), "{remedy}");
        assert!(page.contains(words), "{page}");
    }
    assert!(page.contains("a POST of 200 kB is refused (413)"), "{page}");
}

#[test]
fn a_limit_on_bodies_is_found_where_small_requests_pass() {
    let endpoint = Endpoint::new();
    let mut gateway = endpoint.gateway();
    gateway.body_limit = Some(100_000);
    let nginx = Nginx::start(gateway);
    let (report, page) = told(&endpoint, nginx.addr());
    assert_eq!(
        finding(&report, "methods")["seen"],
        "GET passes, POST passes, PUT passes, DELETE passes"
    );
    assert_large_body_is_refused(&report, &page);
}

#[test]
fn a_certificate_that_is_asked_for_again_is_found_by_what_the_buffer_does_not_hold() {
    let endpoint = Endpoint::new();
    let jira = JiraStandIn::start();
    let mut gateway = endpoint.gateway();
    gateway.demand = Demand::Again;
    // In TLS 1.3 nobody is asked again who has not offered it (RFC 8446 §4.6.2).
    gateway.tls = TlsVersions::Tls12;
    gateway.upstream = Upstream::At(jira.addr());
    let apache = Apache::start(&gateway);
    let (report, page) = told(&endpoint, apache.addr());
    assert!(
        apache.error_log().contains("could not buffer message body"),
        "{}",
        apache.error_log()
    );
    assert_large_body_is_refused(&report, &page);
    // What is small meets the new handshake, which our stack refuses: nothing is known of the methods.
    let methods = finding(&report, "methods");
    assert_eq!(methods["outcome"], "unknown", "{methods:#}");
}

#[test]
fn a_proxy_that_inspects_is_named_and_shown_nothing() {
    for (issuer, name) in [
        ("Zscaler Intermediate Root CA (zscaler.net)", "Zscaler"),
        ("FORTIGATE CA", "FortiGate"),
        ("mitmproxy", "mitmproxy"),
    ] {
        let endpoint = Endpoint::new();
        let maker = Authority::root(issuer);
        let gateway = Gateway::new(
            &maker.server("gateway.test"),
            Clients::Anchored(endpoint.clients.pem()),
        );
        let nginx = Nginx::start(gateway);
        let (report, page) = told(&endpoint, nginx.addr());
        assert_eq!(report["verdict"], "inconclusive");
        let chain = finding(&report, "server-chain");
        assert_eq!(
            (&chain["outcome"], &chain["sureness"], &chain["owner"]),
            (&"bad".into(), &"likely".into(), &"ops".into())
        );
        let seen = format!("a TLS-inspecting proxy ({name}) answers in place of the gateway");
        assert!(
            chain["seen"].as_str().unwrap().starts_with(&seen),
            "{chain:#}"
        );
        assert!(chain["remedy"].as_str().unwrap().contains("exempted"));
        assert!(page.contains(&seen) && page.contains("exempted"), "{page}");
        assert!(nginx.access_log().is_empty());
    }
}

#[test]
fn an_unknown_issuer_that_is_no_proxy_is_not_called_one() {
    let endpoint = Endpoint::new();
    let gateway = Gateway::new(
        &Authority::root("Acme Issuing CA 3").server("gateway.test"),
        Clients::Anchored(endpoint.clients.pem()),
    );
    let nginx = Nginx::start(gateway);
    let (report, page) = told(&endpoint, nginx.addr());
    let chain = finding(&report, "server-chain");
    assert!(
        !chain["seen"].as_str().unwrap().contains("proxy"),
        "{chain:#}"
    );
    assert!(
        chain["seen"]
            .as_str()
            .unwrap()
            .contains("Acme Issuing CA 3")
    );
    assert!(page.contains("Acme Issuing CA 3"));
}
