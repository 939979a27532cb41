//! `gateway render` and `gateway list`, as people run them.

use std::fs;

use countersign_peers::{Authority, Identity};
use serde_json::Value;

use crate::cli_home::{Home, Opens};

/// Files of somebody who has no store: both generations and their authorities.
fn loose(home: &Home) -> (Identity, Identity) {
    let root = Authority::root("Vendor root");
    let issuing = root.intermediate("Vendor issuing");
    let (new, present) = (
        issuing.client("next.vendor.test"),
        issuing.client("now.vendor.test"),
    );
    home.file("next.pem", new.chain_pem() + &root.pem());
    home.file("now.pem", root.pem() + &present.chain_pem());
    (new, present)
}

const LOOSE: [&str; 8] = [
    "gateway",
    "render",
    "--new",
    "next.pem",
    "--host",
    "jira.acme.test",
    "--for",
    "nginx",
];

fn file<'a>(view: &'a Value, name: &str) -> &'a str {
    let files = view["files"].as_array().unwrap();
    let found = files.iter().find(|file| file["name"] == name);
    found.unwrap_or_else(|| panic!("{view:#}"))["content"]
        .as_str()
        .unwrap()
}

#[test]
fn without_a_store_loose_files_are_enough() {
    let home = Home::new(Opens::KeyFile);
    let (new, present) = loose(&home);
    let both = [&LOOSE[..], &["--present", "now.pem"]].concat();
    let text = home.ok(&both).stdout;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        &*new.sha1_lower(),
        &present.sha1_lower(),
        "ssl_verify_client on;",
        "GET, POST, PUT, DELETE",
        "What nginx cannot do",
        "before we write that it may go",
    ] {
        assert!(flat.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains("servlet/oauth/ {"), "{text}");
    let oauth = home.ok(&[&both[..], &["--oauth"]].concat()).stdout;
    assert!(
        oauth.contains("location /plugins/servlet/oauth/ {"),
        "{oauth}"
    );
    let alone = home.ok(&LOOSE).stdout;
    assert!(!alone.contains(&present.sha1_lower()), "{alone}");
}

#[test]
fn what_was_not_run_against_the_product_is_marked_so() {
    let home = Home::new(Opens::KeyFile);
    loose(&home);
    for (product, marked) in [("f5", true), ("kong", true), ("haproxy", false)] {
        let mut arguments = LOOSE.to_vec();
        arguments[7] = product;
        let text = home.ok(&arguments).stdout;
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(flat.contains("NOT been run"), marked, "{flat}");
    }
}

