//! Identities that come from the daemon's socket, and from a file that is replaced.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use countersign_connector::protocol::{
    FromConnector, FromDaemon, Lines, PROTOCOL, Push, Report, SecretPem,
};
use countersign_connector::source::{BundleFile, Socket};
use countersign_connector::{Client, Fingerprint, Versions, reload};
use http_body_util::BodyExt;
use hyper::Method;
use tokio::net::{UnixListener, UnixStream};
use zeroize::Zeroizing;

use crate::peers::{Held, Peer, Product, Seen};
use crate::pki::{Credentials, Pki};
use crate::{eventually, in_the_end, request};

const OFTEN: Duration = Duration::from_millis(5);

// === the daemon's socket ===

/// The daemon's end of one conversation, after the hello.
async fn greeted(listener: &UnixListener) -> Lines<UnixStream> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut lines = Lines::new(stream);
    let hello = lines.read::<FromConnector>().await.unwrap().unwrap();
    assert_eq!(
        hello,
        FromConnector::Hello {
            protocol: PROTOCOL,
            connector: "align".to_owned()
        }
    );
    lines
}

fn push(generation: u64, credentials: &Credentials, fingerprint: Fingerprint) -> FromDaemon {
    let bundle_pem = SecretPem::new(Zeroizing::new(credentials.pem()));
    FromDaemon::Identity(Push {
        generation,
        fingerprint,
        bundle_pem,
        drain_seconds: 30,
    })
}

