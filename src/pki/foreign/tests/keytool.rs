//! What Java writes.

use super::*;

const STORE: &str = "-storepass sesame123 -keypass sesame123";

fn generate(options: &str, file: &str) -> Desk {
    let desk = Desk::new();
    desk.run(&format!(
        "keytool {options} -genkeypair -alias connector -keyalg EC -groupname secp256r1 -dname CN=a.example -validity 30 -keystore {file} {STORE}"
    ));
    desk
}

#[test]
fn pkcs12_of_java_modern_and_legacy_is_read_as_openssl_reads_it() {
    for options in ["", "-J-Dkeystore.pkcs12.legacy"] {
        let desk = generate(options, "store");
        desk.run(
            "openssl pkcs12 -in store -nodes -nocerts -passin pass:sesame123 -out key.pem -legacy",
        );
        let wanted = desk.run("openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER");
        let exported =
            desk.run("keytool -exportcert -alias connector -keystore store -storepass sesame123");
        let contents = read(&desk.file("store"), Some("sesame123")).unwrap();
        let keys: Vec<_> = contents.keys().map(PrivateKey::pkcs8).collect();
        assert_eq!(keys, [wanted], "{contents:?}");
        let certificates: Vec<_> = contents.certificates().collect();
        assert_eq!(certificates, [&exported]);
        let name = contents.found[0].name.as_deref();
        assert_eq!(name, Some("connector"));
    }
}

#[test]
fn a_jks_is_refused_and_what_the_hint_makes_of_it_is_read() {
    let desk = generate("-J-Dignored=1 -storetype JKS", "old.jks");
    let refusal = read(&desk.file("old.jks"), Some("sesame123"))
        .unwrap_err()
        .to_string();
    let hint = refusal.split_once("convert it: ").unwrap().1;
    let command = hint
        .replace("FILE", "old.jks")
        .replace("NEW.p12", "new.p12");
    desk.run(&format!(
        "{command} -srcstorepass sesame123 -deststorepass sesame123"
    ));
    let contents = read(&desk.file("new.p12"), Some("sesame123")).unwrap();
    assert_eq!(
        (contents.keys().count(), contents.certificates().count()),
        (1, 1)
    );
}
