//! A program that dies at every append to a journal, on either side of it, comes to the same end.
//!
//! Every run, or every daemon, is killed at its first append: once before anything of it is durable, so that what the step did is
//! done and forgotten, and once after, so that the next run finds it noted. So each append of the story is died at
//! twice, and each run begins where the one before was killed.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use countersign_connector::Bundle;
use countersign_peers::eventually;

use crate::world::{Drive, Letter, Plan, World, sha256};

#[test]
fn a_story_with_a_bundle_survives_death_at_every_append() {
    let delivery = "kind = \"bundle\"\npath = \"client.pem\"\nreload = { command = [\"true\"] }";
    let plan = Plan {
        drive: Drive::Killed,
        connectors: Plan::connector("poller", delivery),
        ..Plan::default()
    };
    let mut world = World::prepared(plan);
    let watch = Watch::begin(&world.path("client.pem"));
    let load = world.load_at_bundle("client.pem", 4);
    let (offers, appends) = tell(&mut world);
    assert!(load.end() > 0, "it was called all along");
    let seen = watch.end();
    let fingerprints = offers.each_ref().map(|offer| sha256(&offer.chain()[0]));
    assert_eq!(
        seen, fingerprints,
        "one key for each generation, and never back"
    );
    assert_same_end(&world, &offers, 2 * appends);
}

#[test]
fn a_story_with_a_directory_and_self_signed_keys_survives_death_at_every_append() {
    let delivery = "kind = \"directory\"\npath = \"identity\"\nreload = { command = [\"true\"] }";
    let connectors = Plan::connector("poller", delivery);
    let mut world = World::prepared(Plan {
        drive: Drive::Killed,
        issuer: "self-signed",
        connectors,
        ..Plan::default()
    });
    let (offers, appends) = tell(&mut world);
    let names = std::fs::read_dir(world.path("identity"))
        .unwrap()
        .map(|e| e.unwrap().file_name());
    let names: BTreeSet<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(
        names,
        BTreeSet::from(["current".to_owned(), "gen-000002".to_owned()]),
        "no copy of the old key, nothing unfinished"
    );
    assert_same_end(&world, &offers, 2 * appends);
}

#[test]
fn a_story_with_a_socket_survives_a_daemon_that_dies_at_every_append() {
    let mut world = World::prepared(Plan {
        drive: Drive::DyingDaemon,
        ..Plan::default()
    });
    let load = world.load_at_socket("poller", 4);
    let (offers, appends) = tell(&mut world);
    assert!(load.end() > 0, "it was called all along");
    // Of the last daemon nobody has seen that it is dead; and of one that dies between two looks, the side of its
    // death may have been the next one's too.
    assert_same_end(&world, &offers, appends - 1);
}

#[test]
fn a_reply_to_a_letter_of_which_we_died_before_noting_it_as_sent_counts() {
    let world = World::prepared(Plan {
        drive: Drive::Cron,
        ..Plan::default()
    });
    world.add_identity();
    let fault = [
        ("COUNTERSIGN_ABORT_AT_STREAM", "rotation/"),
        ("COUNTERSIGN_ABORT_AT_APPEND", "2"),
        ("COUNTERSIGN_ABORT_WHEN", "before"),
    ];
    let died = world.run_with(&["renew"], b"", &fault);
    assert_eq!(died.code, None, "{died:#?}");
    let mails = eventually("the letter has arrived", || {
        Some(world.mails()).filter(|mails| !mails.is_empty())
    });
    let offer = world.open(mails[0].clone());
    assert!(
        world.rotation()["destinations"][0]["offered"].is_null(),
        "it is not noted"
    );
    world.acknowledge(&offer);
    let shown = world.rotation();
    assert_eq!(
        shown["destinations"][0]["acknowledged"][0], "sec@acme.test",
        "{shown:#}"
    );
}

/// Both generations; their offers, and how many facts were noted.
fn tell(world: &mut World) -> ([Letter; 2], usize) {
    let noted = |world: &World| world.rotation()["history"].as_array().unwrap().len();
    let first = world.establish();
    let appends = noted(world);
    let second = world.replace();
    ([first, second], appends + noted(world))
}

fn assert_same_end(world: &World, offers: &[Letter; 2], deaths: usize) {
    let died = world.deaths() as usize;
    assert!(died >= deaths, "{died} deaths of {deaths}");
    let identity = world.identity();
    let generations = identity["generations"].as_array().unwrap();
    assert_eq!(generations.len(), 2, "{identity:#}");
    assert_eq!(
        (&generations[0]["key_state"], &generations[1]["key_state"]),
        (&"destroyed".into(), &"active".into())
    );
    for (generation, offer) in generations.iter().zip(offers) {
        assert_eq!(
            generation["certificate"]["fingerprint"],
            sha256(&offer.chain()[0]),
            "what was offered is what is"
        );
    }
    assert!(
        world.mails().len() > 3,
        "nobody died between sending a letter and noting it"
    );
    let letters: BTreeSet<_> = world.message_ids().into_iter().collect();
    assert_eq!(letters.len(), 3, "two offers and a notice: {letters:?}");
    for id in &letters {
        // A server that took a letter of which we died before noting it gets it again: the same one.
        let named = world.mails().into_iter().zip(world.message_ids());
        let copies = named.filter(|(_, name)| name == id).map(|(mail, _)| mail);
        let bodies: BTreeSet<_> = copies.map(|mail| as_written(&mail)).collect();
        assert_eq!(bodies.len(), 1, "{id} says two things");
    }
    world.end_daemon();
    world.run(&["store", "verify"]).expect(0);
    world.run(&["audit", "verify"]).expect(0);
}

/// A mail without the trace that servers put in front.
fn as_written(mail: &[u8]) -> String {
    let text = String::from_utf8_lossy(mail);
    let begin = text.find("\nFrom: ").expect("we say who we are");
    text[begin..].to_owned()
}

/// Reads a file all the time: once it is there, it must be whole.
struct Watch {
    ending: Arc<AtomicBool>,
    reader: thread::JoinHandle<Vec<String>>,
}

impl Watch {
    fn begin(path: &Path) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let (path, told) = (path.to_owned(), Arc::clone(&ending));
        let reader = thread::spawn(move || {
            let mut seen: Vec<String> = Vec::new();
            while !told.load(Ordering::Acquire) {
                match std::fs::read(&path) {
                    Ok(text) => {
                        let bundle = Bundle::from_pem(&text).expect("a published bundle is whole");
                        let fingerprint = bundle.fingerprint().to_string();
                        if seen.last() != Some(&fingerprint) {
                            seen.push(fingerprint);
                        }
                    }
                    Err(error) => assert!(seen.is_empty(), "a published bundle is gone: {error}"),
                }
                thread::sleep(Duration::from_millis(2));
            }
            seen
        });
        Self { ending, reader }
    }

    /// The fingerprints that were seen, in their order.
    fn end(self) -> Vec<String> {
        self.ending.store(true, Ordering::Release);
        self.reader
            .join()
            .expect("the file was whole at every look")
    }
}
