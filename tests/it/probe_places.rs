//! Probes of what the store holds: all places at once, one place over and over, and daily without being told.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::config::Config;
use countersign::model::{Clock, Destination, IdentityName, Verdict};
use countersign::records::{KeyFile, Records, Unlock};
use countersign::service::{Service, system_clock};
use countersign_peers::{Authority, Clients, Gateway, Nginx, Purpose, Request};
use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};

use crate::cli_home::{Home, Opens};

/// An identity that some partners trust, and gateways of them.
struct Scene {
    home: Home,
    server: Authority,
    clients: Authority,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            home: Home::with_store(Opens::KeyFile),
            server: Authority::root("server root"),
            clients: Authority::root("client root"),
        };
        let ours = scene
            .clients
            .issue(&Request::new(Purpose::Client, "connector.align.test"));
        scene.home.file("old.pem", ours.bundle_pem());
        scene.home.file("anchors.pem", scene.server.pem());
        scene
            .home
            .ok(&["issuer", "create", "ca", "--common-name", "Align"]);
        scene
    }

    /// With the identity in use.
    fn adopted(self) -> Self {
        self.home.ok(&[
            "identity", "adopt", "jira", "old.pem", "--issuer", "ca", "--policy", "own",
        ]);
        self
    }

    fn gateway(&self, trusted: &Authority) -> Gateway {
        let server = self.server.server("gateway.test");
        Gateway::new(&server, Clients::Anchored(trusted.pem()))
    }

    /// A configuration in which each of these trusts an identity.
    fn partners(&self, partners: &[(&str, &str, SocketAddr)]) {
        let mut text = r#"
[store]
key-file = "store.key"
[ops]
name = "Align Ops"
[policies]
directory = "policies"
[issuer.ca]
kind = "local-ca"
approved-domains = ["align.test"]
"#
        .to_owned();
        for (partner, identity, address) in partners {
            text += &format!(
                r#"
[partner.{partner}]
title = "{partner}"
[[partner.{partner}.contact]]
name = "Jo Doe"
email = "sec@{partner}.test"
role = "jira-sec"
[partner.{partner}.production]
identity = "{identity}"
endpoint = "https://gateway.test:{port}"
anchors = "anchors.pem"
gateway = "nginx"
resolve = ["{address}"]
"#,
                port = address.port(),
            );
        }
        self.home.file("countersign.toml", text);
    }
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn all_places_are_probed_with_one_command_by_the_daemon_or_without() {
    let scene = Scene::new();
    let good = Nginx::start(scene.gateway(&scene.clients));
    let mut narrow = scene.gateway(&scene.clients);
    narrow.methods = vec!["GET", "POST"];
    let narrow = Nginx::start(narrow);
    let other = Nginx::start(scene.gateway(&Authority::root("another root")));
    scene.partners(&[("acme", "jira", good.addr())]);
    let mut scene = scene.adopted();
    scene.home.ok(&["probe", "--all"]);
    scene.partners(&[
        ("acme", "jira", good.addr()),
        ("beta", "jira", narrow.addr()),
        ("delta", "jira", nobody()),
        ("eta", "later", good.addr()),
        ("gamma", "jira", other.addr()),
    ]);
    let check = |home: &Home| {
        let said = home.run(&["probe", "--all", "--at-once", "2"]).expect(1);
        let lines: Vec<&str> = said
            .stdout
            .lines()
            .filter(|l| !l.starts_with(' '))
            .collect();
        assert_eq!(
            lines,
            [
                "accepted      acme/production with jira",
                "accepted, but beta/production with jira",
                "unreachable   delta/production with jira",
                "not probed    eta/production with later",
                "rejected      gamma/production with jira",
                "1 of 5 places are as they should be",
            ],
            "{said:#?}"
        );
        assert!(
            said.stdout
                .contains("methods: GET passes, POST passes, PUT BLOCKED"),
            "{said:#?}"
        );
        assert!(
            said.stdout.lines().all(|line| line.len() <= 80),
            "{said:#?}"
        );
        assert!(said.stderr.contains("5/5 "), "how far it is: {said:#?}");
        let json = home.run(&["--json", "probe", "--all"]).expect(1).json();
        assert_eq!(json["schema"], 1);
        let places = json["places"].as_array().unwrap();
        let verdicts: Vec<_> = places
            .iter()
            .map(|p| p["report"]["verdict"].as_str())
            .collect();
        assert_eq!(
            verdicts,
            [
                Some("accepted"),
                Some("accepted"),
                Some("unreachable"),
                None,
                Some("rejected")
            ]
        );
        assert!(places[3]["error"]["message"].is_string(), "{json:#}");
        assert!(places[0]["error"].is_null(), "{json:#}");
    };
    check(&scene.home);
    scene.home.start_daemon();
    check(&scene.home);
    // They are remembered as those by hand are.
    let history = scene.home.json(&[
        "probe",
        "history",
        "jira",
        "--destination",
        "gamma/production",
    ]);
    let stretches = &history["destinations"][0]["stretches"];
    assert_eq!(
        (&stretches[0]["verdict"], &stretches[0]["probes"]),
        (&"rejected".into(), &4.into())
    );
}

