//! Secrets and names are where they belong and nowhere else: searched for in everything that is left behind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_peers::{Algorithm, Authority, Purpose, Request};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use crate::{
    cli_home::{Home, Opens, PASSPHRASE},
    world::{Plan, World},
};

/// Something that must not be found, in every form in which it could be.
struct Needle {
    what: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Needle {
    fn text(what: &'static str, text: &str) -> Self {
        let forms = vec![
            text.into(),
            hex::encode(text).into(),
            middle(&STANDARD.encode(text)),
        ];
        Self { what, forms }
    }

    /// Bytes of a private key that no public key has: as they are, in hexadecimal, in base64 at each of its
    /// three shifts. Line ends of PEM come every 48 bytes, so a shorter piece is whole somewhere or is cut once.
    fn key(what: &'static str, secret: &[u8]) -> Self {
        let mut forms = vec![
            secret.to_vec(),
            hex::encode(secret).into(),
            hex::encode_upper(secret).into(),
        ];
        for shift in 0..3 {
            let encoded = middle(&STANDARD.encode(&secret[shift..]));
            // A line may end anywhere in it: each half is enough.
            let (first, second) = encoded.split_at(encoded.len() / 2);
            forms.extend([first.to_vec(), second.to_vec()]);
        }
        Self { what, forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.is_in_characters(&characters(bytes))
    }

    fn is_in_characters(&self, text: &str) -> bool {
        self.forms
            .iter()
            .any(|form| text.contains(&characters(form)))
    }
}

/// Bytes as characters of the same number: the standard library searches texts fast, and bytes not at all.
fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Without the ends of a base64 text, which depend on what stands around it.
fn middle(encoded: &str) -> Vec<u8> {
    let text = encoded.trim_end_matches('=');
    text[..text.len() - 1].into()
}

#[track_caller]
fn absent(place: &str, bytes: &[u8], needles: &[Needle]) {
    let text = characters(bytes);
    for needle in needles {
        assert!(
            !needle.is_in_characters(&text),
            "{} is in {place}",
            needle.what
        );
    }
}

fn of_process(pid: u32, file: &str) -> Vec<u8> {
    fs::read(Path::new("/proc").join(pid.to_string()).join(file)).unwrap()
}

#[test]
fn no_secret_and_no_name_is_found_where_it_does_not_belong() {
    let mut home = Home::with_store(Opens::PassphraseFile);
    // A key that we know, for signing letters; and one that the program makes, of which a reader of files
    // gets a copy.
    let known = Authority::root("Mail root").issue(&Request {
        algorithm: Algorithm::Rsa2048,
        ..Request::new(Purpose::Email, "ops@align.test")
    });
    home.file("signer.key", known.key_pem());
    home.file("signer.pem", known.chain_pem());
    home.start_daemon_with(&[("COUNTERSIGN_LOG", "trace")]);
    let pid = home.daemon_pid();
    let import = [
        "signer",
        "import",
        "--key",
        "signer.key",
        "--chain",
        "signer.pem",
    ];
    let mut said = Vec::new();
    let mut run = |arguments: &[&str]| {
        let outcome = home.run(arguments);
        said.push(format!("{outcome:?}"));
        outcome
    };
    run(&import).expect(0);
    run(&[
        "issuer",
        "create",
        "ca",
        "--common-name",
        "Verysecret Authority",
    ])
    .expect(0);
    let add = [
        "identity",
        "add",
        "jira",
        "--issuer",
        "ca",
        "--policy",
        "own",
        "--name",
        "connector.align.test",
    ];
    run(&add).expect(0);
    // The letter cannot be sent, and what is wrong is shown in many ways.
    run(&["renew"]).expect(1);
    for arguments in [
        &["status"][..],
        &["--json", "status"],
        &["--json", "rotation", "show", "jira"],
        &["--json", "identity", "show", "jira"],
        &["rotation", "retry", "jira"],
        &["exchange", "status"],
        &["signer", "show"],
    ] {
        run(arguments).expect(0);
    }
    run(&[
        "probe",
        "jira",
        "--destination",
        "acme/production",
        "--generation",
        "next",
    ])
    .expect(1);
    run(&[
        "signer",
        "import",
        "--key",
        "passphrase",
        "--chain",
        "signer.pem",
    ])
    .expect(1);
    run(&[
        "signer",
        "import",
        "--key",
        "signer.key",
        "--chain",
        "root.pem",
    ])
    .expect(1);
    run(&["identity", "import", "jira", "signer.key"]).expect(1);
    run(&["issuer", "crl", "ca"]).expect(0);
    run(&["audit", "show", "--limit", "1000"]).expect(0);
    run(&["--json", "audit", "show", "--limit", "1000"]).expect(0);
    run(&["audit", "export", "-"]).expect(0);
    run(&["audit", "verify"]).expect(0);

    // The end of an RSA key: its exponents and its coefficient.
    let der = known.key_der();
    let signing_secret = &der[der.len() - 60..der.len() - 32];
    assert!(Needle::key("", signing_secret).is_in(known.key_pem().as_bytes()));
    let secrets = || {
        vec![
            Needle::text("the passphrase", PASSPHRASE),
            Needle::key("the signing key", signing_secret),
        ]
    };
    let log = home.daemon_log();
    assert!(
        log.contains("DEBUG") || log.contains("TRACE"),
        "the log says everything: {log}"
    );
    absent("the daemon's log", log.as_bytes(), &secrets());
    absent("what commands print", said.concat().as_bytes(), &secrets());
    absent("/proc/PID/cmdline", &of_process(pid, "cmdline"), &secrets());
    absent("/proc/PID/environ", &of_process(pid, "environ"), &secrets());

    // While it is open, and after it is closed.
    let mut hidden = secrets();
    hidden.extend(
        [
            "jira",
            "acme",
            "connector.align.test",
            "sec@acme.test",
            "ops@align.test",
            "Jo Doe",
            "Verysecret",
        ]
        .map(|name| Needle::text("a name", name)),
    );
    hidden.push(Needle::text("a private key", "PRIVATE KEY"));
    hidden.push(Needle::text("a certificate", "CERTIFICATE"));
    hidden.push(Needle {
        what: "a certificate",
        forms: vec![known.certificate_der()[..64].to_vec()],
    });
    let configuration = fs::read(home.path("countersign.toml")).unwrap();
    assert!(
        hidden.iter().any(|needle| needle.is_in(&configuration)),
        "the search finds what is there"
    );
    for closed in [false, true] {
        if closed {
            home.stop_daemon();
        }
        let files = home.store_files();
        assert!(!files.is_empty());
        for (path, content) in files {
            absent(&path.display().to_string(), &content, &hidden);
        }
    }
}

#[test]
fn a_key_that_is_delivered_is_nowhere_but_in_its_file() {
    let mut world = World::prepared(Plan {
        connectors: Plan::connector(
            "poller",
            "kind = \"bundle\"\npath = \"client.pem\"\nreload = { command = [\"true\"] }",
        ),
        ..Plan::default()
    });
    world.start_daemon();
    world.establish();
    let shown = world.rotation();
    let bundle = fs::read_to_string(world.path("client.pem")).unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(bundle.as_bytes()).unwrap();
    let needles = [Needle::key(
        "the delivered key",
        &key.secret_pkcs8_der()[36..64],
    )];
    assert!(needles[0].is_in(key.secret_pkcs8_der()) && needles[0].is_in(bundle.as_bytes()));
    for mail in world.mails() {
        let letter = world.open(mail);
        absent("a mail", &letter.raw, &needles);
        absent("a letter", letter.text.as_bytes(), &needles);
    }
    absent("rotation show", shown.to_string().as_bytes(), &needles);
    absent(
        "identity show",
        world.identity().to_string().as_bytes(),
        &needles,
    );
    absent("the daemon's log", world.daemon_log().as_bytes(), &needles);
    // It stays there and is searched with what is left.
    world.ok(&["audit", "export", "log.jsonl"]);
    world.stop_daemon();
    let left = files_below(&world.path(""));
    let holders: Vec<_> = left
        .iter()
        .filter(|path| needles[0].is_in(&fs::read(path).unwrap()))
        .collect();
    assert_eq!(holders, [&world.path("client.pem")]);
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
