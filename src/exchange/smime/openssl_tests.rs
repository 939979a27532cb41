//! `openssl cms` judges what we write, and writes what we must read.

use jiff::Timestamp;

use super::{
    super::testing::{Bench, Key, Person},
    decrypt::unwrap,
    *,
};

const ENTITY: &[u8] =
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nACCEPT acme/test\r\n\r\nwith a last empty line\r\n";
const KEYS: [Key; 3] = [Key::Rsa, Key::P256, Key::P384];

fn at() -> Timestamp {
    "2026-11-24T08:00:00Z".parse().unwrap()
}

#[test]
fn openssl_verifies_our_signature_and_refuses_it_over_other_bytes() {
    for key in KEYS {
        let bench = Bench::new();
        let ops = Person::new("ops@vendor.example", key);
        bench.install("ops", &ops);
        bench.put("entity", ENTITY);
        bench.put("other", &ENTITY[..ENTITY.len() - 2]);
        let signed = ops.signer().sign(ENTITY, at()).unwrap();
        bench.put("p7s", &signed.signature);
        let verify =
            "cms -verify -binary -inform DER -in p7s -CAfile ops.pem -out verified -content";
        bench.openssl(&format!("{verify} entity")).unwrap();
        assert_eq!(bench.get("verified"), ENTITY, "{key:?}");
        assert!(
            bench.openssl(&format!("{verify} other")).is_err(),
            "{key:?}"
        );
    }
}

#[test]
fn we_verify_what_openssl_signs_in_der_and_in_indefinite_lengths() {
    for key in KEYS {
        for (flags, detached) in [
            ("-binary -md sha256", true),
            ("-binary -md sha512 -nodetach", false),
            ("-binary -md sha384 -nodetach -stream -indef", false),
            ("-binary -md sha256 -keyid -stream -indef", true),
            ("-binary -md sha256 -noattr", true),
        ] {
            let bench = Bench::new();
            let sec = Person::new("sec@acme.example", key);
            bench.install("sec", &sec);
            bench.put("entity", ENTITY);
            bench
                .openssl(&format!(
                    "cms -sign -outform DER -in entity -out p7 -signer sec.pem -inkey sec.key {flags}"
                ))
                .unwrap();
            let p7 = bench.get("p7");
            let verified = if detached {
                assert!(matches!(
                    verify_detached(&ENTITY[1..], &p7),
                    Err(SmimeError::DigestMismatch | SmimeError::SignatureMismatch)
                ));
                verify_detached(ENTITY, &p7)
            } else {
                verify_opaque(&p7)
            };
            let verified = verified.unwrap_or_else(|e| panic!("{key:?} {flags}: {e:?}"));
            assert_eq!(verified.content, ENTITY, "{key:?} {flags}");
            assert_eq!(verified.signer, sec.der, "{key:?} {flags}");
        }
    }
}

#[test]
fn a_pss_signature_of_openssl_verifies() {
    let bench = Bench::new();
    let sec = Person::new("sec@acme.example", Key::Rsa);
    bench.install("sec", &sec);
    bench.put("entity", ENTITY);
    bench
        .openssl(
            "cms -sign -binary -outform DER -in entity -out p7 -signer sec.pem -inkey sec.key -md sha256 \
             -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest",
        )
        .unwrap();
    assert!(verify_detached(ENTITY, &bench.get("p7")).is_ok());
}

#[test]
fn every_changed_byte_of_a_signature_is_refused_or_changes_nothing_that_is_signed() {
    let ops = Person::new("ops@vendor.example", Key::P256);
    let signed = ops.signer().sign(ENTITY, at()).unwrap().signature;
    for position in 0..signed.len() {
        let mut forged = signed.clone();
        forged[position] ^= 1;
        if let Ok(verified) = verify_detached(ENTITY, &forged) {
            // Certificates are not covered by the signature: a changed one is not the one on file.
            assert!(
                verified.signer != ops.der || verified.content == ENTITY,
                "byte {position}"
            );
        }
    }
    let mut entity = ENTITY.to_vec();
    for position in 0..entity.len() {
        entity[position] ^= 1;
        assert!(
            verify_detached(&entity, &signed).is_err_and(|e| e.is_forgery()),
            "byte {position}"
        );
        entity[position] ^= 1;
    }
}

#[test]
fn a_signature_by_another_key_under_the_same_name_is_refused() {
    let (real, forger) = (
        Person::new("sec@acme.example", Key::P256),
        Person::new("sec@acme.example", Key::P256),
    );
    // The forger signs but puts the real certificate in.
    assert!(matches!(
        Signer::new(&forger.pkcs8, std::slice::from_ref(&real.der)),
        Err(SmimeError::KeyMismatch)
    ));
    let signed = forger.signer().sign(ENTITY, at()).unwrap();
    let verified = verify_detached(ENTITY, &signed.signature).unwrap();
    assert_ne!(verified.signer, real.der);
}

