//! The probe of an identity of the store, and what only a store can do: log in through a daemon.

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

use countersign_peers::{
    Authority, Backend, Clients, Gateway, Heard, Identity, Nginx, OauthClient, Upstream, openssl,
};
use serde_json::Value;

use crate::{
    cli_home::{Home, Opens},
    endpoint::finding,
    world::Outcome,
};

/// A store with an identity that was in use before, and its partner's gateway.
pub(crate) struct Installation {
    pub(crate) home: Home,
    pub(crate) servers: Authority,
    pub(crate) nginx: Nginx,
    name: String,
}

pub(crate) const DESTINATION: &str = "acme/production";

impl Installation {
    /// With the store open to nobody yet.
    pub(crate) fn new(name: &str, upstream: Upstream) -> Self {
        let clients = Authority::root("client root");
        let ours = clients.client("connector.align.test");
        Self::with(name, upstream, &clients, &ours)
    }

    /// The same with an identity that was issued elsewhere; the gateway trusts `clients`.
    pub(crate) fn with(
        name: &str,
        upstream: Upstream,
        clients: &Authority,
        ours: &Identity,
    ) -> Self {
        let servers = Authority::root("server root");
        let mut gateway = Gateway::new(
            &servers.server("gateway.test"),
            Clients::Anchored(clients.pem()),
        );
        gateway.upstream = upstream;
        let nginx = Nginx::start(gateway);
        let home = Home::with_store(Opens::KeyFile);
        home.file("ours.pem", ours.key_pem() + &ours.chain_pem());
        let installation = Self {
            home,
            servers,
            nginx,
            name: name.to_owned(),
        };
        let configuration = fs::read_to_string(installation.home.path("countersign.toml")).unwrap();
        installation.home.file(
            "countersign.toml",
            configuration.replace(
                "identity = \"jira\"\nendpoint = \"https://127.0.0.1:1\"\nanchors = \"root.pem\"\n",
                &format!(
                    "identity = \"{name}\"\nendpoint = \"https://gateway.test\"\nanchors = \"servers.pem\"\nresolve = [\"{}\"]\n",
                    installation.nginx.addr()
                ),
            ),
        );
        installation.believe(&[&installation.servers]);
        installation.home.ok(&[
            "identity", "adopt", name, "ours.pem", "--issuer", "ca", "--policy", "own",
        ]);
        installation
    }

    /// Whose server certificates are believed.
    pub(crate) fn believe(&self, anchors: &[&Authority]) {
        let pem: String = anchors.iter().map(|anchor| anchor.pem()).collect();
        self.home.file("servers.pem", pem);
    }

    pub(crate) fn probe(&self, more: &[&str]) -> Outcome {
        let usual = ["probe", &self.name, "--destination", DESTINATION];
        self.home.run(&[&usual, more].concat())
    }
}

/// A Jira that takes one token and one application link, and remembers every attempt.
struct Jira {
    backend: Backend,
    tried: Arc<Mutex<Vec<String>>>,
}