#[test]
fn a_claim_is_told_of_when_the_wire_says_something_new_and_not_at_every_probe() {
    let scene = Scene::new();
    let mut nginx = Nginx::start(scene.gateway(&scene.clients));
    scene.partners(&[("acme", "jira", nginx.addr())]);
    let scene = scene.adopted();
    let probe = |times: usize| {
        for _ in 0..times {
            let at = "acme/production";
            scene.home.run(&["probe", "jira", "--destination", at]);
        }
        let told = scene.home.json(&["audit", "show", "--limit", "1000"]);
        let entries = told["entries"].as_array().unwrap();
        entries
            .iter()
            .filter(|entry| entry["action"] == "claim-probed")
            .count()
    };
    assert_eq!(probe(3), 1);
    nginx.reload(scene.gateway(&Authority::root("another root")));
    assert_eq!(probe(3), 2);
    nginx.reload(scene.gateway(&scene.clients));
    assert_eq!(probe(1), 3);
}

#[test]
fn what_goes_with_one_place_is_refused_with_all_of_them() {
    let home = Home::new(Opens::KeyFile);
    for more in [
        &["jira"][..],
        &["--generation", "next"],
        &["--refused"],
        &["--page", "x.html"],
        &["--watch"],
        &["--anchors", "x.pem"],
    ] {
        home.run(&[&["probe", "--all"], more].concat()).expect(2);
    }
    home.run(&["probe", "--all", "--at-once", "0"]).expect(2);
    home.run(&["probe", "jira", "--at-once", "4"]).expect(2);
}

#[test]
fn a_watch_says_what_changes_and_ends_when_interrupted_with_the_last_verdict() {
    let scene = Scene::new();
    let mut nginx = Nginx::start(scene.gateway(&scene.clients));
    let at = nginx.addr().to_string();
    let mut watch = scene
        .home
        .command(&[
            "probe",
            "https://gateway.test",
            "--identity",
            "old.pem",
            "--anchors",
            "anchors.pem",
            "--resolve",
            &at,
            "--watch",
            "--every",
            "1s",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut results = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut said = BufReader::new(watch.stderr.take().unwrap()).lines();
    let first = results.next().unwrap().unwrap();
    assert!(first.starts_with("accepted at tier Jira"), "{first}");
    let other = Authority::root("another root");
    nginx.reload(scene.gateway(&other));
    // A probe may have come before the change.
    let change = said
        .by_ref()
        .map(Result::unwrap)
        .find(|line| !line.ends_with("as before"))
        .unwrap();
    assert!(
        change.contains("accepted at tier Jira became rejected at tier"),
        "{change}"
    );
    let report = results
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.starts_with("rejected at tier"));
    assert!(report.is_some());
    // At once: it is still printing the rest.
    kill_process(Pid::from_child(&watch), Signal::INT).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(1));
}

/// A clock that only we move.
struct Moved {
    from: Timestamp,
    by: AtomicI64,
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.from + SignedDuration::from_secs(self.by.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn daily_probes_come_once_a_day_survive_a_restart_and_tell_of_a_change() {
    const HOUR: i64 = 3600;
    let scene = Scene::new();
    let mut nginx = Nginx::start(scene.gateway(&scene.clients));
    scene.partners(&[("acme", "jira", nginx.addr())]);
    let scene = scene.adopted();
    let clock = Arc::new(Moved {
        from: system_clock().now(),
        by: AtomicI64::new(0),
    });
    let open = || {
        let key = KeyFile::read(&scene.home.path("store.key")).unwrap();
        let records = Records::open(&scene.home.path("store"), &Unlock::KeyFile(key)).unwrap();
        let config = Config::load(&scene.home.path("countersign.toml")).unwrap();
        Service::new(records, config, clock.clone(), None)
    };
    let due_at = |service: &Service, hours: i64| {
        clock.by.store(hours * HOUR, Ordering::SeqCst);
        service.daily_probes_due(clock.now()).unwrap()
    };
    let jira: IdentityName = "jira".parse().unwrap();
    let acme: Destination = "acme/production".to_owned().try_into().unwrap();
    let place = vec![(jira.clone(), acme.clone())];

    let service = open();
    // It was just taken in; the spread is of four hours at most.
    assert_eq!(due_at(&service, 0), []);
    assert_eq!(due_at(&service, 19), []);
    assert_eq!(due_at(&service, 25), place);
    let (report, changed) = service.daily_probe(&jira, &acme).await.unwrap();
    assert_eq!(
        (report.verdict, changed),
        (Verdict::Accepted, false),
        "{report:#?}"
    );
    assert_eq!(due_at(&service, 25), []);
    drop(service);

    // A restart neither repeats it nor forgets it.
    let service = open();
    assert_eq!(due_at(&service, 25 + 19), []);
    assert_eq!(due_at(&service, 25 + 25), place);
    let (_, changed) = service.daily_probe(&jira, &acme).await.unwrap();
    assert!(!changed);
    assert_eq!(due_at(&service, 51), []);

    // What changed at the gateway is seen by the next one, once.
    nginx.reload(scene.gateway(&Authority::root("another root")));
    assert_eq!(due_at(&service, 75), place);
    let (report, changed) = service.daily_probe(&jira, &acme).await.unwrap();
    assert_eq!(
        (report.verdict, changed),
        (Verdict::Rejected, true),
        "{report:#?}"
    );
    due_at(&service, 100);
    let (_, changed) = service.daily_probe(&jira, &acme).await.unwrap();
    assert!(!changed);

    // A clock that is set back does not silence us until it has caught up.
    assert_eq!(due_at(&service, 10), place);
    drop(service);
    let history = scene.home.json(&["probe", "history", "jira"]);
    let stretches = history["destinations"][0]["stretches"].as_array().unwrap();
    let seen: Vec<_> = stretches
        .iter()
        .map(|s| {
            (
                s["verdict"].as_str().unwrap(),
                s["probes"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, [("accepted", 2), ("rejected", 2)]);
}
