//! What the program itself makes, judged by OpenSSL and by pkilint.

use countersign_peers::{Finding, Severity, lint_certificate, lint_crl, openssl};

use crate::{
    cli_home::{Home, Opens, policy},
    world::pem_blocks,
};

const KEYS: [&str; 6] = [
    "ecdsa-p256",
    "ecdsa-p384",
    "rsa-2048",
    "rsa-3072",
    "rsa-4096",
    "ed25519",
];

/// pkilint takes the asterisk of a wildcard for a character that a host name may not have; RFC 6125 §6.4.3,
/// which RFC 5280 §4.2.1.6 leaves this to, allows it.
const MISTAKEN: &str = "pkix.invalid_domain_name_syntax";

#[track_caller]
fn no_fault(what: &str, findings: &[Finding]) {
    let grave: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Error)
        .filter(|finding| finding.code != MISTAKEN || !finding.message.contains('*'))
        .collect();
    assert!(grave.is_empty(), "{what}: {grave:#?}");
}

fn home() -> Home {
    let home = Home::with_store(Opens::KeyFile);
    let all = format!("{KEYS:?}");
    home.file("policies/own.toml", policy("own", &all));
    home.ok(&["issuer", "create", "ca", "--common-name", "Align"]);
    home
}

/// The certificates of an identity that is added now, leaf first.
fn certified(home: &Home, issuer: &str, key: &str) -> Vec<String> {
    let name = format!("{issuer}-{key}");
    home.ok(&[
        "identity",
        "add",
        &name,
        "--issuer",
        issuer,
        "--policy",
        "own",
        "--key",
        key,
        "--name",
        "connector.align.test",
        "--name",
        "*.align.test",
        "--organization",
        "Align & Söhne",
    ]);
    let chain = home.ok(&[
        "identity",
        "export-certificate",
        &name,
        "--generation",
        "next",
    ]);
    pem_blocks(&chain.stdout)
}

#[test]
fn authorities_and_revocation_lists_are_judged_good() {
    let home = home();
    let authorities = pem_blocks(&home.ok(&["issuer", "show", "ca"]).stdout);
    let [issuing, root] = &authorities[..] else {
        panic!("issuing authority and root: {authorities:?}");
    };
    no_fault("root", &lint_certificate(root));
    no_fault("issuing authority", &lint_certificate(issuing));
    let text = openssl::certificate_text(issuing).unwrap();
    for part in [
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "Issuer: CN = Align Root CA",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for number in ["1", "2"] {
        let list = home.ok(&["issuer", "crl", "ca"]).stdout;
        no_fault("revocation list", &lint_crl(&list));
        let text = openssl::crl_verify(&list, issuing).unwrap();
        let numbered = format!("X509v3 CRL Number: \n                {number}\n");
        assert!(text.contains(&numbered), "{text}");
        assert!(
            openssl::crl_verify(&list, root).is_err(),
            "the root did not sign it"
        );
    }
    let signer = home.ok(&["signer", "create", "--issuer", "ca"]).stdout;
    let signer = &pem_blocks(&signer)[0];
    no_fault("signer", &lint_certificate(signer));
    assert!(
        openssl::certificate_text(signer)
            .unwrap()
            .contains("E-mail Protection")
    );
}

#[test]
fn certificates_with_every_kind_of_key_are_judged_good() {
    let home = home();
    let authorities = pem_blocks(&home.ok(&["issuer", "show", "ca"]).stdout);
    for key in KEYS {
        let chain = certified(&home, "ca", key);
        assert_eq!(
            chain[1..],
            authorities[..1],
            "{key}: the issuing authority follows, the root does not"
        );
        openssl::verify_client_chain(&authorities[1], &chain[1], &chain[0])
            .unwrap_or_else(|e| panic!("{key}: {e}"));
        no_fault(key, &lint_certificate(&chain[0]));
        let text = openssl::certificate_text(&chain[0]).unwrap();
        for part in [
            "TLS Web Client Authentication",
            "DNS:connector.align.test, DNS:*.align.test",
            "CA:FALSE",
        ] {
            assert!(text.contains(part), "{key}: {part}: {text}");
        }
        assert!(!text.contains("Server Authentication"), "{key}: {text}");
    }
}

#[test]
fn self_signed_certificates_are_judged_good() {
    let home = home();
    for key in ["ecdsa-p256", "rsa-2048", "ed25519"] {
        let chain = certified(&home, "own", key);
        assert_eq!(chain.len(), 1);
        openssl::verify_client_chain(&chain[0], "", &chain[0])
            .unwrap_or_else(|e| panic!("{key}: {e}"));
        // For itself it may leave out the identifier of the authority's key (RFC 5280 §4.2.1.1).
        no_fault(key, &lint_certificate(&chain[0]));
    }
}

#[test]
fn requests_with_every_kind_of_key_are_judged_good() {
    let home = home();
    for key in KEYS {
        home.ok(&[
            "identity",
            "add",
            key,
            "--issuer",
            "theirs",
            "--policy",
            "own",
            "--key",
            key,
            "--name",
            "connector.align.test",
            "--organization",
            "Align & Söhne",
        ]);
        let request = home.ok(&["identity", "export-request", key]).stdout;
        let text = openssl::req_verify(&request).unwrap_or_else(|e| panic!("{key}: {e}"));
        for part in [
            "DNS:connector.align.test",
            "TLS Web Client Authentication",
            "CN = connector.align.test",
        ] {
            assert!(text.contains(part), "{key}: {part}: {text}");
        }
    }
}

#[test]
fn ed25519_comes_with_a_warning() {
    let home = home();
    let added = home.ok(&[
        "identity",
        "add",
        "odd",
        "--issuer",
        "own",
        "--policy",
        "own",
        "--key",
        "ed25519",
        "--name",
        "a.align.test",
    ]);
    assert!(added.stderr.contains("countersign: warning: "), "{added:?}");
}
