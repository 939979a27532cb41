//! Identities that were in use before countersign was: taken in, proven, and replaced.

use std::fs;

use countersign_peers::{Authority, Clients, Purpose, Request};

use crate::{
    cli_home::{Home, Opens},
    import_inspect::{client, openssl, pkcs12},
    world::{DESTINATION, IDENTITY, Plan, World, sha1, sha256},
};

const ADOPT: &[&str] = &[
    "identity", "adopt", "jira", "--issuer", "ca", "--policy", "own",
];

#[test]
fn an_adopted_identity_is_claimed_then_proven_and_then_rotates_as_any_other() {
    let mut world = World::prepared(Plan::default());
    // What the operators have had until now: a key in a file, from an authority of the partner's choice.
    let authority = Authority::root("Old authority");
    // The gateway goes on trusting it, beside what the letter brings.
    world.partner_root = Some(authority.pem());
    let old = authority.issue(&Request::new(Purpose::Client, "connector.align.test"));
    let mut gateway = world.gateway.gateway().clone();
    gateway.clients = Clients::Pinned(vec![sha1(&old.certificate_pem())]);
    world.gateway = countersign_peers::Nginx::start(gateway);
    world.write_configuration();
    world.file("old.pem", old.key_pem() + &old.chain_pem());

    world.start_daemon();
    let adopted = world.json(&[
        "identity", "adopt", IDENTITY, "old.pem", "--issuer", "ca", "--policy", "quick",
    ]);
    let identity = &adopted["identity"];
    assert_eq!(identity["slots"]["current"], 1);
    assert_eq!(identity["rotation"], serde_json::Value::Null);
    let generation = &identity["generations"][0];
    assert_eq!(generation["origin"], "adopted");
    assert_eq!(generation["key_state"], "active");
    assert_eq!(
        generation["certificate"]["fingerprint"],
        sha256(&old.certificate_pem())
    );
    assert_eq!(identity["claims"], serde_json::json!([[DESTINATION, null]]));

    // The wire has the last word, and it is noted.
    world
        .run(&["probe", IDENTITY, "--destination", DESTINATION])
        .expect(0);
    let identity = world.identity();
    assert!(identity["claims"][0][1].is_string(), "{identity:#}");
    let history = world.json(&["probe", "history", IDENTITY]);
    let place = &history["destinations"][0];
    assert_eq!(place["destination"], DESTINATION);
    assert_eq!(place["stretches"][0]["verdict"], "accepted");
    assert_eq!(place["stretches"][0]["probes"], 1);
    assert_eq!(place["stretches"][1], serde_json::Value::Null);
    let shown = world.run(&["identity", "show", IDENTITY]).expect(0).stdout;
    assert!(shown.contains("a probe has proven it"), "{shown}");
    assert!(shown.contains("a rotation is advised"), "{shown}");

    // Connectors have it, and lose nothing when it is replaced.
    let load = world.load_at_socket("poller", 4);
    world.poll(
        "the connector calls with the adopted certificate",
        20,
        || (load.begun() > 20).then_some(()),
    );
    load.assert_unharmed();
    world.replace();
    let states: Vec<_> = world.identity()["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["origin"].clone(), g["key_state"].clone()))
        .collect();
    assert_eq!(
        states,
        [
            ("adopted".into(), "destroyed".into()),
            ("made".into(), "active".into())
        ]
    );
    load.assert_unharmed();
    // Evidence about the first generation belongs to the past now.
    assert_eq!(world.identity()["claims"], serde_json::json!([]));
}

fn adopt(home: &Home, files: &[&str]) -> crate::world::Outcome {
    home.run(&[ADOPT, files].concat())
}

#[test]
fn a_chain_in_any_order_comes_out_in_the_order_of_sending() {
    let home = Home::with_store(Opens::KeyFile);
    let root = Authority::root("Root");
    let leaf = root
        .intermediate("Issuing")
        .issue(&Request::new(Purpose::Client, "connector.align.test"));
    let stranger = Authority::root("Stranger");
    let chain = leaf.chain_pem();
    let (first, rest) = chain.split_once("-----END CERTIFICATE-----\n").unwrap();
    let first = format!("{first}-----END CERTIFICATE-----\n");
    home.file("a", stranger.pem() + rest + &root.pem() + &first);
    home.file("b", leaf.key_pem());
    adopt(&home, &["a", "b"]).expect(0);
    let exported = home.ok(&["identity", "export-certificate", "jira"]).stdout;
    assert_eq!(exported, chain);
}

#[test]
fn rules_that_only_matter_for_new_certificates_are_warnings() {
    let home = Home::with_store(Opens::KeyFile);
    let request =
        "req -x509 -newkey rsa:2048 -noenc -keyout key.pem -out cert.pem -days 3650 -subj /CN=old";
    openssl(&home, &request.split_whitespace().collect::<Vec<_>>());
    let adopted =
        home.json(&[ADOPT, &["key.pem", "cert.pem", "--name", "new.align.test"]].concat());
    let warnings = adopted["warnings"].to_string();
    for rule in [
        "certificate-authority-as-leaf",
        "no-names",
        "validity-too-long",
    ] {
        assert!(warnings.contains(rule), "{rule}: {warnings}");
    }
    let history = home.json(&["rotation", "show", "jira"]);
    assert_eq!(history["reason"], "adopted");
    let fact = history["history"][1]["fact"].as_str().unwrap();
    assert!(
        fact.contains("nobody has proven it") && fact.contains("no-names"),
        "{fact}"
    );
}

#[test]
fn what_cannot_be_adopted_is_refused_by_name_and_nothing_is_kept() {
    let home = Home::with_store(Opens::KeyFile);
    client(&home, "/CN=connector.align.test");
    pkcs12(&home);
    home.file("wrong", "Sesame");
    let other = Authority::root("Other").client("connector.align.test");
    home.file("other.key", other.key_pem());
    home.file("other.crt", other.certificate_pem());
    let server = Authority::root("Server").server("connector.align.test");
    home.file("server.pem", server.key_pem() + &server.chain_pem());
    openssl(&home, &["genrsa", "-out", "short.pem", "1024"]);

    let refused = |files: &[&str], why: &str| {
        let outcome = adopt(&home, files).expect(1);
        assert!(outcome.stderr.contains(why), "{why}: {outcome:#?}");
        assert_eq!(
            home.json(&["identity", "list"])["identities"],
            serde_json::json!([])
        );
    };
    refused(
        &["other.key", "cert.pem"],
        "none of these certificates certifies the key",
    );
    refused(&["key.pem"], "there is no certificate");
    refused(&["cert.pem"], "there is no private key in the files");
    refused(
        &["key.pem", "other.key", "cert.pem"],
        "there are 2 private keys",
    );
    refused(&["short.pem", "cert.pem"], "RSA of 1024 bits");
    refused(&["store.p12"], "give its passphrase");
    refused(
        &["store.p12", "--passphrase-file", "wrong"],
        "the passphrase does not open it",
    );
    refused(&["server.pem"], "[client-auth-missing]");

    adopt(&home, &["store.p12", "--passphrase-file", "passphrase"]).expect(0);
    // The same key under another name.
    let again = [
        "identity", "adopt", "jira2", "key.pem", "cert.pem", "--issuer", "ca", "--policy", "own",
    ];
    let outcome = home.run(&again).expect(1);
    assert!(
        outcome
            .stderr
            .contains("belongs to generation 1 of jira already"),
        "{outcome:#?}"
    );
    assert_eq!(
        home.json(&["identity", "list"])["identities"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn an_adopted_key_lies_in_no_file_in_the_clear() {
    let home = Home::with_store(Opens::KeyFile);
    client(&home, "/CN=connector.align.test");
    let der = openssl_der(&home);
    let outcome = adopt(&home, &["key.pem", "cert.pem"]).expect(0);
    // The secret number of the key: 32 bytes after the version.
    let secret = &der[der.len() - 100..][..16];
    for (path, content) in home.store_files() {
        assert!(
            !content.windows(secret.len()).any(|window| window == secret),
            "{}",
            path.display()
        );
    }
    assert!(!outcome.stdout.contains("PRIVATE") && !outcome.stderr.contains("PRIVATE"));
}

fn openssl_der(home: &Home) -> Vec<u8> {
    openssl(
        home,
        &[
            "pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.der",
        ],
    );
    fs::read(home.path("key.der")).unwrap()
}
