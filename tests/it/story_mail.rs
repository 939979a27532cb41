//! The letter, as foreign software reads it.

use crate::world::{Plan, World, pem_blocks, sha1, sha256};

/// A fingerprint in upper case with colons.
fn colons(digits: &str) -> String {
    let pairs: Vec<_> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
        .collect();
    pairs.join(":")
}

/// Whether a text shows the fingerprint in upper case with colons, broken over two lines as letters break it.
fn shows(text: &str, digits: &str) -> bool {
    let spelled = colons(digits);
    text.contains(&spelled[..47]) && text.contains(&spelled[48..])
}

fn offer(plan: Plan) -> (World, crate::world::Letter) {
    let world = World::prepared(plan);
    world.add_identity();
    assert!(
        world.mails().is_empty(),
        "adding an identity writes to nobody"
    );
    world.run(&["renew"]);
    let letter = world.await_letter("offer.1.jira.1.");
    (world, letter)
}

#[test]
fn openssl_decrypts_and_verifies_an_offer_that_bears_its_certificate_in_every_form() {
    let (world, letter) = offer(Plan::default());
    assert!(letter.encrypted);
    assert!(
        !String::from_utf8_lossy(&letter.raw).contains("ACCEPT"),
        "nothing is readable on the way"
    );
    let exported = world
        .ok(&[
            "identity",
            "export-certificate",
            "jira",
            "--generation",
            "next",
        ])
        .stdout;
    let certificate = &pem_blocks(&exported)[0];
    let (name, everything) = &letter.attachments[0];
    assert_eq!(name, "jira-g1.pem.txt");
    assert_eq!(
        pem_blocks(everything),
        pem_blocks(&letter.text),
        "attached and inline"
    );
    assert_eq!(&pem_blocks(everything)[0], certificate);
    let (name, authorities) = &letter.attachments[1];
    assert_eq!(name, "jira-g1-ca.pem.txt");
    assert_eq!(pem_blocks(authorities), pem_blocks(everything)[1..]);
    assert!(shows(&letter.text, &sha256(certificate)));
    assert!(
        letter.text.contains(&sha1(certificate)),
        "as nginx spells it"
    );
    assert!(
        letter.text.contains(&sha256(certificate)),
        "as it is to be copied"
    );
}

#[test]
fn an_offer_to_somebody_without_a_certificate_is_signed_and_spelled_for_azure_in_upper_case() {
    let plan = Plan {
        gateway: "azure-api-management",
        encrypted: false,
        ..Plan::default()
    };
    let (_world, letter) = offer(plan);
    assert!(!letter.encrypted);
    let certificate = &letter.chain()[0];
    assert!(letter.text.contains(&sha1(certificate).to_uppercase()));
    assert!(
        !letter.text.contains(&sha1(certificate)),
        "in no other case"
    );
    assert!(shows(&letter.text, &sha256(certificate)));
}