impl Jira {
    fn start(link: OauthClient) -> Self {
        let tried = Arc::new(Mutex::new(Vec::new()));
        let ledger = Arc::clone(&tried);
        let backend = Backend::hearing(move |heard: &Heard| {
            let given = heard.authorization.clone();
            ledger.lock().unwrap().extend(given.clone());
            let url = format!("https://gateway.test{}", heard.path);
            let known = given.as_deref().is_some_and(|given| {
                given == "Bearer right"
                    || (given.starts_with("OAuth ") && link.judge("GET", &url, given).is_ok())
            });
            let head = match (known, given.is_some()) {
                (true, _) => "200 OK\r\nX-Seraph-LoginReason: OK\r\nX-AUSERNAME: align",
                (_, true) => "401 Unauthorized\r\nX-Seraph-LoginReason: AUTHENTICATED_FAILED",
                _ => "401 Unauthorized\r\nX-Seraph-LoginReason: OUT",
            };
            format!(
                "HTTP/1.1 {head}\r\nX-AREQUESTID: 1x2x3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        });
        Self { backend, tried }
    }

    fn tried(&self) -> usize {
        self.tried.lock().unwrap().len()
    }
}

/// What the audit log tells of logins.
fn told(home: &Home) -> (Vec<Value>, Vec<Value>) {
    let of = |action| {
        let shown = home.json(&["audit", "show", "--action", action]);
        shown["entries"].as_array().unwrap().clone()
    };
    (of("login-asked"), of("login-ended"))
}

#[test]
fn an_account_is_tried_once_with_and_without_a_daemon_and_told_of_without_its_secrets() {
    let key = openssl::rsa_key(2048, "pkcs8");
    let jira = Jira::start(OauthClient {
        consumer_key: "countersign".to_owned(),
        token: "hush-access".to_owned(),
        public_key: openssl::public_key(&key),
    });
    let mut installation = Installation::new("jira", Upstream::At(jira.backend.addr()));
    let home = &installation.home;
    home.file("right.toml", "method = \"token\"\ntoken = \"right\"\n");
    home.file("wrong.toml", "method = \"token\"\ntoken = \"hush-hush\"\n");
    home.file("link.pem", &key);
    home.file(
        "link.toml",
        "method = \"oauth1\"\nconsumer-key = \"countersign\"\nprivate-key-file = \"link.pem\"\ntoken = \"hush-access\"\n",
    );
    let mut said = Vec::new();
    let mut expected = 0;
    for daemon in [false, true] {
        if daemon {
            let trace = [("COUNTERSIGN_LOG", "trace")];
            installation.home.start_daemon_with(&trace);
        }
        for (file, code, outcome) in [
            ("right.toml", 0, "good"),
            ("wrong.toml", 1, "bad"),
            ("link.toml", 0, "good"),
        ] {
            let probed = installation
                .probe(&["--account", file, "--json"])
                .expect(code);
            let report = probed.json();
            assert_eq!(
                finding(&report, "account")["outcome"],
                outcome,
                "{report:#}"
            );
            assert_eq!(report["verdict"], "accepted");
            expected += 1;
            assert_eq!(jira.tried(), expected, "{file}");
            said.push(format!("{probed:?}"));
        }
    }
    // An identity is probed without an account as before.
    installation.probe(&[]).expect(0);
    assert_eq!(jira.tried(), expected);

    let home = &installation.home;
    let (asked, ended) = told(home);
    assert_eq!((asked.len(), ended.len()), (6, 6), "{asked:#?}");
    let methods: Vec<_> = asked.iter().map(|entry| &entry["method"]).collect();
    assert_eq!(methods[..3], ["token", "token", "oauth1"]);
    assert_eq!(ended[1]["found"], "bad");
    assert_eq!(ended[1]["asked"], asked[1]["sequence"]);
    assert_eq!(asked[0]["identity"], "jira");
    said.push(format!("{asked:?}{ended:?}"));
    said.push(home.daemon_log());
    said.push(format!("{:?}", home.ok(&["probe", "history", "jira"])));
    let der = key.lines().nth(5).unwrap();
    for text in said {
        assert!(!text.contains("hush") && !text.contains(der), "{text}");
    }
    installation.home.stop_daemon();
}

#[test]
fn an_account_is_not_tried_where_the_certificate_is_refused() {
    let jira = Jira::start(OauthClient {
        consumer_key: String::new(),
        token: String::new(),
        public_key: String::new(),
    });
    let stranger = Authority::root("another root").client("connector.align.test");
    let clients = Authority::root("client root");
    let mut installation = Installation::with(
        "jira",
        Upstream::At(jira.backend.addr()),
        &clients,
        &stranger,
    );
    installation
        .home
        .file("right.toml", "method = \"token\"\ntoken = \"right\"\n");
    installation.home.start_daemon();
    installation.probe(&["--account", "right.toml"]).expect(1);
    assert_eq!(jira.tried(), 0);
    let (asked, ended) = told(&installation.home);
    assert_eq!((asked.len(), ended.len()), (1, 1));
    assert_eq!(ended[0]["found"], Value::Null);
    // What cannot be probed is neither tried nor told of.
    let nobody = [
        "probe",
        "nobody",
        "--destination",
        DESTINATION,
        "--account",
        "right.toml",
    ];
    let said = installation.home.run(&nobody);
    assert_ne!(said.code, Some(0), "{said:?}");
    assert_eq!(told(&installation.home).0.len(), 1);
    // And HTTP alone is not the way for it.
    let plain = Command::new("curl")
        .args([
            "--silent",
            "--data",
            "{}",
            "http://localhost/v1/probe",
            "--unix-socket",
        ])
        .arg(installation.home.path("run/control.sock"))
        .output()
        .unwrap();
    let plain = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(plain.contains("does not come by HTTP"), "{plain}");
    installation.home.stop_daemon();
}

#[test]
fn a_server_with_another_issuer_or_key_is_told_once_with_when_it_was_last_seen() {
    let mut installation = Installation::new("jira", Upstream::JiraStandIn);
    let other = Authority::root("other server root");
    installation.believe(&[&installation.servers, &other]);
    let chain = |installation: &Installation| {
        let report = installation.probe(&["--json"]).expect(0).json();
        finding(&report, "server-chain").clone()
    };
    let serve = |installation: &mut Installation, server: &Identity| {
        let mut gateway = installation.nginx.gateway().clone();
        gateway.server_pem = server.bundle_pem();
        installation.nginx.reload(gateway);
    };
    // The first probe has nothing to compare with.
    assert_eq!(chain(&installation)["outcome"], "good");
    let history = installation.home.json(&["probe", "history", "jira"]);
    let last = history["destinations"][0]["stretches"][0]["last"].clone();
    let day = &last.as_str().unwrap()[..10];

    serve(&mut installation, &other.server("gateway.test"));
    let found = chain(&installation);
    assert_eq!(
        (&found["outcome"], &found["owner"]),
        (&"mind".into(), &"jira-sec".into())
    );
    let seen = found["seen"].as_str().unwrap();
    for words in ["`CN=server root`", "`CN=other server root`", day] {
        assert!(seen.contains(words), "{words}: {seen}");
    }
    assert!(
        found["remedy"]
            .as_str()
            .unwrap()
            .contains("whether this change was meant")
    );
    // It is remembered, and is no news the next time.
    assert_eq!(chain(&installation)["outcome"], "good");

    serve(&mut installation, &other.server("gateway.test"));
    let found = chain(&installation);
    assert_eq!(found["outcome"], "mind");
    assert!(
        found["seen"].as_str().unwrap().contains("another key"),
        "{found:#}"
    );
    assert_eq!(chain(&installation)["outcome"], "good");

    // A server that is not believed any more is told with what it was.
    let stranger = Authority::root("stranger root");
    serve(&mut installation, &stranger.server("gateway.test"));
    let report = installation.probe(&["--json"]).expect(1).json();
    let found = finding(&report, "server-chain");
    assert_eq!(found["outcome"], "bad");
    let seen = found["seen"].as_str().unwrap();
    assert!(
        seen.contains("none of our anchors")
            && seen.contains("`CN=other server root` when it was last seen"),
        "{seen}"
    );
}

#[test]
fn an_intermediate_that_the_store_knows_is_tried_once_and_refusal_is_not_proven() {
    let root = Authority::root("client root");
    let issuing = root.intermediate("client issuing CA");
    let ours = issuing
        .client("connector.align.test")
        .without_intermediates();
    let installation = Installation::with("jira", Upstream::JiraStandIn, &root, &ours);
    // Nobody has told us of it yet.
    let report = installation.probe(&["--json"]).expect(1).json();
    let certificate = finding(&report, "certificate");
    assert_eq!(
        (&certificate["sureness"], &certificate["owner"]),
        (&"likely".into(), &"jira-sec".into())
    );
    installation.probe(&["--refused"]).expect(0);
    // Anchors that the configuration names may hold it.
    installation.believe(&[&installation.servers, &issuing]);
    let report = installation.probe(&["--json"]).expect(1).json();
    let certificate = finding(&report, "certificate");
    assert_eq!(
        (&certificate["sureness"], &certificate["owner"]),
        (&"certain".into(), &"ops".into()),
        "{certificate:#}"
    );
    assert_eq!(report["verdict"], "rejected");
    assert_eq!(report["addresses"][0]["other_chain"]["let_in"], true);
    let seen = certificate["seen"].as_str().unwrap();
    assert!(
        seen.contains("`CN=client issuing CA` it was let in"),
        "{seen}"
    );
    // Whoever has the key and the intermediate gets in.
    installation.probe(&["--refused"]).expect(1);
}

#[test]
fn an_identity_that_is_called_history_is_probed_by_its_name() {
    let installation = Installation::new("history", Upstream::JiraStandIn);
    let (partner, environment) = DESTINATION.split_once('/').unwrap();
    installation.probe(&[]).expect(0);
    let in_two = [
        "probe",
        "history",
        "--partner",
        partner,
        "--environment",
        environment,
    ];
    installation.home.ok(&in_two);
    let before = ["probe", "--destination", DESTINATION, "--", "history"];
    installation.home.ok(&before);

    let said = installation.home.json(&["probe", "history", "history"]);
    assert_eq!(said["identity"], "history");
    assert_eq!(said["destinations"][0]["stretches"][0]["probes"], 3);
    let there = ["probe", "history", "history", "--destination", DESTINATION];
    assert_eq!(installation.home.json(&there), said);

    let said = installation
        .home
        .run(&["probe", "history"])
        .expect(2)
        .stderr;
    assert!(
        said.contains("not said where to probe") && said.contains("probe history IDENTITY"),
        "{said}"
    );
    let said = installation
        .home
        .run(&["probe", "history", "history", "--watch"])
        .expect(2)
        .stderr;
    assert!(said.contains("--watch is of a probe"), "{said}");
}