#[test]
fn openssl_opens_what_we_encrypt_and_only_with_the_right_key() {
    for key in KEYS {
        let bench = Bench::new();
        let (sec, other) = (
            Person::new("sec@acme.example", key),
            Person::new("second@acme.example", Key::P256),
        );
        let stranger = Person::new("sec@acme.example", key);
        bench.install("sec", &sec);
        bench.install("other", &other);
        bench.install("stranger", &stranger);
        let sealed = encrypt(ENTITY, &[sec.der.clone(), other.der.clone()]).unwrap();
        bench.put("p7m", &sealed);
        for name in ["sec", "other"] {
            bench
                .openssl(&format!(
                    "cms -decrypt -binary -inform DER -in p7m -recip {name}.pem -inkey {name}.key -out plain"
                ))
                .unwrap_or_else(|e| panic!("{key:?} {name}: {e}"));
            assert_eq!(bench.get("plain"), ENTITY, "{key:?} {name}");
        }
        assert!(
            bench
                .openssl("cms -decrypt -binary -inform DER -in p7m -recip stranger.pem -inkey stranger.key -out wrong")
                .is_err(),
            "{key:?}"
        );
    }
}

#[test]
fn we_open_what_openssl_encrypts() {
    for key in KEYS {
        let flags: &[&str] = match key {
            Key::Rsa => &[
                "-aes256",
                "-aes128",
                "-aes256 -keyopt rsa_padding_mode:oaep",
                "-aes256 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256",
            ],
            _ => &[
                "-aes256",
                "-aes256 -keyopt ecdh_kdf_md:sha256",
                "-aes128 -aes128-wrap -keyopt ecdh_kdf_md:sha384",
            ],
        };
        for flags in flags {
            let bench = Bench::new();
            let ops = Person::new("ops@vendor.example", key);
            bench.install("ops", &ops);
            bench.put("entity", ENTITY);
            for stream in ["", "-stream -indef"] {
                bench
                    .openssl(&format!(
                        "cms -encrypt -binary -outform DER -in entity -out p7m {stream} {flags} -recip ops.pem"
                    ))
                    .or_else(|_| {
                        // Key options must follow the recipient that they are for.
                        let (cipher, options) = flags.split_once(' ').unwrap_or((flags, ""));
                        bench.openssl(&format!(
                            "cms -encrypt -binary -outform DER -in entity -out p7m {stream} {cipher} -recip ops.pem {options}"
                        ))
                    })
                    .unwrap_or_else(|e| panic!("{key:?} {flags}: {e}"));
                let plain = decrypt(&bench.get("p7m"), &ops.decryption_key())
                    .unwrap_or_else(|e| panic!("{key:?} {flags} {stream}: {e:?}"));
                assert_eq!(plain.as_slice(), ENTITY, "{key:?} {flags}");
            }
        }
    }
}

#[test]
fn a_key_of_zeros_opens_nothing() {
    use cms::{
        content_info::ContentInfo,
        enveloped_data::{EnvelopedData, RecipientInfo},
    };

    let sec = Person::new("sec@acme.example", Key::P256);
    let sealed = encrypt(ENTITY, &[sec.der]).unwrap();
    let info = ContentInfo::from_der(&sealed).unwrap();
    let data: EnvelopedData = info.content.decode_as().unwrap();
    let Some(RecipientInfo::Kari(agreement)) = data.recip_infos.0.get(0) else {
        panic!("an elliptic-curve recipient gets a key agreement");
    };
    let wrapped = agreement.recipient_enc_keys[0].enc_key.as_bytes();
    assert!(unwrap(&[0; 32], wrapped).is_err());
    assert!(unwrap(&[0; 16], wrapped).is_err());
}

#[test]
fn a_mail_for_somebody_else_is_not_for_us() {
    let (sec, ops) = (
        Person::new("sec@acme.example", Key::P256),
        Person::new("ops@vendor.example", Key::P256),
    );
    let sealed = encrypt(ENTITY, &[sec.der]).unwrap();
    assert!(matches!(
        decrypt(&sealed, &ops.decryption_key()),
        Err(SmimeError::NotForUs)
    ));
}

#[test]
fn a_recipient_whose_key_cannot_be_used_fails_the_whole_letter() {
    let sec = Person::new("sec@acme.example", Key::P256);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let odd = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&key)
        .unwrap();
    assert!(matches!(
        encrypt(ENTITY, &[sec.der, odd.der().to_vec()]),
        Err(SmimeError::UnsupportedAlgorithm { .. })
    ));
}
