//! `probe URL`: what a person sees who has a key, an endpoint and no store.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use countersign_peers::{Nginx, Upstream};

use crate::cli_home::{Home, Opens};
use crate::endpoint::{Endpoint, URL, finding};

#[test]
fn a_healthy_endpoint_is_told_on_one_screen_without_a_store() {
    let endpoint = Endpoint::new();
    let nginx = Nginx::start(endpoint.gateway());
    let said = endpoint
        .probe(nginx.addr(), "ours.pem", &["--for", "nginx"])
        .expect(0)
        .stdout;
    assert!(said.starts_with("accepted at tier Jira"), "{said}");
    assert!(said.lines().count() <= 24, "{said}");
    assert!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "{said}");
    for words in [
        "four of the Jira connector's six suites",
        "a POST of 200 kB passes",
    ] {
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}: {said}");
    }
    assert!(!endpoint.home.path("store").exists(), "no store was made");
}

#[test]
fn every_check_bears_its_sureness_its_owner_and_what_to_do_in_json() {
    let endpoint = Endpoint::new();
    let nginx = Nginx::start(endpoint.gateway());
    let said = endpoint.probe(nginx.addr(), "other.pem", &["--for", "nginx", "--json"]);
    let report = said.expect(1).json();
    assert_eq!(
        (&report["schema"], &report["verdict"]),
        (&1.into(), &"rejected".into())
    );
    let certificate = finding(&report, "certificate");
    assert_eq!(certificate["outcome"], "bad");
    // nginx has one page for every reason.
    assert_eq!(certificate["sureness"], "likely");
    assert!(certificate["doubt"].as_str().unwrap().contains("log"));
    assert_eq!(certificate["owner"], "jira-sec");
    assert!(
        certificate["remedy"]
            .as_str()
            .unwrap()
            .contains("ssl_client_certificate")
    );
    let request = finding(&report, "request");
    assert!(
        request["seen"]
            .as_str()
            .unwrap()
            .contains("ours NOT among them"),
        "{request:#}"
    );
    assert_eq!(request["outcome"], "mind");
    let server = finding(&report, "server-chain");
    assert!(
        server["seen"].as_str().unwrap().contains("days"),
        "{server:#}"
    );
    // And what a retired one must show.
    endpoint
        .probe(nginx.addr(), "other.pem", &["--refused"])
        .expect(0);
    endpoint
        .probe(nginx.addr(), "ours.pem", &["--refused"])
        .expect(1);
}

#[test]
fn without_anchors_nobody_is_believed_and_it_is_said_how_to_get_them() {
    let home = Home::new(Opens::KeyFile);
    let said = home.run(&["probe", URL]).expect(2).stderr;
    assert!(
        said.contains("no trust anchors") && said.contains("--anchors FILE"),
        "{said}"
    );
    let said = home
        .run(&["probe", URL, "--destination", "acme/test"])
        .expect(2)
        .stderr;
    assert!(said.contains("--destination is of an identity"), "{said}");
    let said = home
        .run(&["probe", "align", "--anchors", "x"])
        .expect(2)
        .stderr;
    assert!(said.contains("--anchors goes with a URL"), "{said}");
    let said = home.run(&["probe", "align"]).expect(2).stderr;
    assert!(
        said.contains("--partner PARTNER --environment test"),
        "{said}"
    );
}

#[test]
fn methods_that_are_missing_are_named_with_who_mends_them() {
    let endpoint = Endpoint::new();
    let mut gateway = endpoint.gateway();
    gateway.methods = vec!["GET", "POST"];
    let nginx = Nginx::start(gateway);
    let report = endpoint
        .probe(nginx.addr(), "ours.pem", &["--json"])
        .expect(1)
        .json();
    let methods = finding(&report, "methods");
    assert_eq!(
        methods["seen"],
        "GET passes, POST passes, PUT BLOCKED, DELETE BLOCKED"
    );
    assert_eq!(methods["owner"], "jira-sec");
}

