use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use zeroize::Zeroizing;

use super::*;
use crate::exchange::smime::Signer;

/// Somebody with a mail certificate.
struct Person {
    pkcs8: Vec<u8>,
    der: Vec<u8>,
}

impl Person {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.is_ca = IsCa::ExplicitNoCa;
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pkcs8: key.serialize_der(),
            der: certificate.der().to_vec(),
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        pki::inspect(&self.der).unwrap().fingerprint
    }

    fn opens(&self) -> DecryptionKey {
        DecryptionKey::new(Zeroizing::new(self.pkcs8.clone()), &self.der).unwrap()
    }
}

/// A fingerprint under a heading, as letters have it.
fn described(heading: &str, fingerprint: Fingerprint) -> String {
    let digits = fingerprint.colon_upper();
    let (first, second) = digits.split_at(48);
    format!("{heading}\r\n\r\n   SHA-256\r\n      {first}\r\n      {second}\r\n\r\n")
}

/// The text of an offer that speaks of one certificate and bears another, or the same.
fn offer(named: Fingerprint, attached: &[u8]) -> String {
    format!(
        "{}   ACCEPT acme/test\r\n   {named}\r\n   CODE CS-00000\r\n\r\nQuoted lines do not count.\r\n\r\n{}",
        described("THE NEW CERTIFICATE", named),
        pki::pem::certificate_pem(attached).replace('\n', "\r\n"),
    )
}

/// `multipart/signed` around a text.
fn signed(text: &str, by: &Person) -> Vec<u8> {
    let part = format!("Content-Type: text/plain\r\n\r\n{text}");
    let signer = Signer::new(&by.pkcs8, std::slice::from_ref(&by.der)).unwrap();
    let signature = signer
        .sign(part.as_bytes(), jiff::Timestamp::UNIX_EPOCH)
        .unwrap();
    let encoded = pem_body(&signature.signature);
    format!(
        "Content-Type: multipart/signed; boundary=\"b\"; protocol=\"application/pkcs7-signature\"; micalg=\"{}\"\r\n\r\n\
         --b\r\n{part}\r\n--b\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n{encoded}\r\n--b--\r\n",
        signature.micalg
    )
    .into_bytes()
}

fn sealed(entity: &[u8], to: &Person) -> Vec<u8> {
    let sealed = smime::encrypt(entity, std::slice::from_ref(&to.der)).unwrap();
    format!(
        "Message-ID: <offer.1@vendor.example>\r\nSubject: Please remove everything\r\n\
         Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        pem_body(&sealed)
    )
    .into_bytes()
}

fn pem_body(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

#[test]
fn an_offer_is_opened_verified_and_taken_by_its_signed_text() {
    let (ops, sec, client) = (Person::new(), Person::new(), Person::new());
    let text = offer(client.fingerprint(), &client.der);
    let mail = sealed(&signed(&text, &ops), &sec);
    let letter = Letter::read(&mail, &sec.opens(), ops.fingerprint()).unwrap();
    assert_eq!(letter.message_id.as_str(), "<offer.1@vendor.example>");
    let Wish::Install {
        fingerprint,
        answer,
    } = letter.wish
    else {
        panic!("the subject, which nobody signed, was believed");
    };
    assert_eq!(fingerprint, client.fingerprint());
    assert_eq!(
        answer,
        [
            "ACCEPT acme/test".to_owned(),
            fingerprint.to_string(),
            "CODE CS-00000".to_owned()
        ]
    );
}

#[test]
fn a_notice_names_the_certificate_to_remove_and_not_the_one_that_stays() {
    let (old, new) = (
        Fingerprint::from_digest([1; 32]),
        Fingerprint::from_digest([2; 32]),
    );
    let text = described("PLEASE REMOVE", old) + &described("STAYS TRUSTED", new);
    assert_eq!(wish(&text).unwrap(), Wish::Remove { fingerprint: old });
}

#[test]
fn a_letter_that_a_stranger_signed_is_not_acted_upon() {
    let (ops, sec, stranger) = (Person::new(), Person::new(), Person::new());
    let text = offer(stranger.fingerprint(), &stranger.der);
    let mail = sealed(&signed(&text, &stranger), &sec);
    let read = Letter::read(&mail, &sec.opens(), ops.fingerprint());
    assert!(matches!(read, Err(LetterError::UnknownSigner { .. })));
}

#[test]
fn a_text_that_was_changed_after_signing_is_not_acted_upon() {
    let (ops, sec, client) = (Person::new(), Person::new(), Person::new());
    let text = offer(client.fingerprint(), &client.der);
    let entity = String::from_utf8(signed(&text, &ops)).unwrap();
    let changed = entity.replace("acme/test", "acme/text");
    let mail = sealed(changed.as_bytes(), &sec);
    let read = Letter::read(&mail, &sec.opens(), ops.fingerprint());
    assert!(matches!(read, Err(LetterError::Unsigned(_))));
}

#[test]
fn a_letter_to_somebody_else_or_in_the_clear_is_not_acted_upon() {
    let (ops, sec, client) = (Person::new(), Person::new(), Person::new());
    let entity = signed(&offer(client.fingerprint(), &client.der), &ops);
    let in_the_clear = [b"Message-ID: <a@b>\r\n".as_slice(), &entity].concat();
    for mail in [sealed(&entity, &Person::new()), in_the_clear] {
        let read = Letter::read(&mail, &sec.opens(), ops.fingerprint());
        assert!(matches!(read, Err(LetterError::Closed(_))), "{read:?}");
    }
}

#[test]
fn a_certificate_other_than_the_one_that_the_text_names_is_not_installed() {
    let (named, attached) = (Person::new(), Person::new());
    let read = wish(&offer(named.fingerprint(), &attached.der));
    assert!(matches!(read, Err(LetterError::AnotherCertificate { .. })));
}