#[test]
fn a_directory_gets_sheet_configurations_and_certificates_and_nothing_is_replaced() {
    let home = Home::new(Opens::KeyFile);
    let (new, _) = loose(&home);
    fs::create_dir(home.path("pack")).unwrap();
    let arguments = [&LOOSE[..], &["--present", "now.pem", "--into", "pack"]].concat();
    home.ok(&arguments);
    let read = |name: &str| fs::read_to_string(home.path("pack").join(name)).unwrap();
    assert_eq!(read("clients.pem").matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(
        read("new.pem").replace("\r\n", "\n"),
        new.certificate_pem().replace("\r\n", "\n")
    );
    assert!(read("present.pem").contains("BEGIN CERTIFICATE"));
    assert!(read("countersign-map.conf").contains(&new.sha1_lower()));
    assert!(read("sheet.txt").contains("ssl_client_certificate"));
    assert!(!read("clients.pem").contains("PRIVATE"));

    let again = home.run(&arguments).expect(2);
    assert!(again.stderr.contains("sheet.txt"), "{}", again.stderr);
    assert!(again.stderr.contains("empty directory"), "{}", again.stderr);
}

#[test]
fn json_is_one_object_with_its_schema_and_every_file() {
    let home = Home::new(Opens::KeyFile);
    let (new, present) = loose(&home);
    let view = home.json(&[&LOOSE[..], &["--present", "now.pem"]].concat());
    assert_eq!(view["schema"], 1);
    assert_eq!(view["sheet"]["product"], "nginx");
    assert_eq!(view["sheet"]["tried"], "loaded");
    assert_eq!(view["new"]["spelling"]["text"], new.sha1_lower());
    assert_eq!(view["present"]["fingerprint"], present.sha256_lower());
    assert!(file(&view, "clients.pem").contains("BEGIN CERTIFICATE"));
    assert!(file(&view, "countersign-server.conf").contains("limit_except"));

    let list = home.json(&["gateway", "list"]);
    assert_eq!(list["schema"], 1);
    assert_eq!(list["products"].as_array().unwrap().len(), 18);
    let text = home.ok(&["gateway", "list"]).stdout;
    assert!(text.contains("azure-api-management"), "{text}");
    assert!(
        text.contains("loaded and probed") && text.contains("not run"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_rendered_is_refused_with_the_next_step() {
    let home = Home::new(Opens::KeyFile);
    loose(&home);
    let refused = |change: &[(usize, &str)], more: &[&str]| {
        let mut arguments = LOOSE.to_vec();
        for (at, word) in change {
            arguments[*at] = word;
        }
        arguments.extend(more);
        home.run(&arguments).stderr
    };
    assert!(refused(&[(7, "big-ip")], &[]).contains("countersign gateway list"));
    assert!(refused(&[(5, "a b; }")], &[]).contains("not a host name"));
    assert!(refused(&[(3, "missing.pem")], &[]).contains("missing.pem"));
    // A name that people chose freely, for which a configuration has no place.
    let named = refused(&[(3, "root.pem")], &["--pin", "authority"]);
    assert!(
        named.contains("`Some root`") && named.contains("--for other"),
        "{named}"
    );
}

#[test]
fn from_the_store_the_destination_on_file_decides() {
    let mut home = Home::with_store(Opens::KeyFile);
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.ok(&[
        "identity",
        "add",
        "jira",
        "--issuer",
        "ca",
        "--policy",
        "own",
        "--name",
        "connector.align.test",
    ]);
    let arguments = [
        "gateway",
        "render",
        "jira",
        "--destination",
        "acme/production",
    ];
    let view = home.json(&arguments);
    assert_eq!(view["identity"], "jira");
    assert_eq!(view["destination"], "acme/production");
    assert_eq!(view["host"], "127.0.0.1");
    assert_eq!(view["pin"], "certificate");
    assert_eq!(view["sheet"]["product"], "nginx");
    assert_eq!(view["new"]["generation"], 1);
    assert_eq!(view["present"], Value::Null);
    // Our own authority issued it, and so its root is at hand.
    assert_eq!(
        file(&view, "clients.pem")
            .matches("BEGIN CERTIFICATE")
            .count(),
        2
    );

    let other = [
        &arguments[..],
        &["--for", "azure-api-management", "--pin", "certificate"],
    ]
    .concat();
    let azure = home.json(&other);
    let thumbprint = azure["new"]["spelling"]["text"].as_str().unwrap();
    assert_eq!(thumbprint, thumbprint.to_uppercase());
    assert!(file(&azure, "inbound-policy.xml").contains(thumbprint));

    // A running daemon has the store, and says the same.
    home.start_daemon();
    assert_eq!(home.json(&arguments), view);

    let elsewhere = home
        .run(&["gateway", "render", "jira", "-d", "acme/test"])
        .expect(2);
    assert!(
        elsewhere.stderr.contains("there is no acme/test"),
        "{}",
        elsewhere.stderr
    );
}

#[test]
fn in_a_rotation_the_next_generation_stands_beside_the_current_one_until_it_is_left_out() {
    let home = Home::with_store(Opens::KeyFile);
    let root = Authority::root("Old root");
    let old = root.client("connector.align.test");
    home.file("old.pem", old.bundle_pem() + &root.pem());
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home.ok(&[
        "identity", "adopt", "jira", "old.pem", "--issuer", "ca", "--policy", "own",
    ]);
    home.ok(&["rotation", "start", "jira"]);
    // It issues; that the letter has no server to go to is not the matter here.
    home.run(&["renew"]);
    let arguments = ["gateway", "render", "jira", "-d", "acme/production"];
    let both = home.json(&arguments);
    assert_eq!(both["new"]["generation"], 2, "{both:#}");
    assert_eq!(both["present"]["generation"], 1);
    assert_eq!(both["present"]["spelling"]["text"], old.sha1_lower());
    assert!(file(&both, "countersign-map.conf").contains(&old.sha1_lower()));
    let until = both["present"]["not_after"].as_str().unwrap();
    let overlap = both["sheet"]["overlap"].as_str().unwrap();
    assert!(overlap.contains(&until[..10]), "{overlap}");

    let alone = home.json(&[&arguments[..], &["--alone"]].concat());
    assert_eq!(alone["present"], Value::Null);
    assert!(!file(&alone, "countersign-map.conf").contains(&old.sha1_lower()));
}

#[test]
fn an_identity_that_waits_for_its_certificate_has_nothing_to_install() {
    let home = Home::with_store(Opens::KeyFile);
    home.ok(&[
        "identity",
        "add",
        "jira",
        "--issuer",
        "theirs",
        "--policy",
        "own",
        "--name",
        "connector.align.test",
    ]);
    let early = home
        .run(&["gateway", "render", "jira", "-d", "acme/production"])
        .expect(1);
    assert!(
        early.stderr.contains("no certificate yet"),
        "{}",
        early.stderr
    );
}
