//! `inspect`: what is in the files that people have. OpenSSL has made them.

use std::process::Command;

use serde_json::Value;

use crate::cli_home::{Home, Opens};

/// Runs OpenSSL in the home, and returns what it printed.
#[track_caller]
pub(crate) fn openssl(home: &Home, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(home.path(""))
        .output()
        .expect("these tests need the program openssl");
    assert!(
        output.status.success(),
        "openssl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `key.pem` and `cert.pem`, of a client with this subject.
#[track_caller]
pub(crate) fn client(home: &Home, subject: &str) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout key.pem -out cert.pem -days 90 -utf8 \
        -addext subjectAltName=DNS:connector.align.test -addext extendedKeyUsage=clientAuth \
        -addext keyUsage=critical,digitalSignature -addext basicConstraints=critical,CA:FALSE";
    let mut arguments = vec!["req", "-x509", "-subj", subject];
    arguments.extend(key.split_whitespace());
    openssl(home, &arguments);
}

/// `store.p12`, opened by `sesame`.
#[track_caller]
pub(crate) fn pkcs12(home: &Home) {
    let line = "pkcs12 -export -inkey key.pem -in cert.pem -name Connector -passout pass:sesame -out store.p12";
    openssl(home, &line.split_whitespace().collect::<Vec<_>>());
    home.file("passphrase", "sesame\n");
}

fn kinds(inspection: &Value) -> Vec<&str> {
    inspection["files"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|file| file["objects"].as_array().unwrap())
        .map(|object| object["kind"].as_str().unwrap())
        .collect()
}

#[test]
fn a_store_of_key_and_certificate_is_told_without_its_key() {
    let home = Home::new(Opens::KeyFile);
    client(&home, "/O=Align/CN=connector.align.test");
    pkcs12(&home);
    let arguments = ["inspect", "store.p12", "--passphrase-file", "passphrase"];
    let inspection = home.json(&arguments);
    assert_eq!(kinds(&inspection), ["certificate", "private-key"]);
    let [certificate, key] = inspection["files"][0]["objects"]
        .as_array()
        .unwrap()
        .as_slice()
    else {
        panic!("{inspection:#}");
    };
    assert_eq!(certificate["private_key_here"], true);
    assert_eq!(certificate["key_id"], key["key_id"]);
    assert_eq!(certificate["dns_names"][0], "connector.align.test");
    assert_eq!(certificate["extended_key_usage"][0], "client-auth");
    assert_eq!(certificate["standing"], "valid");
    assert_eq!(certificate["name"], "Connector");
    assert_eq!(key["certified_as"][0], certificate["subject"]);
    assert!(
        key["protection"]["scheme"]
            .as_str()
            .unwrap()
            .contains("AES-256-CBC")
    );
    for (option, spelling) in [("-sha256", "sha256_colons"), ("-sha1", "sha1_colons")] {
        let said = openssl(
            &home,
            &["x509", "-in", "cert.pem", "-noout", "-fingerprint", option],
        );
        let theirs = said.trim().split_once('=').unwrap().1;
        assert_eq!(certificate["fingerprints"][spelling], theirs);
    }

    let text = home.ok(&arguments);
    let pem = std::fs::read_to_string(home.path("key.pem")).unwrap();
    for line in pem.lines().filter(|line| !line.starts_with("-----")) {
        for output in [&text.stdout, &text.stderr, &inspection.to_string()] {
            assert!(
                !output.contains(line),
                "a line of the key is shown: {output}"
            );
        }
    }
}

#[test]
fn names_that_could_deceive_are_shown_escaped() {
    let home = Home::new(Opens::KeyFile);
    client(&home, "/CN=\u{1b}[31mred\u{202e}gnp.exe");
    for arguments in [
        &["inspect", "cert.pem"][..],
        &["--json", "inspect", "cert.pem"],
    ] {
        let shown = home.ok(arguments).stdout;
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
            "{shown}"
        );
        assert!(shown.contains("u{202e}gnp.exe"), "{shown}");
    }
}

#[test]
fn what_is_refused_is_named_with_its_reason_and_the_exit_code_says_no() {
    let home = Home::new(Opens::KeyFile);
    client(&home, "/CN=connector.align.test");
    pkcs12(&home);
    openssl(&home, &["genrsa", "-out", "short.pem", "1024"]);
    home.file("store.jks", [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]);
    home.file("wrong", "Sesame");
    home.file("nonsense", "hello");
    let said = |arguments: &[&str]| home.run(arguments).expect(1).stdout;
    assert!(
        said(&["inspect", "short.pem"]).contains("RSA of 1024 bits: it is shorter than 2048 bits")
    );
    assert!(said(&["inspect", "store.jks"]).contains("keytool -importkeystore"));
    assert!(said(&["inspect", "nonsense"]).contains("there is no key and no certificate here"));
    // Nobody is there to be asked.
    assert!(said(&["inspect", "store.p12"]).contains("give its passphrase"));
    assert!(
        said(&["inspect", "store.p12", "--passphrase-file", "wrong"])
            .contains("the passphrase does not open it")
    );
    let refused = home
        .run(&["--json", "inspect", "short.pem"])
        .expect(1)
        .json();
    assert_eq!(
        refused["files"][0]["objects"][0]["reason"],
        "key-unsupported"
    );
}

#[test]
fn a_person_at_a_terminal_is_asked_for_the_passphrase() {
    let home = Home::new(Opens::KeyFile);
    client(&home, "/CN=connector.align.test");
    pkcs12(&home);
    let (code, shown) = home.at_terminal(
        &["inspect", "store.p12"],
        &[],
        &[("passphrase of store.p12: ", "sesame")],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("private key (PKCS#12)") && !shown.contains("sesame"),
        "{shown}"
    );
}
