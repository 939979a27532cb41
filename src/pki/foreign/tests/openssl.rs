//! What OpenSSL writes, in every form that it knows, must read as the very key that OpenSSL reads from it.

use super::*;

const LEGACY: &str = "-provider legacy -provider default";

/// A key, and its certificate, made by OpenSSL.
fn made(desk: &Desk, algorithm: &str) {
    desk.run(&format!("openssl genpkey {algorithm} -out key.pem"));
    desk.run("openssl req -new -x509 -key key.pem -subj /CN=a.example -days 30 -out cert.pem");
}

/// The key as OpenSSL reads it.
fn wanted(desk: &Desk) -> Vec<u8> {
    desk.run("openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER")
}

/// Reads a file with and without its passphrase, and with a wrong one; says how it was protected.
#[track_caller]
fn opens(desk: &Desk, name: &str, wanted: &[u8]) -> String {
    let file = desk.file(name);
    let contents = read(&file, Some("sesame")).unwrap();
    let keys: Vec<_> = contents.keys().map(PrivateKey::pkcs8).collect();
    assert_eq!(keys, [wanted], "{name}: {contents:?}");
    let protection = contents
        .found
        .iter()
        .filter(|found| matches!(found.object, Ok(Object::Key(_))))
        .find_map(|found| found.protection.clone());
    if protection.is_some() {
        assert!(read(&file, None).unwrap().wants_passphrase(), "{name}");
        let wrong = read(&file, Some("Sesame")).unwrap();
        assert_eq!(wrong.keys().count(), 0, "{name}");
        assert!(
            wrong
                .found
                .iter()
                .any(|found| matches!(found.object, Err(Refusal::WrongPassphrase { .. }))),
            "{name}: {wrong:?}"
        );
    }
    protection.map_or_else(String::new, |how| {
        format!("{}{}", how.scheme, how.weakness.map_or("", |_| " (weak)"))
    })
}