#[test]
fn the_page_is_one_file_that_holds_the_report_and_no_key() {
    let endpoint = Endpoint::new();
    let nginx = Nginx::start(endpoint.gateway());
    endpoint
        .probe(nginx.addr(), "other.pem", &["--page", "probe.html"])
        .expect(1);
    let page = std::fs::read_to_string(endpoint.home.path("probe.html")).unwrap();
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("<h1>rejected at tier"),
        "{page}"
    );
    for loaded in [
        "<script",
        "<img",
        "<link",
        "http-equiv=\"refresh\"",
        "src=",
        "url(",
    ] {
        assert!(!page.contains(loaded), "{loaded}: {page}");
    }
    assert!(!page.contains("PRIVATE KEY"));
}

/// A Jira that takes one token, and remembers every Authorization.
struct CountingJira {
    address: SocketAddr,
    tried: Arc<Mutex<Vec<String>>>,
}

impl CountingJira {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let tried = Arc::new(Mutex::new(Vec::new()));
        let ledger = Arc::clone(&tried);
        // Ends with the process: the listener is never closed.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ledger = Arc::clone(&ledger);
                thread::spawn(move || answer(stream, &ledger));
            }
        });
        Self { address, tried }
    }

    fn tried(&self) -> Vec<String> {
        self.tried.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, ledger: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length, mut given) = (String::new(), 0, None);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if let Some(value) = line.strip_prefix("authorization: ") {
            given = Some(value.trim().to_owned());
        }
        line.clear();
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let head = match given.as_deref() {
        Some("Bearer right") => "200 OK\r\nX-Seraph-LoginReason: OK\r\nX-AUSERNAME: align",
        Some(_) => "401 Unauthorized\r\nX-Seraph-LoginReason: AUTHENTICATED_FAILED",
        None => "401 Unauthorized\r\nX-Seraph-LoginReason: OUT",
    };
    ledger.lock().unwrap().extend(given);
    write!(
        reader.into_inner(),
        "HTTP/1.1 {head}\r\nX-AREQUESTID: 1x2x3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

#[test]
fn an_account_is_tried_once_and_its_secret_is_shown_nowhere() {
    let endpoint = Endpoint::new();
    let jira = CountingJira::start();
    let mut gateway = endpoint.gateway();
    gateway.upstream = Upstream::At(jira.address);
    let nginx = Nginx::start(gateway);
    let probe = |token: &str| {
        let file = format!("method = \"token\"\ntoken = \"{token}\"\n");
        endpoint.home.file("account.toml", file);
        endpoint.probe(
            nginx.addr(),
            "ours.pem",
            &[
                "--account",
                "account.toml",
                "--json",
                "--page",
                "probe.html",
            ],
        )
    };
    let report = probe("right").expect(0).json();
    assert!(
        finding(&report, "account")["seen"]
            .as_str()
            .unwrap()
            .contains("logged in")
    );
    assert_eq!(jira.tried(), ["Bearer right"]);

    let said = probe("hush-hush").expect(1);
    let report = said.json();
    let account = finding(&report, "account");
    assert_eq!(
        (&account["outcome"], &account["owner"]),
        (&"bad".into(), &"jira-mgr".into())
    );
    assert_eq!(
        report["verdict"], "accepted",
        "the certificate is another matter"
    );
    assert_eq!(jira.tried(), ["Bearer right", "Bearer hush-hush"]);
    let page = std::fs::read_to_string(endpoint.home.path("probe.html")).unwrap();
    for text in [&said.stdout, &said.stderr, &page] {
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn an_account_is_not_shown_to_a_gateway_that_refuses_us_nor_read_from_an_open_file() {
    use std::os::unix::fs::PermissionsExt;
    let endpoint = Endpoint::new();
    let jira = CountingJira::start();
    let mut gateway = endpoint.gateway();
    gateway.upstream = Upstream::At(jira.address);
    let nginx = Nginx::start(gateway);
    let path = endpoint
        .home
        .file("account.toml", "method = \"token\"\ntoken = \"right\"\n");
    let account = ["--account", "account.toml"];
    endpoint
        .probe(nginx.addr(), "other.pem", &account)
        .expect(1);
    assert!(jira.tried().is_empty());
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    let said = endpoint.probe(nginx.addr(), "ours.pem", &account);
    assert!(said.stderr.contains("others may read it"), "{said:?}");
    assert!(jira.tried().is_empty());
}
