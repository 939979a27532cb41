//! A busy daemon is killed at random instants, again and again: what it acknowledged is there, and it comes back.
//!
//! Clients make identities and hand in mails through the control socket, and remember what they were told. A request that
//! was under way is in doubt: it is repeated, and has happened once in the end.
//! A few deaths here; `scripts/durability kill` dies a thousand times (`COUNTERSIGN_KILLS`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use countersign_peers::eventually;
use serde_json::{Value, json};

use crate::cli_home::{Home, Opens};

/// After so many deaths everything is looked at, and not only what is new.
const INTERVAL: u64 = 25;

/// Clients that make identities; one more hands in mails.
const MAKERS: usize = 2;

#[test]
fn nothing_acknowledged_is_lost_when_a_busy_daemon_is_killed_at_random() {
    die_often("redb", kills(24));
}

#[test]
fn nothing_acknowledged_is_lost_with_sled_either() {
    die_often("sled", kills(16));
}

fn kills(here: u64) -> u64 {
    match std::env::var("COUNTERSIGN_KILLS") {
        Ok(count) => count.parse().expect("COUNTERSIGN_KILLS is a number"),
        Err(_) => here,
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what `scripts/durability` is for"
)]
fn die_often(engine: &str, kills: u64) {
    let mut home = Home::new(Opens::KeyFile);
    home.ok(&["store", "init", "--engine", engine]);
    let told = Arc::new(Told::default());
    let mut killed_at_work = 0;
    for death in 1..=kills {
        home.launch_daemon();
        // Now and then it dies before it answers.
        if death % 8 == 0 {
            thread::sleep(fraction(death, 0..60));
            home.kill_daemon();
        } else {
            let socket = home.path("run/control.sock");
            eventually("the daemon answers", || UnixStream::connect(&socket).ok());
            for (identity, expected) in told.new_identities() {
                assert_eq!(shown(&socket, &identity), Some(expected), "{identity}");
            }
            killed_at_work += u64::from(work_until_killed(&mut home, &told, death));
        }
        if death % INTERVAL == 0 || death == kills {
            assert_whole(&mut home, &told);
            let (identities, mails) = told.counts();
            println!(
                "{engine}: {death} of {kills} killed, {identities} identities and {mails} mails are there"
            );
        }
    }
    let (identities, mails) = told.counts();
    println!(
        "{engine}: {kills} killed, {killed_at_work} of them with requests under way; {identities} identities and \
         {mails} mails acknowledged, none lost"
    );
    assert!(killed_at_work > 0 && identities > 0 && mails > 0);
}

/// Keeps the daemon busy, kills it, and returns whether somebody was waiting for an answer then.
fn work_until_killed(home: &mut Home, told: &Arc<Told>, death: u64) -> bool {
    let socket = home.path("run/control.sock");
    let answers = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..=MAKERS)
        .map(|number| {
            let (socket, told, answers) = (socket.clone(), Arc::clone(told), Arc::clone(&answers));
            thread::spawn(move || client(number, &socket, &told, &answers))
        })
        .collect();
    let wanted = death % 7;
    eventually("there are answers", || {
        (answers.load(Ordering::Acquire) >= wanted).then_some(())
    });
    thread::sleep(fraction(death, 0..40));
    home.kill_daemon();
    let broken = clients.into_iter().map(|client| client.join().unwrap());
    broken.filter(|broken| *broken).count() > 0
}

/// Works until nobody answers; whether that was in the middle of a request.
fn client(number: usize, socket: &Path, told: &Told, answers: &AtomicU64) -> bool {
    loop {
        let outcome = if number < MAKERS {
            told.make_identity(number, socket)
        } else {
            told.hand_in_mail(socket)
        };
        match outcome {
            Outcome::Answered => drop(answers.fetch_add(1, Ordering::AcqRel)),
            Outcome::BrokenOff => return true,
            Outcome::NobodyThere => return false,
        }
    }
}

/// Looks at everything that was ever acknowledged.
fn assert_whole(home: &mut Home, told: &Told) {
    home.ok(&["store", "verify"]);
    home.launch_daemon();
    let socket = home.path("run/control.sock");
    eventually("the daemon answers", || UnixStream::connect(&socket).ok());
    for (identity, expected) in told.identities.lock().unwrap().iter() {
        assert_eq!(
            shown(&socket, identity).as_ref(),
            Some(expected),
            "{identity}"
        );
    }
    let (_, exchange) = ask(
        &socket,
        "POST /v1/call",
        &json!({"request": "exchange-status"}),
    )
    .answered();
    let kept: BTreeSet<_> = exchange["mails"]
        .as_array()
        .unwrap_or_else(|| panic!("{exchange}"))
        .iter()
        .map(|mail| mail["message_id"].as_str().unwrap().to_owned())
        .collect();
    for mail in told.mails.lock().unwrap().iter() {
        assert!(kept.contains(mail), "{mail} was acknowledged and is lost");
    }
    home.kill_daemon();
}

/// What an identity presents: the fingerprint of its first generation.
fn shown(socket: &Path, identity: &str) -> Option<String> {
    let path = format!("GET /v1/identities/{identity}");
    let (code, view) = ask(socket, &path, &Value::Null).answered();
    (code == 200).then(|| first_fingerprint(&view))
}

fn first_fingerprint(view: &Value) -> String {
    let fingerprint = &view["generations"][0]["certificate"]["fingerprint"];
    fingerprint
        .as_str()
        .unwrap_or_else(|| panic!("{view}"))
        .to_owned()
}