#[test]
fn every_encryption_of_pkcs8_that_openssl_writes_is_read_as_openssl_reads_it() {
    let desk = Desk::new();
    made(&desk, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let wanted = wanted(&desk);
    let cases = [
        (
            "-v1 PBE-MD5-DES",
            "PBES1, PBKDF1 with MD5, 2048 rounds, DES-CBC (weak)",
        ),
        (
            "-v1 PBE-SHA1-DES",
            "PBES1, PBKDF1 with SHA-1, 2048 rounds, DES-CBC (weak)",
        ),
        (
            "-v1 PBE-MD5-RC2-64",
            "PBES1, PBKDF1 with MD5, 2048 rounds, RC2-CBC of 64 bits (weak)",
        ),
        (
            "-v1 PBE-SHA1-RC2-64",
            "PBES1, PBKDF1 with SHA-1, 2048 rounds, RC2-CBC of 64 bits (weak)",
        ),
        (
            "-v1 PBE-SHA1-RC4-128",
            "PKCS#12, SHA-1, 2048 rounds, RC4 of 128 bits (weak)",
        ),
        (
            "-v1 PBE-SHA1-RC4-40",
            "PKCS#12, SHA-1, 2048 rounds, RC4 of 40 bits (weak)",
        ),
        (
            "-v1 PBE-SHA1-3DES",
            "PKCS#12, SHA-1, 2048 rounds, 3DES-CBC (weak)",
        ),
        (
            "-v1 PBE-SHA1-2DES",
            "PKCS#12, SHA-1, 2048 rounds, two-key 3DES-CBC (weak)",
        ),
        (
            "-v1 PBE-SHA1-RC2-128",
            "PKCS#12, SHA-1, 2048 rounds, RC2-CBC of 128 bits (weak)",
        ),
        (
            "-v1 PBE-SHA1-RC2-40",
            "PKCS#12, SHA-1, 2048 rounds, RC2-CBC of 40 bits (weak)",
        ),
        (
            "-v2 rc2",
            "PBES2, PBKDF2 with HMAC-SHA-256, 2048 rounds, RC2-CBC of 128 bits (weak)",
        ),
        (
            "-v2 des",
            "PBES2, PBKDF2 with HMAC-SHA-256, 2048 rounds, DES-CBC (weak)",
        ),
        (
            "-v2 des3",
            "PBES2, PBKDF2 with HMAC-SHA-256, 2048 rounds, 3DES-CBC (weak)",
        ),
        (
            "-v2 aes-128-cbc -v2prf hmacWithSHA1",
            "PBES2, PBKDF2 with HMAC-SHA-1, 2048 rounds, AES-128-CBC",
        ),
        (
            "-v2 aes-192-cbc -v2prf hmacWithSHA384",
            "PBES2, PBKDF2 with HMAC-SHA-384, 2048 rounds, AES-192-CBC",
        ),
        (
            "-v2 aes-256-cbc -v2prf hmacWithSHA512 -iter 999",
            "PBES2, PBKDF2 with HMAC-SHA-512, 999 rounds, AES-256-CBC (weak)",
        ),
        (
            "-scrypt",
            "PBES2, scrypt with N=16384, r=8, p=1, AES-256-CBC",
        ),
    ];
    for (options, protection) in cases {
        for form in ["PEM", "DER"] {
            desk.run(&format!(
                "openssl pkcs8 -topk8 -in key.pem {options} -passout pass:sesame -outform {form} -out out {LEGACY}"
            ));
            assert_eq!(opens(&desk, "out", &wanted), protection, "{options} {form}");
        }
    }
}

#[test]
fn the_old_formats_of_openssl_are_read_plain_and_encrypted() {
    for algorithm in [
        "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
    ] {
        let desk = Desk::new();
        made(&desk, algorithm);
        let wanted = wanted(&desk);
        let kind = if algorithm.contains("RSA") {
            "rsa -traditional"
        } else {
            "ec"
        };
        for form in ["PEM", "DER"] {
            desk.run(&format!(
                "openssl {kind} -in key.pem -outform {form} -out plain"
            ));
            assert_eq!(opens(&desk, "plain", &wanted), "");
        }
        for cipher in ["aes128", "aes192", "aes256", "des3", "des"] {
            desk.run(&format!(
                "openssl {kind} -in key.pem -{cipher} -passout pass:sesame -out out {LEGACY}"
            ));
            let protection = opens(&desk, "out", &wanted);
            assert!(protection.starts_with("PEM encryption of RFC 1421, MD5, 1 round, "));
            assert!(protection.ends_with("(weak)"), "{protection}");
        }
    }
}

#[test]
fn an_ec_key_without_its_curve_is_read_with_the_parameters_in_front_of_it() {
    let desk = Desk::new();
    desk.run("openssl ecparam -name prime256v1 -genkey -out key.pem");
    let wanted = wanted(&desk);
    // The key again, without the curve inside: only the block in front of it tells.
    let sec1 = desk.run("openssl ec -in key.pem -outform DER");
    let children = Element::only(&sec1).unwrap().children().unwrap();
    let parts: Vec<&[u8]> = children
        .iter()
        .filter(|child| !child.is_context(0))
        .map(|child| child.whole)
        .collect();
    let bare = tlv::wrap(0x30, &parts);
    let parameters = desk.run("openssl ecparam -name prime256v1");
    let key = format!(
        "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bare.as_slice())
    );
    let whole = [parameters.as_slice(), key.as_bytes()].concat();
    let contents = read(&whole, None).unwrap();
    let keys: Vec<_> = contents.keys().map(PrivateKey::pkcs8).collect();
    assert_eq!(keys, [wanted]);
    let alone = read(key.as_bytes(), None).unwrap();
    assert!(matches!(
        alone.found[0].object,
        Err(Refusal::NotWanted { .. })
    ));
}

#[test]
fn pkcs12_modern_and_legacy_is_read_as_openssl_reads_it() {
    let desk = Desk::new();
    made(&desk, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let (wanted, certificate) = (
        wanted(&desk),
        desk.run("openssl x509 -in cert.pem -outform DER"),
    );
    let cases = [
        (
            "",
            "PBES2, PBKDF2 with HMAC-SHA-256, 2048 rounds, AES-256-CBC",
        ),
        ("-legacy", "PKCS#12, SHA-1, 2048 rounds, 3DES-CBC (weak)"),
        (
            "-keypbe PBE-SHA1-RC2-40 -certpbe PBE-SHA1-RC4-128 -macalg sha1",
            "PKCS#12, SHA-1, 2048 rounds, RC2-CBC of 40 bits (weak)",
        ),
        (
            "-keypbe AES-128-CBC -certpbe NONE -macalg sha512",
            "PBES2, PBKDF2 with HMAC-SHA-256, 2048 rounds, AES-128-CBC",
        ),
        ("-keypbe NONE -certpbe NONE -macalg sha384", ""),
        (
            "-keypbe AES-256-CBC -certpbe AES-256-CBC -nomac",
            "PBES2, PBKDF2 with HMAC-SHA-256, 2048 rounds, AES-256-CBC",
        ),
    ];
    for (options, protection) in cases {
        desk.run(&format!(
            "openssl pkcs12 -export -inkey key.pem -in cert.pem -name Name -passout pass:sesame -out out {options} {LEGACY}"
        ));
        assert_eq!(opens(&desk, "out", &wanted), protection, "{options}");
        let contents = read(&desk.file("out"), Some("sesame")).unwrap();
        let certificates: Vec<_> = contents.certificates().collect();
        assert_eq!(certificates, [&certificate], "{options}");
        assert_eq!(contents.integrity.is_none(), options.contains("-nomac"));
        assert!(
            contents
                .found
                .iter()
                .all(|f| f.name.as_deref() == Some("Name"))
        );
    }
}

#[test]
fn a_store_that_was_altered_is_refused_before_anything_in_it_is_read() {
    let desk = Desk::new();
    made(&desk, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    desk.run("openssl pkcs12 -export -inkey key.pem -in cert.pem -keypbe NONE -certpbe NONE -passout pass:sesame -out out");
    let file = desk.file("out");
    let certificate = desk.run("openssl x509 -in cert.pem -outform DER");
    // A bit in the middle of a certificate that lies there in the clear.
    let at = file
        .windows(16)
        .position(|window| window == &certificate[100..116])
        .unwrap();
    let mut altered = file.clone();
    altered[at] ^= 1;
    let contents = read(&altered, Some("sesame")).unwrap();
    assert!(
        matches!(
            contents.found.as_slice(),
            [Found {
                object: Err(Refusal::WrongPassphrase { or_damaged: true }),
                ..
            }]
        ),
        "{contents:?}"
    );
}

#[test]
fn an_empty_passphrase_and_none_at_all_both_open() {
    let desk = Desk::new();
    made(&desk, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    desk.run("openssl pkcs12 -export -inkey key.pem -in cert.pem -passout pass: -out out");
    for passphrase in [None, Some("")] {
        let contents = read(&desk.file("out"), passphrase).unwrap();
        assert_eq!(contents.keys().count(), 1, "{contents:?}");
    }
}

#[test]
fn every_label_of_certificates_and_the_texts_around_them_are_read() {
    let desk = Desk::new();
    made(&desk, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let certificate = desk.run("openssl x509 -in cert.pem -outform DER");
    desk.run("openssl x509 -in cert.pem -text -out text");
    desk.run("openssl x509 -in cert.pem -trustout -addtrust clientAuth -out trusted");
    desk.run("openssl crl2pkcs7 -nocrl -certfile cert.pem -out p7");
    desk.run("openssl crl2pkcs7 -nocrl -certfile cert.pem -outform DER -out p7der");
    desk.run("openssl pkcs12 -export -inkey key.pem -in cert.pem -passout pass:sesame -out p12");
    desk.run("openssl pkcs12 -in p12 -nodes -passin pass:sesame -out bags");
    for name in ["cert.pem", "text", "trusted", "p7", "p7der", "bags"] {
        let contents = read(&desk.file(name), None).unwrap();
        let certificates: Vec<_> = contents.certificates().collect();
        assert_eq!(certificates, [&certificate], "{name}");
    }
    // One behind the other, as DER.
    let twice = [certificate.clone(), certificate.clone()].concat();
    assert_eq!(read(&twice, None).unwrap().certificates().count(), 2);
}

#[test]
fn kinds_of_key_that_no_policy_allows_are_refused_by_name() {
    let cases = [
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
            "RSA of 1024 bits",
            "shorter than 2048",
        ),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2050",
            "RSA of 2050 bits",
            "2048, 3072 or 4096",
        ),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3",
            "RSA of 2048 bits",
            "65537",
        ),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3",
            "RSA of 2048 bits with more than two primes",
            "TLS",
        ),
        (
            "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
            "RSA for PSS only",
            "PSS",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
            "ECDSA on P-521",
            "P-256",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            "ECDSA on secp256k1",
            "P-256",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1",
            "ECDSA on brainpoolP256r1",
            "P-256",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            "elliptic, on a curve written out",
            "RFC 5480",
        ),
        ("-algorithm ED448", "Ed448", "gateway"),
        ("-algorithm X25519", "X25519", "prove an identity"),
    ];
    for (algorithm, name, reason) in cases {
        let desk = Desk::new();
        desk.run(&format!("openssl genpkey {algorithm} -out key.pem"));
        let contents = read(&desk.file("key.pem"), None).unwrap();
        let [
            Found {
                object:
                    Err(Refusal::UnsupportedKey {
                        name: found,
                        reason: why,
                    }),
                ..
            },
        ] = contents.found.as_slice()
        else {
            panic!("{algorithm}: {contents:?}");
        };
        assert_eq!(found, name, "{algorithm}");
        assert!(why.contains(reason), "{algorithm}: {why}");
    }
    let desk = Desk::new();
    desk.run("openssl dsaparam -genkey -out dsa.pem 1024");
    desk.run("openssl pkcs8 -topk8 -nocrypt -in dsa.pem -out dsa8.pem");
    for name in ["dsa.pem", "dsa8.pem"] {
        let contents = read(&desk.file(name), None).unwrap();
        let refusal = contents.found.last().unwrap().object.as_ref().unwrap_err();
        assert!(
            refusal.to_string().starts_with("the key is DSA: "),
            "{refusal}"
        );
    }
}

#[test]
fn damage_is_told_from_a_wrong_passphrase_where_it_can_be() {
    let desk = Desk::new();
    made(&desk, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    desk.run("openssl pkcs8 -topk8 -in key.pem -passout pass:sesame -outform DER -out out");
    let file = desk.file("out");
    let parts = Element::only(&file).unwrap().children().unwrap();
    let cut = tlv::wrap(0x04, &[&parts[1].value[..parts[1].value.len() - 1]]);
    let damaged = tlv::wrap(0x30, &[parts[0].whole, &cut]);
    let contents = read(&damaged, Some("sesame")).unwrap();
    assert!(
        matches!(contents.found[0].object, Err(Refusal::Damaged { .. })),
        "{contents:?}"
    );
}

#[test]
fn a_file_that_would_keep_us_busy_is_refused_at_once_and_says_by_how_much() {
    let desk = Desk::new();
    made(&desk, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    desk.run("openssl pkcs8 -topk8 -in key.pem -passout pass:sesame -outform DER -out out");
    let file = desk.file("out");
    let (honest, hostile) = ([0x02, 0x02, 0x08, 0x00], [0x02, 0x02, 0x7f, 0xff]);
    let at = file.windows(4).position(|w| w == honest).unwrap();
    let mut slow = file.clone();
    slow[at..at + 4].copy_from_slice(&hostile);
    let limits = Limits {
        rounds: 10_000,
        ..Limits::default()
    };
    assert_eq!(
        read_within(&file, Some("sesame"), limits)
            .unwrap()
            .keys()
            .count(),
        1
    );
    let contents = read_within(&slow, Some("sesame"), limits).unwrap();
    let refusal = contents.found[0].object.as_ref().unwrap_err();
    assert!(
        matches!(
            refusal,
            Refusal::TooCostly {
                found: 32767,
                limit: 10_000,
                ..
            }
        ),
        "{refusal}"
    );
}