/// Reads reports until one is as wished.
async fn reported(
    daemon: &mut Lines<UnixStream>,
    what: &str,
    wished: impl Fn(&Report) -> bool,
) -> Report {
    let reading = async {
        loop {
            match daemon.read::<FromConnector>().await.unwrap().unwrap() {
                FromConnector::Report(report) if wished(&report) => return report,
                FromConnector::Report(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    in_the_end(what, reading).await
}

#[tokio::test]
async fn a_push_is_followed_and_its_fingerprint_reported_when_it_is_seen_in_use() {
    let pki = Pki::new();
    let held = Held::start().await;
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, Some(held.address));
    let (first, second) = (pki.client("first"), pki.client("second"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("daemon.sock");
    let (publisher, subscription) = reload::channel();
    let client = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .build(subscription.clone())
        .unwrap();
    // So rarely that every report of this test is one on change.
    let source = Socket::new(&path, "align")
        .pauses(OFTEN, OFTEN)
        .report_every(Duration::from_secs(3600));
    // The daemon is not there yet.
    let _running = source.spawn(publisher);
    eventually("an absent daemon is a fault of the source", || {
        client.status().source_fault.is_some()
    })
    .await;

    let listener = UnixListener::bind(&path).unwrap();
    let mut daemon = greeted(&listener).await;
    daemon
        .write(&push(7, &first, first.fingerprint()))
        .await
        .unwrap();
    let report = reported(&mut daemon, "presented", |report| {
        report.presenting.is_some()
    })
    .await;
    assert_eq!(
        (report.presenting, report.handshakes_current),
        (Some(first.fingerprint()), 0)
    );
    assert_eq!(subscription.current().unwrap().number(), Some(7));
    client.request(request(Method::GET, "/")).await.unwrap();
    let report = reported(&mut daemon, "used", |report| report.handshakes_current > 0).await;
    assert_eq!((report.open_current, report.failed), (1, 0));

    // What is not what it says it is, is not taken.
    daemon
        .write(&push(8, &second, first.fingerprint()))
        .await
        .unwrap();
    let report = reported(&mut daemon, "refused", |report| report.fault.is_some()).await;
    assert_eq!(report.presenting, Some(first.fingerprint()));

    let under_way = client.stream(request(Method::GET, "/held")).await.unwrap();
    daemon
        .write(&push(8, &second, second.fingerprint()))
        .await
        .unwrap();
    let swapped = |report: &Report| report.presenting == Some(second.fingerprint());
    let report = reported(&mut daemon, "swapped", swapped).await;
    assert_eq!(report.fault, None);
    let response = client.request(request(Method::GET, "/")).await.unwrap();
    assert_eq!(Seen::of(response.headers()), Seen::full("second"));
    let used = |report: &Report| report.handshakes_current > 0;
    let report = reported(&mut daemon, "the new one used", used).await;
    assert_eq!(
        (report.presenting, report.open_previous),
        (Some(second.fingerprint()), 1)
    );
    held.release();
    let body = under_way.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, Held::BODY);
    let gone = |report: &Report| report.open_previous == 0;
    let report = reported(&mut daemon, "the old one gone", gone).await;
    assert_eq!(report.failed, 0);
}

#[tokio::test]
async fn a_daemon_that_is_away_or_refuses_disturbs_no_request() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (first, second) = (pki.client("first"), pki.client("second"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("daemon.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (publisher, subscription) = reload::channel();
    let client = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .build(subscription.clone())
        .unwrap();
    let _running = Socket::new(&path, "align")
        .pauses(OFTEN, OFTEN)
        .spawn(publisher);
    let mut daemon = greeted(&listener).await;
    daemon
        .write(&push(1, &first, first.fingerprint()))
        .await
        .unwrap();
    let generation = subscription.ready().await.unwrap();
    client.request(request(Method::GET, "/")).await.unwrap();

    drop((daemon, listener));
    std::fs::remove_file(&path).unwrap();
    eventually("the daemon is missed", || {
        client.status().source_fault.is_some()
    })
    .await;
    let response = client.request(request(Method::GET, "/")).await.unwrap();
    assert_eq!(Seen::of(response.headers()).client, "first");

    let listener = UnixListener::bind(&path).unwrap();
    let mut daemon = greeted(&listener).await;
    daemon
        .write(&FromDaemon::Refused {
            reason: "unknown\u{1b}[2J".to_owned(),
        })
        .await
        .unwrap();
    let refused = || {
        client
            .status()
            .source_fault
            .is_some_and(|fault| fault.contains("refuses connector"))
    };
    eventually("the refusal is shown", refused).await;
    let response = client.request(request(Method::GET, "/")).await.unwrap();
    assert_eq!(Seen::of(response.headers()).client, "first");

    // What it had before is no swap; something else is.
    let mut daemon = greeted(&listener).await;
    daemon
        .write(&push(1, &first, first.fingerprint()))
        .await
        .unwrap();
    eventually("the daemon is back", || {
        client.status().source_fault.is_none()
    })
    .await;
    assert_eq!(
        subscription.current().unwrap().serial(),
        generation.serial()
    );
    daemon
        .write(&push(2, &second, second.fingerprint()))
        .await
        .unwrap();
    eventually("the new one is there", || {
        client.status().presenting == Some(second.fingerprint())
    })
    .await;
    assert_eq!(client.status().failed, 0);
}

// === a file ===

fn overwrite(path: &Path, text: &str) {
    File::create(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

#[tokio::test]
async fn a_half_written_or_mismatched_file_leaves_the_identity_until_it_is_whole() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (first, second) = (pki.client("first"), pki.client("second"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bundle.pem");
    overwrite(&path, &first.pem());
    let (publisher, subscription) = reload::channel();
    let client = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .build(subscription.clone())
        .unwrap();
    let _running = BundleFile::new(&path).every(OFTEN).spawn(publisher);
    subscription.ready().await.unwrap();
    let seen = async || {
        Seen::of(
            client
                .request(request(Method::GET, "/"))
                .await
                .unwrap()
                .headers(),
        )
        .client
    };

    let whole = second.pem();
    let (start, rest) = whole.split_at(whole.len() / 2);
    overwrite(&path, start);
    eventually("half a file is a fault", || client.status().fault.is_some()).await;
    assert_eq!(seen().await, "first");
    OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(rest.as_bytes())
        .unwrap();
    eventually("the whole file is taken", || {
        client.status().fault.is_none()
    })
    .await;
    assert_eq!(seen().await, "second");

    // Two files that were delivered one after the other meet here as halves.
    overwrite(&path, &format!("{}{}", first.key_pem, second.leaf_pem));
    eventually("a mismatch is a fault", || client.status().fault.is_some()).await;
    assert_eq!(seen().await, "second");
    std::fs::remove_file(&path).unwrap();
    let missing = || {
        client
            .status()
            .fault
            .is_some_and(|fault| fault.contains("cannot be read"))
    };
    eventually("a missing file is another fault", missing).await;
    assert_eq!(seen().await, "second");
}

#[tokio::test]
async fn the_report_file_tells_everybody_what_is_presented() {
    let pki = Pki::new();
    let peer = Peer::start(Product::Nginx, Versions::Both, &pki, None);
    let (first, second) = (pki.client("first"), pki.client("second"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bundle.pem");
    let report_path = directory.path().join("bundle.pem.report.json");
    overwrite(&path, &first.pem());
    let (publisher, subscription) = reload::channel();
    let client = Client::builder(pki.tls(Versions::Both))
        .base(peer.base())
        .build(subscription.clone())
        .unwrap();
    let _running = BundleFile::new(&path)
        .every(OFTEN)
        .report()
        .spawn(publisher);
    // It is replaced in one step, so that it is whole whenever it is there.
    let report = || {
        let text = std::fs::read(&report_path).ok()?;
        Some(serde_json::from_slice::<Report>(&text).unwrap())
    };
    subscription.ready().await.unwrap();
    client.request(request(Method::GET, "/")).await.unwrap();
    let used = |wished: Fingerprint| {
        report().is_some_and(|report| {
            report.presenting == Some(wished) && report.handshakes_current == 1
        })
    };
    eventually("the first is reported in use", || used(first.fingerprint())).await;

    let next = directory.path().join("next.pem");
    overwrite(&next, &second.pem());
    std::fs::rename(&next, &path).unwrap();
    eventually("the second is presented", || {
        client.status().presenting == Some(second.fingerprint())
    })
    .await;
    client.request(request(Method::GET, "/")).await.unwrap();
    eventually("the second is reported in use", || {
        used(second.fingerprint())
    })
    .await;
    eventually("the old one is reported gone", || {
        report().unwrap().open_previous == 0
    })
    .await;
    let mode = std::fs::metadata(&report_path)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);
}
