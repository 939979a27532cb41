//! OAuth 1.0a at Jira, over the wire: a Jira whose server half is oauthlib.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use countersign_peers::{
    Authority, Backend, Clients, Gateway, Heard, Nginx, OauthClient, Upstream, openssl,
};
use serde_json::Value;

use crate::{
    cli_home::{Home, Opens},
    endpoint::{URL, finding},
    world::Outcome,
};

const CONSUMER: &str = "countersign";
const TOKEN: &str = "hush-access-token-1";

/// A gateway, a Jira behind it that knows one application link, and the files of whoever logs in by it.
struct Scene {
    home: Home,
    nginx: Nginx,
    tried: Arc<Mutex<Vec<String>>>,
    // It ends with the scene.
    _jira: Backend,
}

impl Scene {
    /// `seen_by_jira` is the address under which Jira is asked, as it believes.
    fn new(seen_by_jira: &'static str) -> Self {
        let key = openssl::rsa_key(2048, "pkcs1");
        let link = OauthClient {
            consumer_key: CONSUMER.to_owned(),
            token: TOKEN.to_owned(),
            public_key: openssl::public_key(&key),
        };
        let tried = Arc::new(Mutex::new(Vec::new()));
        let ledger = Arc::clone(&tried);
        let jira = Backend::hearing(move |heard| answer(heard, &link, seen_by_jira, &ledger));

        let server = Authority::root("server root");
        let clients = Authority::root("client root");
        let mut gateway = Gateway::new(
            &server.server("gateway.test"),
            Clients::Anchored(clients.pem()),
        );
        gateway.upstream = Upstream::At(jira.addr());
        let home = Home::new(Opens::KeyFile);
        let ours = clients.client("connector.test");
        home.file("ours.pem", ours.bundle_pem());
        home.file("anchors.pem", server.pem());
        home.file("link/jira.pem", key);
        Self {
            home,
            nginx: Nginx::start(gateway),
            tried,
            _jira: jira,
        }
    }

    fn probe(&self, consumer: &str, token: &str) -> Outcome {
        let account = format!(
            "method = \"oauth1\"\nconsumer-key = \"{consumer}\"\nprivate-key-file = \"jira.pem\"\ntoken = \"{token}\"\n"
        );
        self.home.file("link/account.toml", account);
        let at = self.nginx.addr().to_string();
        self.home.run(&[
            "probe",
            URL,
            "--identity",
            "ours.pem",
            "--anchors",
            "anchors.pem",
            "--resolve",
            &at,
            "--account",
            "link/account.toml",
            "--json",
            "--page",
            "probe.html",
        ])
    }

    fn tried(&self) -> usize {
        self.tried.lock().unwrap().len()
    }
}

/// As Jira answers: who is signed for is logged in, and who is not is told which problem there is.
fn answer(heard: &Heard, link: &OauthClient, seen: &str, ledger: &Mutex<Vec<String>>) -> String {
    let plain = |status: &str, headers: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nX-AREQUESTID: 1x2x3\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let Some(authorization) = &heard.authorization else {
        return plain("401 Unauthorized", "X-Seraph-LoginReason: OUT\r\n", "");
    };
    ledger.lock().unwrap().push(authorization.clone());
    let url = format!("{seen}{}", heard.path);
    match link.judge(&heard.method, &url, authorization) {
        Ok(()) => plain(
            "200 OK",
            "X-Seraph-LoginReason: OK\r\nX-AUSERNAME: align\r\n",
            "{}",
        ),
        Err(problem) => plain(
            "401 Unauthorized",
            &format!("WWW-Authenticate: OAuth realm=\"jira\", oauth_problem=\"{problem}\"\r\n"),
            &format!("oauth_problem={problem}"),
        ),
    }
}

fn account(report: &Value) -> &Value {
    finding(report, "account")
}

#[test]
fn a_foreign_server_takes_our_signature() {
    let scene = Scene::new(URL);
    let said = scene.probe(CONSUMER, TOKEN).expect(0);
    let report = said.json();
    let found = account(&report);
    assert_eq!(found["outcome"], "good", "{found:#}");
    assert!(
        found["seen"].as_str().unwrap().contains("logged in"),
        "{found:#}"
    );
    assert_eq!(scene.tried(), 1);
}

#[test]
fn what_the_foreign_server_does_not_take_is_named_with_its_owner_tried_once_and_shows_no_secret() {
    let scene = Scene::new(URL);
    let cases = [
        (CONSUMER, "hush-other", "token_rejected", "jira-mgr"),
        ("nobody-we-know", TOKEN, "consumer_key_unknown", "jira-mgr"),
    ];
    for (number, (consumer, token, problem, owner)) in cases.into_iter().enumerate() {
        let said = scene.probe(consumer, token).expect(1);
        let report = said.json();
        let found = account(&report);
        assert!(
            found["seen"].as_str().unwrap().contains(problem),
            "{found:#}"
        );
        assert_eq!(
            (&found["outcome"], &found["owner"]),
            (&"bad".into(), &owner.into())
        );
        assert_eq!(report["verdict"], "accepted");
        assert_eq!(scene.tried(), number + 1);
        let page = std::fs::read_to_string(scene.home.path("probe.html")).unwrap();
        for text in [&said.stdout, &said.stderr, &page] {
            assert!(
                !text.contains("hush") && !text.contains("oauth_signature=\""),
                "{text}"
            );
        }
    }
}

#[test]
fn a_gateway_that_rewrites_the_address_spoils_the_signature() {
    let scene = Scene::new("http://jira-int:8080");
    let report = scene.probe(CONSUMER, TOKEN).expect(1).json();
    let found = account(&report);
    assert!(
        found["seen"]
            .as_str()
            .unwrap()
            .contains("signature_invalid"),
        "{found:#}"
    );
    let remedy = found["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("proxyName") && remedy.contains("public key"),
        "{remedy}"
    );
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let scene = Scene::new(URL);
    let key = scene.home.path("link/jira.pem");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o640)).unwrap();
    let said = scene.probe(CONSUMER, TOKEN);
    assert!(
        said.stderr.contains("private key file") && said.stderr.contains("others may read it"),
        "{said:?}"
    );
    std::fs::remove_file(&key).unwrap();
    let said = scene.probe(CONSUMER, TOKEN);
    assert!(said.stderr.contains("link/jira.pem"), "{said:?}");
    scene.home.file("link/jira.pem", "hush");
    let said = scene.probe(CONSUMER, TOKEN).expect(2);
    assert!(
        said.stderr.contains("no RSA key") && !said.stderr.contains("hush"),
        "{said:?}"
    );
    assert_eq!(scene.tried(), 0);
}