/// A part of a range of milliseconds that is another for each death, and the same in each run.
fn fraction(death: u64, range: std::ops::Range<u64>) -> Duration {
    let spread = death.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Duration::from_micros((range.start * 1_000) + spread % ((range.end - range.start) * 1_000))
}

/// What clients were told.
#[derive(Default)]
struct Told {
    identities: Mutex<BTreeMap<String, String>>,
    /// Not yet looked for after a death.
    new: Mutex<Vec<(String, String)>>,
    mails: Mutex<BTreeSet<String>>,
    next: AtomicU64,
    /// What each client had asked for when the daemon died.
    doubtful: Mutex<BTreeMap<usize, String>>,
}

enum Outcome {
    Answered,
    BrokenOff,
    NobodyThere,
}

impl Told {
    fn counts(&self) -> (usize, usize) {
        (
            self.identities.lock().unwrap().len(),
            self.mails.lock().unwrap().len(),
        )
    }

    fn new_identities(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.new.lock().unwrap())
    }

    fn make_identity(&self, client: usize, socket: &Path) -> Outcome {
        let doubtful = self.doubtful.lock().unwrap().remove(&client);
        let name = doubtful
            .clone()
            .unwrap_or_else(|| format!("i{}", self.next.fetch_add(1, Ordering::Relaxed)));
        let request = json!({
            "request": "identity-add", "identity": name, "issuer": "own", "policy": "own",
            "subject": {"common_name": format!("{name}.align.test"), "organization": null, "dns_names": []},
            "key_algorithm": null,
        });
        let view = match ask(socket, "POST /v1/call", &request) {
            Answer::Of(200, view) => view,
            // It had happened after all, and then it is there as a whole.
            Answer::Of(_, refusal) if doubtful.is_some() => {
                match ask(socket, &format!("GET /v1/identities/{name}"), &Value::Null) {
                    Answer::Of(200, view) => view,
                    Answer::Of(code, other) => panic!("{name}: {refusal}; {code} {other}"),
                    broken => return self.broken(client, name, &broken),
                }
            }
            Answer::Of(code, refusal) => panic!("{name}: {code} {refusal}"),
            broken => return self.broken(client, name, &broken),
        };
        if view["generations"].as_array().is_none_or(Vec::is_empty) {
            // The daemon died in the middle, and this one has not gone on with it yet.
            assert!(
                doubtful.is_some(),
                "{name} was acknowledged without a key: {view}"
            );
            self.doubtful.lock().unwrap().insert(client, name);
            return Outcome::Answered;
        }
        let made = (name, first_fingerprint(&view));
        self.new.lock().unwrap().push(made.clone());
        self.identities.lock().unwrap().extend([made]);
        Outcome::Answered
    }

    fn broken(&self, client: usize, name: String, answer: &Answer) -> Outcome {
        self.doubtful.lock().unwrap().insert(client, name);
        match answer {
            Answer::BrokenOff(_) => Outcome::BrokenOff,
            _ => Outcome::NobodyThere,
        }
    }

    /// A mail that is no answer to anything is refused, and kept: it may have been one.
    fn hand_in_mail(&self, socket: &Path) -> Outcome {
        let id = format!("<{}@acme.test>", self.next.fetch_add(1, Ordering::Relaxed));
        let mail = format!(
            "From: sec@acme.test\r\nTo: ops@align.test\r\nMessage-ID: {id}\r\nSubject: Re: key\r\n\r\nACCEPT\r\n"
        );
        match send(
            socket,
            "POST /v1/exchange/receive",
            "message/rfc822",
            mail.as_bytes(),
        ) {
            Answer::Of(_, refusal) => {
                assert!(refusal["message"].is_string(), "{refusal}");
                self.mails.lock().unwrap().insert(id);
                Outcome::Answered
            }
            Answer::BrokenOff(_) => Outcome::BrokenOff,
            Answer::NobodyThere => Outcome::NobodyThere,
        }
    }
}

enum Answer {
    Of(u16, Value),
    /// With what had come by then, and why no more did.
    BrokenOff(String),
    NobodyThere,
}

impl Answer {
    #[track_caller]
    fn answered(self) -> (u16, Value) {
        match self {
            Self::Of(code, value) => (code, value),
            Self::BrokenOff(how) => panic!("the daemon broke off: {how}"),
            Self::NobodyThere => panic!("nobody listens at the daemon's socket"),
        }
    }
}

fn ask(socket: &Path, what: &str, body: &Value) -> Answer {
    send(
        socket,
        what,
        "application/json",
        body.to_string().as_bytes(),
    )
}

/// One request on a connection of its own: `curl --unix-socket` in a few lines.
fn send(socket: &Path, what: &str, kind: &str, body: &[u8]) -> Answer {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return Answer::NobodyThere;
    };
    let head = format!(
        "{what} HTTP/1.1\r\nHost: countersign\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    let talked = stream
        .write_all(&[head.as_bytes(), body].concat())
        .and_then(|()| stream.read_to_end(&mut answer));
    let text = String::from_utf8_lossy(&answer);
    let Some((head, body)) = text.split_once("\r\n\r\n").filter(|_| talked.is_ok()) else {
        return Answer::BrokenOff(format!("{talked:?} after {text:?}"));
    };
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    match (code, serde_json::from_str(body)) {
        (Some(code), Ok(value)) => Answer::Of(code, value),
        _ => Answer::BrokenOff(text.into_owned()),
    }
}
